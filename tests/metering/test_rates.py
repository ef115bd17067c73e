from __future__ import annotations

import asyncio
import dataclasses

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select

from tests.metering.conftest import Clock
from tests.metering.examples import MIDDAY, WORKSPACE, assert_clean, estimate, limit, principal
from writingmate.errors import RateLimited
from writingmate.metering.ledger import Ledger
from writingmate.storage.engine import Database
from writingmate.storage.tables import entries, holds, metadata
from writingmate.types import Limit, Principal, Usage, Window


def rate(allowed: int, subject: str = "workspace") -> Limit:
    return Limit(
        Window(WORKSPACE, subject, "requests", "minute"), allowed, code="rate_limit_exceeded", unit="requests"
    )


async def send(ledger: Ledger, name: str, *limits: Limit, who: Principal | None = None) -> None:
    async with ledger.hold(name, who or principal(), estimate(1, *limits)) as hold:
        hold.observe(Usage(1, 1))


async def test_no_more_than_allowed_in_any_minute(ledger: Ledger, clock: Clock) -> None:
    for number in range(3):
        await send(ledger, f"r{number}", rate(3))
        clock.now += 10
    with pytest.raises(RateLimited) as refused:
        await send(ledger, "r3", rate(3))
    assert refused.value.headers["retry-after"] == "30"  # the first came 30 s ago
    clock.now = MIDDAY + 59.9
    with pytest.raises(RateLimited):
        await send(ledger, "r3", rate(3))
    clock.now = MIDDAY + 60.0
    await send(ledger, "r3", rate(3))
    with pytest.raises(RateLimited):
        await send(ledger, "r4", rate(3))


async def test_waiting_for_the_books_does_not_shorten_a_minute(ledger: Ledger, clock: Clock) -> None:
    await send(ledger, "r1", rate(1))
    clock.now += 59.75
    late = ledger.hold("r2", principal(), estimate(1, rate(1)))
    clock.now += 0.5
    with pytest.raises(RateLimited) as refused:
        await late.open()
    assert refused.value.headers["retry-after"] == "1"
    await send(ledger, "r3", rate(1))


async def test_requests_under_way_count_and_those_that_failed(database: Database, ledger: Ledger) -> None:
    async with ledger.hold("r1", principal(), estimate(1, rate(2))) as first:
        assert first.rate is not None
        assert (first.rate.allowed, first.rate.remaining, first.rate.seconds) == (2, 1, 60.0)
        async with ledger.hold("r2", principal(), estimate(1, rate(2))):
            with pytest.raises(RateLimited):
                await send(ledger, "r3", rate(2))
    with pytest.raises(RateLimited):
        await send(ledger, "r3", rate(2))
    assert_clean(database)


async def test_a_refusal_by_rate_holds_nothing_of_any_limit(database: Database, ledger: Ledger) -> None:
    day = limit(10)
    await send(ledger, "r1", rate(1), day)
    with pytest.raises(RateLimited):
        await send(ledger, "r2", rate(1), day)
    async with ledger.hold("r3", principal(), estimate(9, day)) as hold:
        assert hold.messages == 9
    assert_clean(database)


async def test_members_and_keys_are_counted_apart(ledger: Ledger) -> None:
    other = dataclasses.replace(principal(user="user_two"), key_id="key_two")
    mine, theirs, key = rate(1, "user:user_one"), rate(1, "user:user_two"), rate(1, "key:key_two")
    await send(ledger, "r1", mine)
    await send(ledger, "r2", theirs, who=other)
    for limits, who in (((mine,), None), ((theirs,), other), ((key,), other)):
        with pytest.raises(RateLimited):
            await send(ledger, "r3", *limits, who=who)
    await send(ledger, "r3", rate(3))


async def test_many_at_once_are_admitted_exactly_as_many_as_fit(database: Database, ledger: Ledger) -> None:
    other = Ledger(database, now=ledger._now)
    await other.start()
    done = await asyncio.gather(
        *(send((ledger, other)[number % 2], f"r{number}", rate(7)) for number in range(60)),
        return_exceptions=True,
    )
    refused = [error for error in done if error is not None]
    assert len(refused) == 53
    assert all(isinstance(error, RateLimited) for error in refused)
    await other.close()
    assert_clean(database)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None
)
@given(
    steps=st.lists(st.tuples(st.floats(0, 25), st.integers(1, 4), st.booleans()), min_size=1, max_size=12),
    allowed=st.integers(0, 4),
)
async def test_whatever_the_pace_no_minute_holds_more(
    database: Database, steps: list[tuple[float, int, bool]], allowed: int
) -> None:
    with database.transaction() as connection:
        for table in metadata.sorted_tables:
            connection.execute(delete(table))
    clock = Clock(MIDDAY)
    ledger = Ledger(database, now=clock)
    await ledger.start()
    admitted: list[float] = []
    for number, (pause, together, leave_open) in enumerate(steps):
        clock.now += pause
        opened = await asyncio.gather(
            *(
                ledger.hold(f"r{number}-{each}", principal(), estimate(1, rate(allowed))).open()
                for each in range(together)
            ),
            return_exceptions=True,
        )
        recent = sum(1 for moment in admitted if moment > clock.now - 60)
        fits = [hold for hold in opened if not isinstance(hold, BaseException)]
        assert len(fits) == min(together, max(0, allowed - recent))
        admitted += [clock.now] * len(fits)
        for hold in fits:
            if not leave_open:
                await hold.settle()
    await ledger.close()
    with database.reading() as connection:
        rows = connection.execute(select(entries.c.started_at).union_all(select(holds.c.started_at))).all()
    assert len(rows) == len(admitted)
