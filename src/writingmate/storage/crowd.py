"""When a commit waits for company: many commands in one cost little more than one."""

from __future__ import annotations

from typing import Final

LINGER_SECONDS: Final = 0.001
RATE: Final = 3000.0
"""Commands a second, two to a request. At fewer, the wait costs requests more than it saves the process."""
WINDOW_SECONDS: Final = 0.02


class Crowd:
    """Whether commands come close together, as `joined` saw them over the last while.

    A lone request never waits: what came before a pause counts for nothing after it.
    """

    __slots__ = ("_count", "_since", "here")

    def __init__(self) -> None:
        self.here = False
        self._count = 0
        self._since = 0.0

    def joined(self, commands: int, now: float) -> None:
        """So many commands have come since the last call; ``now`` is monotonic."""
        self._count += commands
        seconds = now - self._since
        if seconds >= WINDOW_SECONDS:
            self.here = self._count > RATE * seconds
            self._since, self._count = now, 0
