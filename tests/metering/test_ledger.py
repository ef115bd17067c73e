from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import insert, select

from tests.metering.conftest import Clock, Steps
from tests.metering.examples import (
    MIDDAY,
    assert_clean,
    count,
    end_leases,
    estimate,
    held,
    limit,
    principal,
    settled,
    window,
)
from writingmate.errors import LimitReached, StalePrincipal, Unavailable
from writingmate.metering.ledger import Ledger
from writingmate.storage.engine import Database, Session
from writingmate.storage.tables import daily_message_count, entries, holds, nodes, revisions, windows
from writingmate.types import Receipt, Usage

LIMIT = limit(10)


async def test_a_request_is_held_then_settled(database: Database, ledger: Ledger) -> None:
    async with ledger.hold("r1", principal(), estimate(3, LIMIT)) as hold:
        assert hold.request_id == "r1"
        assert hold.messages == 3
        assert held(database) == {"r1"}
        assert window(database, LIMIT) == (0, 3)
        hold.observe(Usage(19_000, 3_000, 4_000, 100))
        hold.served_by("req-upstream")
        hold.mark("cancelled")
        receipt = await hold.settle()
        assert held(database) == set()
    usage = Usage(19_000, 3_000, 4_000, 100)
    assert receipt == Receipt("r1", 2, usage, frozenset({"cancelled"}), remaining=8)
    assert window(database, LIMIT) == (2, 0)
    assert_clean(database)


async def test_the_entry_says_everything(database: Database, ledger: Ledger, clock: Clock) -> None:
    async with ledger.hold("r1", principal(), estimate(3, LIMIT, completion=1_000)) as hold:
        hold.observe(Usage(19_000, 3_000, 4_000, 100))
        hold.served_by("req-upstream")
        clock.now += 2.5
    with database.reading() as connection:
        entry = connection.execute(select(entries)).one()._asdict()
        aggregate = connection.execute(select(daily_message_count)).one()._asdict()
    assert entry == {
        "workspace_id": "ws_one",
        "request_id": "r1",
        "user_id": "user_one",
        "key_id": "key_one",
        "model": "openai/gpt-5-mini",
        "provider": "openai",
        "upstream_model": "gpt-5-mini",
        "endpoint": "chat.completions",
        "prompt_tokens": 19_000,
        "completion_tokens": 3_000,
        "cached_tokens": 4_000,
        "reasoning_tokens": 100,
        "messages": 2,
        "held_messages": 3,
        "windows": '[["workspace","messages:pro","2026-11-22",10,8]]',
        "flags": "",
        "upstream_request_id": "req-upstream",
        "day": "2026-11-22",
        "started_at": MIDDAY,
        "settled_at": MIDDAY + 2.5,
        "plan": "self-hosted",
        "tier": "",
    }
    assert aggregate == {
        "workspace_id": "ws_one",
        "day": "2026-11-22",
        "user_id": "user_one",
        "model": "openai/gpt-5-mini",
        "count": 2,
        "input_tokens": 19_000,
        "output_tokens": 3_000,
    }


async def test_the_entry_names_the_route_that_served_and_the_hold_the_first(
    database: Database, ledger: Ledger
) -> None:
    async with ledger.hold("r1", principal(), estimate(3, LIMIT)) as hold:
        hold.rerouted("openrouter", "openai/gpt-5-mini")
        with database.reading() as connection:
            row = connection.execute(select(holds)).one()
        assert (row.provider, row.upstream_model) == ("openai", "gpt-5-mini")
        assert not hold.clamped
        hold.observe(Usage(10, 10))
    with database.reading() as connection:
        entry = connection.execute(select(entries)).one()
    assert (entry.provider, entry.upstream_model, entry.messages) == ("openrouter", "openai/gpt-5-mini", 1)
    assert_clean(database)


async def test_without_limits_no_window_is_touched(database: Database, ledger: Ledger) -> None:
    async with ledger.hold("r1", principal(), estimate(3)) as hold:
        hold.observe(Usage(1, 1))
        assert (await hold.settle()).remaining is None
    assert count(database, windows) == 0
    assert_clean(database)


