"""One timer for all waiting: a timer per read would cost more than the read."""

from __future__ import annotations

import asyncio
from math import inf

from writingmate.upstream.base import Timeouts
from writingmate.upstream.connection import Connection

# Seconds between two passes: a quarter of the shortest limit, between these.
SHORTEST = 0.005
LONGEST = 1.0


class Sweep:
    """Passes over all connections, each of which knows how long it may wait.

    A limit is kept to within two passes, and never cut short. Without connections it stops.
    """

    def __init__(self) -> None:
        self.connections: set[Connection] = set()
        self._shortest = inf
        self._timer: asyncio.TimerHandle | None = None
        self._emptied: asyncio.Future[None] | None = None

    def remove(self, connection: Connection) -> None:
        """It is closed."""
        self.connections.discard(connection)
        if not self.connections and self._emptied is not None and not self._emptied.done():
            self._emptied.set_result(None)

    async def emptied(self) -> None:
        """Wait until all connections are closed, and pass no more."""
        if self.connections:
            self._emptied = asyncio.get_running_loop().create_future()
            await self._emptied
        self.stop()

    def watch(self, timeouts: Timeouts) -> None:
        """A call begins to wait: pass often enough for it."""
        if timeouts.first < self._shortest or timeouts.idle < self._shortest:
            self._shortest = min(timeouts.first, timeouts.idle)
            self._schedule()

    def stop(self) -> None:
        """Pass no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._shortest = inf

    def _schedule(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        period = min(LONGEST, max(SHORTEST, self._shortest / 4))
        self._timer = asyncio.get_running_loop().call_later(period, self._pass)

    def _pass(self) -> None:
        now = asyncio.get_running_loop().time()
        for connection in tuple(self.connections):
            connection.tick(now)
        self._shortest = min((connection.limit for connection in self.connections), default=inf)
        if self._shortest == inf:
            self.stop()
        else:
            self._schedule()
