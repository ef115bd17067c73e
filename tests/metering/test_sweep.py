from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import delete, insert, select, update

from tests.databases import empty
from tests.metering.conftest import Clock, Steps
from tests.metering.examples import (
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
from writingmate.metering.books import Answer
from writingmate.metering.hold import Hold
from writingmate.metering.ledger import Ledger
from writingmate.metering.sweep import PAGE
from writingmate.storage.engine import Database
from writingmate.storage.tables import nodes
from writingmate.types import Estimate, Usage

LIMIT = limit(1_000)


@pytest.fixture
async def other(database: Database, clock: Clock) -> AsyncIterator[Ledger]:
    """A node that dies, or seems to."""
    other = Ledger(database, now=clock, lease_seconds=30.0)
    await other.start()
    yield other
    await other.close()


async def opened(ledger: Ledger, request_id: str, estimate: Estimate) -> Hold:
    return await ledger.hold(request_id, principal(), estimate).__aenter__()


async def beat_of(database: Database, ledger: Ledger) -> float | None:
    with database.reading() as connection:
        return connection.scalar(select(nodes.c.heartbeat_at).where(nodes.c.node_id == ledger.node_id))


async def test_a_dead_node_is_charged_its_prompts(database: Database, ledger: Ledger, other: Ledger) -> None:
    await opened(other, "long", estimate(5, LIMIT, completion=40_000))
    await opened(other, "short", estimate(3, LIMIT, completion=47_999))
    assert window(database, LIMIT) == (0, 8)
    end_leases(database)
    assert await ledger.sweep() == 2
    assert settled(database) == {"long": (3, "estimated interrupted"), "short": (1, "estimated interrupted")}
    assert window(database, LIMIT) == (4, 0)
    assert_clean(database)


async def test_a_living_node_keeps_its_holds(database: Database, ledger: Ledger, other: Ledger) -> None:
    hold = await opened(other, "r1", estimate(1, LIMIT))
    assert await ledger.sweep() == 0
    assert held(database) == {"r1"}
    hold.observe(Usage(1, 1))
    assert (await hold.settle()).flags == set()


async def test_a_node_nobody_knows_is_dead(database: Database, ledger: Ledger, other: Ledger) -> None:
    await opened(other, "r1", estimate(1))
    with database.transaction() as connection:
        connection.execute(delete(nodes).where(nodes.c.node_id == other.node_id))
    assert await ledger.sweep() == 1
    assert settled(database) == {"r1": (1, "estimated interrupted")}


async def test_a_sweep_forgets_dead_nodes_but_never_itself(
    database: Database, ledger: Ledger, other: Ledger
) -> None:
    await opened(other, "r1", estimate(1))
    end_leases(database)
    await ledger.sweep()  # its own lease was over too
    with database.reading() as connection:
        left = set(connection.scalars(select(nodes.c.node_id)))
    assert other.node_id not in left
    assert held(database) == set()


async def test_a_node_that_was_forgotten_registers_again(
    database: Database, ledger: Ledger, other: Ledger, clock: Clock
) -> None:
    with database.transaction() as connection:
        connection.execute(delete(nodes).where(nodes.c.node_id == other.node_id))
    clock.now += 16  # more than half of its lease without a beat
    hold = await opened(other, "r1", estimate(1))
    assert await beat_of(database, other) is not None
    assert await ledger.sweep() == 0
    hold.observe(Usage(1, 1))
    await hold.settle()


async def test_a_start_sweeps(database: Database, clock: Clock) -> None:
    dying = Ledger(database, now=clock)
    await dying.start()
    await opened(dying, "r1", estimate(1))
    await dying.close()
    with database.transaction() as connection:
        connection.execute(update(nodes).where(nodes.c.node_id == dying.node_id).values(heartbeat_at=0.0))
    restarted = Ledger(database, now=clock)
    await restarted.start()
    assert settled(database) == {"r1": (1, "estimated interrupted")}
    await restarted.close()


async def test_sqlite_leases_go_by_the_clock_of_the_machine(sqlite_file_url: str, clock: Clock) -> None:
    database = Database.open(sqlite_file_url)
    dying, living = (Ledger(database, now=clock, lease_seconds=30.0) for _ in range(2))
    await dying.start()
    await living.start()
    await opened(dying, "r1", estimate(1))
    clock.now += 29.9
    assert await living.sweep() == 0
    clock.now += 0.2
    assert await living.sweep() == 1
    await dying.close()
    await living.close()
    database.close()


async def test_postgresql_leases_go_by_the_database_clock(postgres_url: str, clock: Clock) -> None:
    empty(postgres_url)
    database = Database.open(postgres_url)
    clock.now = 5.0  # a node whose own clock is wrong
    ledger = Ledger(database, now=clock)
    await ledger.start()
    hold = await opened(ledger, "r1", estimate(1))
    assert (await beat_of(database, ledger) or 0) > 1_700_000_000
    assert await ledger.sweep() == 0
    await hold.settle()
    await ledger.close()
    database.close()


async def test_a_node_beats_and_sweeps_by_itself(database: Database, steps: Steps) -> None:
    living = Ledger(database, lease_seconds=0.03, step=steps)
    await living.start()
    first = await beat_of(database, living)
    dead = {"node_id": "dead", "started_at": 0, "heartbeat_at": 0, "lease_seconds": 1}
    with database.transaction() as connection:
        connection.execute(insert(nodes), dead)
    await steps.next("beat.after_commit")
    await steps.next("sweep.after_commit")
    assert await beat_of(database, living) != first
    assert count(database, nodes) == 1
    await living.close()


async def test_more_than_a_page_is_settled_in_pages(
    database: Database, ledger: Ledger, other: Ledger
) -> None:
    requests = 2 * PAGE + 3
    await asyncio.gather(*(opened(other, f"r{n}", estimate(1, LIMIT)) for n in range(requests)))
    end_leases(database)
    assert await ledger.sweep() == requests
    assert window(database, LIMIT) == (requests, 0)
    assert_clean(database)


async def test_any_number_of_sweepers_settle_each_hold_once(
    database: Database, database_url: str, other: Ledger, clock: Clock
) -> None:
    requests = 300
    holds = await asyncio.gather(
        *(opened(other, f"r{number}", estimate(1, LIMIT)) for number in range(requests))
    )
    end_leases(database)
    databases = [Database.open(database_url) for _ in range(3)]
    sweepers = [Ledger(database, now=clock) for database in databases]
    for hold in holds:
        hold.observe(Usage(1, 1))
    results = await asyncio.gather(
        *(sweeper.start() for sweeper in sweepers),  # each sweeps
        *(hold.settle() for hold in holds),
        return_exceptions=True,
    )
    assert not [result for result in results if isinstance(result, BaseException)]
    assert held(database) == set()
    assert len(settled(database)) == requests
    assert window(database, LIMIT) == (requests, 0)
    for sweeper in sweepers:
        await sweeper.close()
    for opened_database in databases:
        opened_database.close()
    assert_clean(database)


async def test_nodes_that_lock_many_windows_never_deadlock(
    database: Database, database_url: str, ledger: Ledger, clock: Clock
) -> None:
    second_database = Database.open(database_url)
    second = Ledger(second_database, now=clock)
    await second.start()
    limits = [limit(10_000, meter=f"messages:{number}") for number in range(6)]

    async def run(node: Ledger, name: str, turn: int) -> None:
        for number in range(20):
            turned = {(number * 5 + turn * step) % 6: None for step in (0, 1, 2)}
            chosen = [limits[each] for each in turned]
            async with node.hold(f"{name}-{turn}-{number}", principal(), estimate(1, *chosen)) as hold:
                hold.observe(Usage(1, 1))

    await asyncio.gather(
        *(run(ledger, "a", turn) for turn in range(8)), *(run(second, "b", turn) for turn in range(8))
    )
    await second.close()
    second_database.close()
    assert len(settled(database)) == 320
    assert_clean(database)


async def test_beats_go_on_after_an_outage(database: Database, steps: Steps) -> None:
    failed = asyncio.Event()
    living = Ledger(database, lease_seconds=0.02, step=steps)
    await living.start()
    writer = living._writer
    assert writer is not None
    apply, loop = writer._apply, asyncio.get_running_loop()

    def broken(*_: object) -> list[Answer]:
        loop.call_soon_threadsafe(failed.set)
        raise sqlite3.OperationalError("gone")

    writer._out_of_reach = (sqlite3.OperationalError,)
    writer._apply = broken
    await asyncio.wait_for(failed.wait(), 10)
    writer._apply = apply
    await steps.next("beat.after_commit")
    await living.close()


async def test_beats_go_on_after_a_bug(database: Database, steps: Steps) -> None:
    failed = asyncio.Event()
    living = Ledger(database, lease_seconds=0.02, step=steps)
    await living.start()
    writer = living._writer
    assert writer is not None
    apply, loop = writer._apply, asyncio.get_running_loop()

    def broken(*_: object) -> list[Answer]:
        loop.call_soon_threadsafe(failed.set)
        raise ZeroDivisionError

    writer._apply = broken
    await asyncio.wait_for(failed.wait(), 10)
    writer._apply = apply
    await steps.next("beat.after_commit")
    await living.close()
