"""The counters behind limits, decided upon in memory while the ledger holds their rows locked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from writingmate.types import Limit, Window

# (workspace_id, subject, meter, period): the primary key of a row of `windows`
WindowKey: TypeAlias = tuple[str, str, str, str]


def key(window: Window) -> WindowKey:
    """The row that ``window`` is counted in."""
    return (window.workspace_id, window.subject, window.meter, window.period)


def keys(limits: Iterable[Limit]) -> list[WindowKey]:
    """The rows that messages are held in."""
    return [key(limit.window) for limit in limits if limit.unit == "messages"]


class Counters:
    """Windows as one transaction sees them: what was read, and what has been decided since.

    ``used + held <= allowed`` for every limit that admitted a request; only a settlement of more than
    was held may pass it.
    """

    def __init__(self, rows: Mapping[WindowKey, tuple[int, int]]) -> None:
        self._rows = rows
        self.changes: dict[WindowKey, tuple[int, int]] = {}

    def admit(self, limits: Iterable[Limit], wanted: int, least: int) -> int | Limit:
        """How many messages may be held: ``wanted``, or what is left if that is ``least`` or more.

        Otherwise the first limit that has too little room.
        """
        granted = wanted
        for limit in limits:
            if limit.unit == "messages":
                room = self.left(limit)
                if room < granted:
                    if room < least:
                        return limit
                    granted = room
        return granted

    def hold(self, limits: Iterable[Limit], messages: int) -> None:
        """Set ``messages`` aside in every window."""
        for window in keys(limits):
            self._change(window, 0, messages)

    def settle(self, limits: Iterable[Limit], held: int, used: int) -> None:
        """Turn what was held into what was used, in every window."""
        for window in keys(limits):
            self._change(window, used, -held)

    def room(self, limits: Sequence[Limit]) -> int | None:
        """What the tightest limit still has, never below 0; None where none counts messages."""
        rooms = [max(0, self.left(limit)) for limit in limits if limit.unit == "messages"]
        return min(rooms) if rooms else None

    def left(self, limit: Limit) -> int:
        """What ``limit`` has neither used nor held; below 0 where its window is in debt."""
        return limit.allowed - sum(self.state(key(limit.window)))

    def state(self, window: WindowKey) -> tuple[int, int]:
        """Used and held."""
        used, held = self._rows.get(window, (0, 0))
        more_used, more_held = self.changes.get(window, (0, 0))
        return used + more_used, held + more_held

    def _change(self, window: WindowKey, used: int, held: int) -> None:
        before_used, before_held = self.changes.get(window, (0, 0))
        self.changes[window] = (before_used + used, before_held + held)