async def test_nothing_observed_costs_nothing(database: Database, ledger: Ledger) -> None:
    async with ledger.hold("r1", principal(), estimate(3, LIMIT)):
        pass
    assert settled(database) == {"r1": (0, "failed")}
    assert window(database, LIMIT) == (0, 0)
    assert_clean(database)


async def test_the_last_observation_wins(database: Database, ledger: Ledger) -> None:
    async with ledger.hold("r1", principal(), estimate(9)) as hold:
        hold.observe(Usage(100_000, 0), estimated=True)
        hold.observe(Usage(20_000, 0))
    async with ledger.hold("r2", principal(), estimate(9)) as hold:
        hold.observe(Usage(20_000, 0))
        hold.observe(Usage(40_000, 0), estimated=True)
        hold.mark("cancelled")
    assert settled(database) == {"r1": (2, ""), "r2": (3, "cancelled estimated")}


async def test_more_than_was_held_is_charged_and_said(database: Database, ledger: Ledger) -> None:
    async with ledger.hold("r1", principal(), estimate(1, LIMIT)) as hold:
        hold.observe(Usage(190_000, 0))
        assert (await hold.settle()).remaining == 0
    assert settled(database) == {"r1": (12, "overrun")}
    assert window(database, LIMIT) == (12, 0)
    with pytest.raises(LimitReached):
        await ledger.hold("r2", principal(), estimate(1, LIMIT)).__aenter__()
    assert_clean(database)


async def test_absurd_figures_are_bounded(database: Database, ledger: Ledger) -> None:
    async with ledger.hold("r1", principal(), estimate(1)) as hold:
        hold.observe(Usage(-5, 10**30, -1, 0))
        hold.served_by("\x00ä" * 300)
        receipt = await hold.settle()
    assert receipt.usage == Usage(0, 10**12)
    assert_clean(database)


async def test_all_limits_or_none(database: Database, ledger: Ledger) -> None:
    tight = limit(2, meter="messages:ultimate")
    with pytest.raises(LimitReached, match="messages:ultimate") as caught:
        await ledger.hold("r1", principal(), estimate(3, LIMIT, tight)).__aenter__()
    assert caught.value.headers == {"retry-after": "43200", "x-should-retry": "false"}
    assert held(database) == set()
    assert window(database, LIMIT) == window(database, tight) == (0, 0)
    async with ledger.hold("r2", principal(), estimate(2, LIMIT, tight)) as hold:
        hold.observe(Usage(1, 1))
        assert (await hold.settle()).remaining == 1
    assert_clean(database)


def test_two_limits_on_one_window_are_a_mistake(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="count a request twice"):
        ledger.hold("r1", principal(), estimate(1, LIMIT, limit(4)))


async def test_a_window_of_another_workspace_is_a_mistake(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="own workspace"):
        ledger.hold("r1", principal(workspace="ws_two"), estimate(1, LIMIT))


async def test_many_at_once_are_admitted_exactly_as_many_as_fit(database: Database, ledger: Ledger) -> None:
    admitted = []
    everybody = asyncio.Barrier(200)

    async def request(number: int) -> None:
        hold = ledger.hold(f"r{number}", principal(), estimate(1, LIMIT))
        try:
            await hold.__aenter__()
        except LimitReached:
            await everybody.wait()
            return
        admitted.append(number)
        await everybody.wait()
        hold.observe(Usage(1, 1))
        await hold.settle()

    await asyncio.gather(*(request(number) for number in range(200)))
    assert len(admitted) == 10
    assert window(database, LIMIT) == (10, 0)
    assert_clean(database)


async def test_a_settlement_makes_room_at_once(database: Database, ledger: Ledger) -> None:
    for number in range(10):
        async with ledger.hold(f"r{number}", principal(), estimate(10 - number, LIMIT)) as hold:
            hold.observe(Usage(1, 1))
    with pytest.raises(LimitReached):
        await ledger.hold("r10", principal(), estimate(1, LIMIT)).__aenter__()
    assert window(database, LIMIT) == (10, 0)


