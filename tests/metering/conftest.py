from __future__ import annotations

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


@pytest.fixture
def clock() -> Clock:
    return Clock(1_795_348_800.0)


@pytest.fixture
async def ledger(database: Database, clock: Clock) -> AsyncIterator[Ledger]:
    ledger = Ledger(database, now=clock)
    await ledger.start()
    yield ledger
    await ledger.close()
