"""Who gets a connection when there are none to spare, down to the moment of a cancellation."""

from __future__ import annotations

import asyncio

import pytest

from tests.upstream.calls import until
from tests.upstream.line import Wire
from writingmate.errors import UpstreamBroken, UpstreamTimeout
from writingmate.upstream.connection import Connection
from writingmate.upstream.pool import Pool, Tls
from writingmate.upstream.request import Origin
from writingmate.upstream.sweep import Sweep


class Dialled(Pool):
    """A pool whose connections lead nowhere; ``answered`` is when they are made."""

    def __init__(self, size: int) -> None:
        super().__init__(Origin("http", "a", 80), Tls(), Sweep(), size=size, idle_seconds=30.0)
        self.wires: list[Wire] = []
        self.stuck = False

    async def _open(self, connection: Connection) -> None:
        self.wires.append(Wire())
        connection.connection_made(self.wires[-1])
        if self.stuck:
            await asyncio.Event().wait()


async def _queue(pool: Dialled, count: int) -> tuple[Connection, list[asyncio.Task[Connection]]]:
    """The only connection, in use, and tasks that wait for it."""
    used = await pool.connect(10)
    tasks = [asyncio.create_task(pool.connect(10)) for _ in range(count)]
    await until(lambda: len(pool._waiting) == count)
    return used, tasks


async def test_a_connection_is_handed_over() -> None:
    pool = Dialled(1)
    used, [first, second] = await _queue(pool, 2)
    pool.rested(used)
    assert await first is used
    pool.rested(used)
    assert await second is used
    pool.rested(used)
    assert (pool.take(), pool.take(), pool.count) == (used, None, 1)


async def test_a_lost_connection_is_made_anew() -> None:
    pool = Dialled(1)
    used, [first] = await _queue(pool, 1)
    pool.lost(used)
    assert await first is not used
    assert (pool.count, len(pool.wires)) == (1, 2)


async def test_who_gives_up_waiting_is_forgotten() -> None:
    pool = Dialled(1)
    _, tasks = await _queue(pool, 3)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert not pool._waiting


async def test_a_connection_handed_to_somebody_just_cancelled_is_passed_on() -> None:
    pool = Dialled(1)
    used, [first, second] = await _queue(pool, 2)
    pool.rested(used)
    first.cancel()
    assert await second is used
    pool.rested(used)
    third = asyncio.create_task(pool.connect(10))
    await until(lambda: bool(pool._waiting))
    assert pool.take() is used
    pool.rested(used)
    third.cancel()
    await asyncio.gather(third, return_exceptions=True)
    assert pool.take() is used


async def test_a_place_given_to_somebody_just_cancelled_is_passed_on() -> None:
    pool = Dialled(1)
    used, [first, second] = await _queue(pool, 2)
    pool.lost(used)
    first.cancel()
    assert await second is not used
    assert pool.count == 1


async def test_a_connection_that_dies_while_it_is_handed_over() -> None:
    pool = Dialled(1)
    used, [first] = await _queue(pool, 1)
    pool.rested(used)
    pool.wires[0].closing = True
    pool.lost(used)
    assert await first is not used
    assert pool.count == 1


async def test_a_closing_connection_is_neither_passed_on_nor_taken() -> None:
    pool = Dialled(1)
    used, [first] = await _queue(pool, 1)
    pool.rested(used)
    pool.wires[0].closing = True
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    assert pool.take() is None
    pool.rested(used)
    assert pool.take() is None


async def test_a_lost_connection_is_forgotten() -> None:
    pool = Dialled(1)
    used = await pool.connect(10)
    pool.rested(used)
    pool.lost(used)
    assert (pool.count, pool._resting, pool._sweep.connections) == (0, {}, set())


async def test_cancelled_with_the_connection_just_made() -> None:
    pool = Dialled(1)
    pool.stuck = True
    task = asyncio.create_task(pool.connect(10))
    await until(lambda: bool(pool.wires))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (task.cancelled(), pool.wires[0].closing) == (True, True)


async def test_closing_while_a_limit_runs_out() -> None:
    pool = Dialled(1)
    await pool.connect(10)
    late = asyncio.create_task(pool.connect(0.001))
    waiting = asyncio.create_task(pool.connect(10))
    await until(lambda: any(deadline.expired() for deadline in pool._dialling))
    pool.close()
    with pytest.raises((UpstreamTimeout, UpstreamBroken)):
        await late
    with pytest.raises(UpstreamBroken):
        await waiting
