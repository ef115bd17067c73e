from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator

import pytest

from writingmate.metering.ledger import Ledger
from writingmate.storage.engine import Database


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Steps:
    """Lets a test wait for a labelled step of a ledger's writing."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._passed: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def __call__(self, label: str) -> None:
        self._loop.call_soon_threadsafe(self._passed[label].set)

    async def next(self, label: str) -> None:
        self._passed[label].clear()
        await asyncio.wait_for(self._passed[label].wait(), 10)


@pytest.fixture
async def steps() -> Steps:
    return Steps()


@pytest.fixture
def clock() -> Clock:
    return Clock(1_795_348_800.0)


@pytest.fixture
async def ledger(database: Database, clock: Clock) -> AsyncIterator[Ledger]:
    ledger = Ledger(database, now=clock)
    await ledger.start()
    yield ledger
    await ledger.close()