async def test_an_older_identity_is_refused(database: Database, ledger: Ledger) -> None:
    async with ledger.hold("r1", principal(revision=0), estimate(1)):
        pass
    with database.transaction() as connection:
        connection.execute(insert(revisions), {"name": "identity", "value": 7})
    with pytest.raises(StalePrincipal):
        await ledger.hold("r2", principal(revision=0), estimate(1, LIMIT)).__aenter__()
    async with ledger.hold("r3", principal(revision=7), estimate(1)):
        pass
    assert set(settled(database)) == {"r1", "r3"}
    assert window(database, LIMIT) == (0, 0)


async def test_settling_again_gives_the_same_receipt(database: Database, ledger: Ledger) -> None:
    async with ledger.hold("r1", principal(), estimate(1)) as hold:
        hold.observe(Usage(1, 1))
        first = await hold.settle()
        hold.observe(Usage(1_000_000, 1))
        assert await hold.settle() == first
    assert settled(database) == {"r1": (1, "")}


async def test_a_cancelled_wait_still_settles_once(database: Database, ledger: Ledger) -> None:
    async with ledger.hold("r1", principal(), estimate(1, LIMIT)) as hold:
        hold.observe(Usage(1, 1))
        waiting = asyncio.ensure_future(hold.settle())
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await hold.settle() == Receipt("r1", 1, Usage(1, 1), frozenset(), remaining=9)
    assert window(database, LIMIT) == (1, 0)
    assert_clean(database)


@pytest.mark.parametrize("moment", ["begun", "queued", "held", "inside", "settling", "settled"])
async def test_a_request_cancelled_at_any_await_is_off_the_books(
    database: Database, clock: Clock, steps: Steps, moment: str
) -> None:
    ledger = Ledger(database, now=clock, step=steps)
    await ledger.start()
    at = {name: asyncio.Event() for name in ("begun", "inside", "settling", "settled")}
    turns = {"queued": 1, "held": 0}

    async def request() -> None:
        at["begun"].set()
        async with ledger.hold("r1", principal(), estimate(2, LIMIT)) as hold:
            at["inside"].set()
            await asyncio.sleep(0)
            hold.observe(Usage(1, 1), estimated=True)
            at["settling"].set()
            await hold.settle()
            at["settled"].set()
            await asyncio.sleep(0)

    task = asyncio.ensure_future(request())
    if moment == "held":
        await steps.next("hold.after_commit")
    elif moment in at:
        await at[moment].wait()
    for _ in range(turns.get(moment, 0)):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    await ledger.close()
    assert held(database) == set()
    assert set(settled(database)) <= {"r1"}
    assert window(database, LIMIT)[1] == 0
    assert_clean(database)


async def failing(ledger: Ledger) -> None:
    async with ledger.hold("r1", principal(), estimate(1, LIMIT)) as hold:
        hold.observe(Usage(1, 1))
        raise ZeroDivisionError


async def test_an_error_inside_settles_and_is_passed_on(database: Database, ledger: Ledger) -> None:
    with pytest.raises(ZeroDivisionError):
        await failing(ledger)
    assert settled(database) == {"r1": (1, "")}


async def test_the_day_is_that_of_the_start(database: Database, ledger: Ledger, clock: Clock) -> None:
    clock.now = 1_795_391_999.999
    async with ledger.hold("before", principal(), estimate(1)) as hold:
        hold.observe(Usage(1, 1))
        clock.now = 1_795_392_000.0
    async with ledger.hold("after", principal(), estimate(1)) as hold:
        hold.observe(Usage(1, 1))
    with database.reading() as connection:
        days = dict(connection.execute(select(entries.c.request_id, entries.c.day)).all())
    assert days == {"before": "2026-11-22", "after": "2026-11-23"}
    assert_clean(database)


async def test_a_hold_settled_by_another_gives_that_receipt(database: Database, ledger: Ledger) -> None:
    other = Ledger(database, now=ledger._now)
    await other.start()
    async with ledger.hold("r1", principal(), estimate(3, LIMIT, completion=20_000)) as hold:
        end_leases(database)
        assert await other.sweep() == 1
        hold.observe(Usage(1, 1))
        receipt = await hold.settle()
    assert receipt.flags == {"interrupted", "estimated"}
    assert receipt.messages == 2
    assert receipt.remaining == 8
    assert settled(database) == {"r1": (2, "estimated interrupted")}
    await other.close()
    assert_clean(database)


