"""Old entries become sums, and no balance notices."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, func, select, text

from tests.metering.conftest import Clock
from tests.metering.examples import MIDDAY, assert_clean, count, estimate, principal
from writingmate.metering.audit import audit
from writingmate.metering.commands import utc_day
from writingmate.metering.ledger import Ledger
from writingmate.metering.retention import Retention, roll_up
from writingmate.metering.rollup import START, Place, roll_page, workspaces_before
from writingmate.metering.usage import midnight, usage
from writingmate.storage.engine import Database
from writingmate.storage.tables import entries, metadata, rolled_windows, rollups, windows
from writingmate.types import Limit, Principal, Usage, Window

DAY = 86_400
BIG = 10**9
LAST = "2026-11-25"  # what the tests roll up to: three days after the first


def who(number: int) -> Principal:
    """Two users, three keys, two workspaces."""
    here = principal(user=f"user_{number % 2}", workspace=f"ws_{number // 3 % 2}")
    return dataclasses.replace(here, key_id=f"key_{number % 3}")


def held_limits(caller: Principal, now: float, chosen: set[int]) -> tuple[Limit, ...]:
    """Of a key a day, a user a day, the workspace a month and for ever."""
    day = utc_day(now)
    windows_ = (
        (f"key:{caller.key_id}", "messages", day),
        (f"user:{caller.user_id}", "messages:pro", day),
        ("workspace", "messages:pool", day[:7]),
        ("workspace", "messages:pool", "lifetime"),
    )
    return tuple(
        Limit(Window(caller.workspace_id, *window), BIG) for at, window in enumerate(windows_) if at in chosen
    )


@dataclasses.dataclass
class Story:
    """One request: when (days after the first), whose, against which limits, and how it ends."""

    day: int
    caller: int
    limits: set[int]
    usage: Usage | None
    ends: bool = True

    async def tell(self, ledger: Ledger, clock: Clock, name: str) -> None:
        clock.now = MIDDAY + self.day * DAY
        caller = who(self.caller)
        wanted = dataclasses.replace(
            estimate(2, *held_limits(caller, clock.now, self.limits)), model=f"m{self.caller % 2}"
        )
        hold = ledger.hold(name, caller, wanted)
        await hold.open()
        if self.usage is not None:
            hold.observe(self.usage)
        if self.ends:
            await hold.settle()


TOKENS = st.integers(0, 50_000)
STORIES = st.lists(
    st.builds(
        Story,
        day=st.integers(0, 5),
        caller=st.integers(0, 5),
        limits=st.sets(st.integers(0, 3)),
        usage=st.none() | st.builds(Usage, TOKENS, TOKENS, TOKENS),
        ends=st.booleans() | st.just(value=True),
    ),
    max_size=25,
)


def empty(database: Database) -> None:
    with database.transaction() as connection:
        for table in metadata.sorted_tables:
            connection.execute(delete(table))


def balances(database: Database) -> dict[str, object]:
    """Whatever a report or a limit can ask for."""
    kept = windows.c.period.in_(["2026-11", "lifetime"])
    with database.reading() as connection:
        pools = connection.execute(select(windows).where(kept).order_by(*windows.primary_key)).all()
        return {
            "pools": [tuple(row) for row in pools],
            **{by: list(usage(connection, by)) for by in ("day", "model", "user", "key")},
        }


async def told(database: Database, stories: list[Story]) -> Ledger:
    clock = Clock(MIDDAY)
    ledger = Ledger(database, now=clock, lease_seconds=10_000_000.0)
    await ledger.start()
    for number, story in enumerate(stories):
        await story.tell(ledger, clock, f"r{number:03}")
    return ledger


@settings(
    max_examples=20, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(stories=STORIES, size=st.integers(1, 7))
def test_the_books_are_clean_before_during_and_after(
    database: Database, stories: list[Story], size: int
) -> None:
    async def example() -> None:
        empty(database)
        ledger = await told(database, stories)
        assert_clean(database)
        before = balances(database)
        second = midnight(LAST)
        with database.reading() as connection:
            workspaces = workspaces_before(connection, second)
        for workspace_id in workspaces:
            place: Place | None = START
            while place is not None:
                with database.transaction() as connection:
                    page = roll_page(connection, workspace_id, second, place, size=size)
                assert page.left == 0
                assert page.rolled <= size
                place = page.after
                assert_clean(database)
                assert balances(database) == before
        done = await roll_up(database, LAST, size=size)
        assert (done.entries, done.left) == (0, 0)
        assert_clean(database)
        assert balances(database) == before
        with database.reading() as connection:
            assert (connection.scalar(select(func.min(entries.c.day))) or LAST) >= LAST
            still = connection.execute(select(windows).where(windows.c.period < LAST)).all()
        assert all(row.held for row in still if row.period > "2026-11-01")
        await ledger.close()

    asyncio.run(example())


async def test_windows_of_past_days_go_and_pools_stay(database: Database) -> None:
    stories = [Story(day, 0, {0, 1, 2, 3}, Usage(20_000)) for day in (0, 1, 3)]
    ledger = await told(database, stories)
    done = await roll_up(database, LAST)
    assert (done.entries, done.windows) == (2, 4)
    with database.reading() as connection:
        left = connection.execute(select(windows.c.period, windows.c.used).order_by(windows.c.period)).all()
        sums = connection.execute(select(rolled_windows.c.period, rolled_windows.c.used)).all()
    assert [tuple(row) for row in left] == [("2026-11", 6), (LAST, 2), (LAST, 2), ("lifetime", 6)]
    assert sorted(tuple(row) for row in sums) == [("2026-11", 4), ("lifetime", 4)]
    assert_clean(database)
    await ledger.close()


async def test_a_window_that_a_request_under_way_names_stays(database: Database) -> None:
    open_ = Story(0, 0, {0}, None, ends=False)
    ledger = await told(database, [Story(0, 0, {0}, Usage(20_000)), open_])
    done = await roll_up(database, LAST)
    assert (done.entries, done.windows) == (1, 0)
    assert_clean(database)
    await ledger.close()


async def test_a_window_that_is_wrong_stays(database: Database) -> None:
    ledger = await told(database, [Story(0, 0, {0}, Usage(20_000))])
    with database.transaction() as connection:
        connection.execute(text("UPDATE windows SET used = 7"))
    assert (await roll_up(database, LAST)).windows == 0
    with database.reading() as connection:
        assert (
            str(audit(connection).first) == "windows ws_0/key:key_0/messages/2026-11-22: used is 7, must be 2"
        )
    await ledger.close()


async def test_an_entry_that_is_wrong_stays_and_so_does_the_complaint(database: Database) -> None:
    ledger = await told(database, [Story(0, 0, {0}, Usage(20_000)) for _ in range(3)])
    with database.transaction() as connection:
        connection.execute(text("UPDATE entries SET messages = 1 WHERE request_id = 'r001'"))
    done = await roll_up(database, LAST, size=1)
    assert (done.entries, done.left, done.windows) == (2, 1, 0)
    with database.reading() as connection:
        assert str(audit(connection).first) == "entries ws_0/r001: messages is 1, must be 2"
    await ledger.close()


async def test_several_nodes_may_do_it_while_requests_go_on(database: Database) -> None:
    stories = [Story(number % 3, number, {0, 1, 2, 3}, Usage(20_000)) for number in range(40)]
    ledger = await told(database, stories)
    before = balances(database)
    other = Database.open(database.url.render_as_string(hide_password=False))

    async def go_on() -> None:
        ledger._now = Clock(MIDDAY + 3 * DAY)
        for number in range(20):
            async with ledger.hold(f"new{number}", who(0), estimate(1)) as hold:
                hold.observe(Usage(1, 1))
            assert_clean(database)

    async with asyncio.TaskGroup() as tasks:
        runs = [tasks.create_task(roll_up(each, LAST, size=3)) for each in (database, other, database)]
        tasks.create_task(go_on())
    assert sum(run.result().entries for run in runs) == 40
    assert count(database, entries) == 20
    assert_clean(database)
    with database.transaction() as connection:
        connection.execute(delete(entries))
        assert connection.scalar(select(func.sum(rollups.c.requests))) == 40
        assert [row for row in usage(connection, "day") if row.name < LAST] == before["day"]
    other.close()
    await ledger.close()


async def test_rows_that_another_node_rolls_up_are_passed_over(postgres_url: str) -> None:
    database = Database.open(postgres_url)
    empty(database)
    ledger = await told(database, [Story(day, 0, {0}, Usage(20_000)) for day in (0, 0, 1)])
    with database.transaction() as first, database.transaction() as second:
        assert roll_page(first, "ws_0", midnight(LAST), size=2).rolled == 2
        assert roll_page(second, "ws_0", midnight(LAST), size=2).rolled == 1
    assert_clean(database)
    assert count(database, entries) == 0
    await ledger.close()
    empty(database)
    database.close()


@pytest.mark.parametrize(("days", "kept"), [(0, 3), (1, 1), (2, 2), (400, 3)])
async def test_the_job_keeps_as_many_days_as_it_is_told(database: Database, days: int, kept: int) -> None:
    ledger = await told(database, [Story(day, 0, {0}, Usage(20_000)) for day in (0, 1, 2)])
    job = Retention(database, days, now=Clock(MIDDAY + 3 * DAY))
    await job.run()
    await job.run()
    assert count(database, entries) == kept
    assert_clean(database)
    await ledger.close()
