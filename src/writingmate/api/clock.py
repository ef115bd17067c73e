"""The data plane's one timer: everything that waits is looked at now and then.

A timer of its own for each request or stream costs a microsecond whenever something happens; being in
a set costs nothing until the clock ticks.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Protocol


class Watched(Protocol):
    """Something that may have waited for too long: a body that stalls, a stream that is silent."""

    def tick(self, now: float) -> None:
        """Act if it is time; ``now`` is monotonic. Must not wait."""


class Clock:
    """Ticks every ``grain`` seconds between `start` and `stop`, on the running event loop."""

    def __init__(self, grain: float = 0.5) -> None:
        self._grain = grain
        self._watched: set[Watched] = set()
        self._handle: asyncio.TimerHandle | None = None
        self.watch = self._watched.add
        self.forget = self._watched.discard

    def __len__(self) -> int:
        """How many are being watched."""
        return len(self._watched)

    def start(self) -> None:
        """Begin to tick."""
        self._handle = asyncio.get_running_loop().call_later(self._grain, self._again)

    def stop(self) -> None:
        """Tick no more."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def tick(self, now: float | None = None) -> None:
        """Look at everything that waits."""
        now = monotonic() if now is None else now
        for waiting in tuple(self._watched):
            waiting.tick(now)

    def _again(self) -> None:
        self.start()
        self.tick()