async def test_closing_settles_what_is_queued_and_leaves(database: Database, clock: Clock) -> None:
    ledger = Ledger(database, now=clock)
    await ledger.start()
    assert count(database, nodes) == 1
    hold = ledger.hold("r1", principal(), estimate(1))
    await hold.__aenter__()
    hold.observe(Usage(1, 1))
    hold._writer.submit(hold._closing(), owed=True)
    await ledger.close()
    assert settled(database) == {"r1": (1, "")}
    assert count(database, nodes) == 0


async def test_closing_with_an_open_hold_stays_known_until_it_is_swept(
    database: Database, ledger: Ledger, clock: Clock
) -> None:
    dying = Ledger(database, now=clock)
    await dying.start()
    hold = dying.hold("r1", principal(), estimate(1))
    await hold.__aenter__()
    await dying.close()
    assert count(database, nodes) == 2
    assert held(database) == {"r1"}
    with pytest.raises(Unavailable):
        await hold.settle()
    with database.transaction() as connection:
        connection.execute(nodes.update().where(nodes.c.node_id == dying.node_id).values(heartbeat_at=0.0))
    assert await ledger.sweep() == 1
    assert count(database, nodes) == 1


async def test_a_hold_twice_is_refused_without_harm(database: Database, ledger: Ledger) -> None:
    async with ledger.hold("r1", principal(), estimate(1, LIMIT)) as hold:
        twice = [ledger.hold("r1", principal(), estimate(1, LIMIT)).__aenter__() for _ in range(2)]
        failures = await asyncio.gather(*twice, return_exceptions=True)
        assert all(isinstance(failure, Exception) for failure in failures)
        hold.observe(Usage(1, 1))
    assert count(database, holds) == 0
    assert settled(database) == {"r1": (1, "")}
    assert window(database, LIMIT) == (1, 0)
    assert_clean(database)


class LostAnswers:
    """Commits really, then tells the opposite, as a connection that breaks during COMMIT does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = 0
        commit = Session.commit

        def lossy(session: Session) -> None:
            commit(session)
            if self.left:
                self.left -= 1
                raise OSError("connection lost")

        monkeypatch.setattr(Session, "commit", lossy)


async def test_a_hold_whose_answer_is_lost_is_released(
    database: Database, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    LostAnswers(monkeypatch).left = 1
    with pytest.raises(Unavailable):
        await ledger.hold("r1", principal(), estimate(3, LIMIT)).__aenter__()
    await ledger.sweep()  # behind the release in the queue
    assert settled(database) == {"r1": (0, "failed")}
    assert window(database, LIMIT) == (0, 0)
    assert_clean(database)


async def test_a_settlement_whose_answer_is_lost_is_made_once(
    database: Database, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = LostAnswers(monkeypatch)
    async with ledger.hold("r1", principal(), estimate(3, LIMIT)) as hold:
        hold.observe(Usage(20_000, 0))
        lost.left = 1
        with pytest.raises(Unavailable):
            await hold.settle()
        hold.observe(Usage(1, 1))
        assert await hold.settle() == Receipt("r1", 2, Usage(20_000, 0), frozenset(), remaining=8)
    assert settled(database) == {"r1": (2, "")}
    assert window(database, LIMIT) == (2, 0)
    assert_clean(database)


async def test_an_outage_while_leaving_hides_no_error(
    database: Database, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = LostAnswers(monkeypatch)
    hold = await ledger.hold("fails", principal(), estimate(1)).__aenter__()
    lost.left = 1
    await hold.__aexit__(ZeroDivisionError, ZeroDivisionError(), None)  # which goes on its way
    hold = await ledger.hold("ends", principal(), estimate(1)).__aenter__()
    lost.left = 1
    with pytest.raises(Unavailable):
        await hold.__aexit__(None, None, None)
    assert settled(database) == {"fails": (0, "failed"), "ends": (0, "failed")}


async def test_a_ledger_must_be_started(database: Database) -> None:
    with pytest.raises(RuntimeError, match="started"):
        Ledger(database).hold("r1", principal(), estimate(1))
    await Ledger(database).close()
