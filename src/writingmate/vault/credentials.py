"""Users' own keys, opened and remembered as long as nothing changes."""

from __future__ import annotations

import asyncio
from functools import partial

from writingmate.storage.engine import Database
from writingmate.vault import store
from writingmate.vault.box import Box

REMEMBERED = 10_000


class Credentials:
    """The users' opened keys in memory; one a process, used from its event loop.

    What is remembered belongs to one identity revision and is forgotten with it: a key that was
    removed or replaced is not used by whoever learns of the change.
    """

    def __init__(self, database: Database, box: Box, *, remembered: int = REMEMBERED) -> None:
        self._database = database
        self._box = box
        self._remembered = remembered
        self._revision = -1
        self._opened: dict[str, str | None] = {}
        self._flights: dict[tuple[str, int], asyncio.Task[str | None]] = {}

    async def own(self, user_id: str, revision: int) -> str | None:
        """The user's OpenRouter key as it is at ``revision`` (the principal's) or later; None for none.

        Raises:
            Sealed: it is stored and does not open.
            Unavailable: the database is out of reach.
        """
        if revision == self._revision and user_id in self._opened:
            return self._opened[user_id]
        slot = (user_id, revision)
        flight = self._flights.get(slot)
        if flight is None:
            flight = asyncio.create_task(self._read(user_id))
            self._flights[slot] = flight
            flight.add_done_callback(partial(self._landed, slot))
        return await asyncio.shield(flight)

    async def _read(self, user_id: str) -> str | None:
        query = partial(store.get_and_revision, box=self._box, user_id=user_id)
        key, revision = await self._database.read(query)
        if revision > self._revision:
            self._revision = revision
            self._opened.clear()
        if revision == self._revision:
            if len(self._opened) >= self._remembered:
                del self._opened[next(iter(self._opened))]
            self._opened[user_id] = key
        return key

    def _landed(self, slot: tuple[str, int], flight: asyncio.Task[str | None]) -> None:
        del self._flights[slot]
        if not flight.cancelled():
            flight.exception()  # whoever waited for it may have left
