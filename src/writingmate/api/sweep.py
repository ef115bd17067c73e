"""One timer for all connections of a server."""

from __future__ import annotations

import asyncio
from typing import ClassVar, Final, Protocol, cast
from weakref import WeakKeyDictionary

from uvicorn.server import ServerState

SWEEP_SECONDS: Final = 1.0


class Swept(Protocol):
    """A connection that may have waited for too long."""

    def sweep(self, now: float) -> None:
        """End what takes too long; ``now`` is the event loop's time."""


class Sweep:
    """Calls `Swept.sweep` of every connection each second, and rests while there is none."""

    _all: ClassVar[WeakKeyDictionary[ServerState, Sweep]] = WeakKeyDictionary()

    def __init__(self, state: ServerState, loop: asyncio.AbstractEventLoop) -> None:
        self._connections = state.connections
        self._loop = loop
        self._handle: asyncio.TimerHandle | None = None

    @classmethod
    def of(cls, state: ServerState, loop: asyncio.AbstractEventLoop) -> Sweep:
        """The sweep of a server."""
        sweep = cls._all.get(state)
        if sweep is None:
            sweep = cls._all[state] = cls(state, loop)
        return sweep

    def wake(self) -> None:
        """There is a connection."""
        if self._handle is None:
            self._handle = self._loop.call_later(SWEEP_SECONDS, self._sweep)

    def _sweep(self) -> None:
        self._handle = None
        now = self._loop.time()
        for connection in tuple(self._connections):
            cast("Swept", connection).sweep(now)
        if self._connections:
            self.wake()
