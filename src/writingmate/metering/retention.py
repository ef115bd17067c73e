"""How long entries are kept one by one: rolling up those that are older, beside requests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from sqlalchemy import Connection

from writingmate.metering.commands import utc_day
from writingmate.metering.rollup import (
    START,
    Place,
    closed_windows,
    drop_windows,
    roll_page,
    workspaces_before,
)
from writingmate.metering.scan import PAGE
from writingmate.metering.usage import midnight
from writingmate.metering.windows import WindowKey
from writingmate.storage.engine import Database
from writingmate.telemetry import log

SECONDS: Final = 3_600.0  # between two runs of the job

T = TypeVar("T")

_DAY: Final = 86_400


@dataclass(slots=True)
class RolledUp:
    """What one run did: entries made into sums, entries left because they are wrong, windows dropped."""

    entries: int = 0
    left: int = 0
    windows: int = 0


class Retention:
    """Rolls up entries of requests that began more than so many days ago; use `run` as a job.

    Args:
        database: whose books.
        days: whole UTC days, today not counted; 0 keeps entries for ever.
        now: UNIX seconds, for tests.
    """

    def __init__(self, database: Database, days: int, *, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._days = days
        self._now = now

    async def run(self) -> None:
        """One round. Raises Unavailable where the database is out of reach; the next round goes on."""
        if self._days == 0:
            return
        done = await roll_up(self._database, oldest_kept(self._days, self._now()))
        if done.entries or done.left:
            log.event("entries_rolled_up", entries=done.entries, left=done.left, windows=done.windows)


def oldest_kept(days: int, now: float) -> str:
    """The first UTC day whose entries are still kept."""
    return utc_day(now - days * _DAY)


async def roll_up(database: Database, before: str, *, size: int = PAGE) -> RolledUp:
    """Roll up the entries of all days before ``before``, and drop the windows of those days.

    ``before`` is an ISO date no later than yesterday (`oldest_kept` of 1 day): requests a minute are
    counted from entries, and what began in the last second before midnight is held a little later.
    A transaction takes ``size`` entries; between two, the next run may go on as well as this one.
    """
    done = RolledUp()
    second = midnight(before)
    for workspace_id in await database.read(partial(workspaces_before, second=second)):
        place: Place | None = START
        while place is not None:
            rolling = partial(roll_page, workspace_id=workspace_id, second=second, after=place, size=size)
            page = await _unhurried(database, rolling)
            done.entries += page.rolled
            done.left += page.left
            place = page.after
    done.windows = await _drop(database, before)
    return done


async def _drop(database: Database, day: str) -> int:
    dropped = 0
    after: WindowKey | None = None
    while True:
        keys = await database.read(partial(closed_windows, day=day, after=after))
        if keys:
            dropped += await _unhurried(database, partial(drop_windows, keys=keys))
        if len(keys) < PAGE:
            return dropped
        after = keys[-1]


async def _unhurried(database: Database, change: Callable[[Connection], T]) -> T:
    """A transaction, and as long a pause: at least half of the time is the ledger's."""
    began = time.monotonic()
    result = await database.write(change)
    await asyncio.sleep(time.monotonic() - began)
    return result
