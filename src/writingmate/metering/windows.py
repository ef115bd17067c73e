"""The counters behind limits, decided upon in memory while the ledger holds their rows locked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeAlias

from writingmate.errors import LimitReached
from writingmate.types import Limit, Window

# (workspace_id, subject, meter, period): the primary key of a row of `windows`
WindowKey: TypeAlias = tuple[str, str, str, str]


def key(window: Window) -> WindowKey:
    """The row that ``window`` is counted in."""
    return (window.workspace_id, window.subject, window.meter, window.period)


class Counters:
    """Windows as one transaction sees them: what was read, and what has been decided since.

    ``used + held <= allowed`` for every limit that admitted a request; only a settlement of more than
    was held may pass it.
    """

    def __init__(self, rows: Mapping[WindowKey, tuple[int, int]]) -> None:
        self._rows = rows
        self.changes: dict[WindowKey, tuple[int, int]] = {}

    def refusal(self, limits: Iterable[Limit], messages: int) -> Limit | None:
        """The first of ``limits`` that has no room for ``messages`` more, None if all have."""
        for limit in limits:
            if messages > limit.allowed - self._taken(key(limit.window)):
                return limit
        return None

    def hold(self, keys: Iterable[WindowKey], messages: int) -> None:
        """Set ``messages`` aside in every window."""
        for window in keys:
            self._change(window, 0, messages)

    def settle(self, keys: Iterable[WindowKey], held: int, used: int) -> None:
        """Turn what was held into what was used, in every window."""
        for window in keys:
            self._change(window, used, -held)

    def room(self, limits: Sequence[Limit]) -> int | None:
        """What the tightest limit still has, never below 0; None without limits."""
        if not limits:
            return None
        return min(max(0, limit.allowed - self._taken(key(limit.window))) for limit in limits)

    def state(self, window: WindowKey) -> tuple[int, int]:
        """Used and held."""
        used, held = self._rows.get(window, (0, 0))
        more_used, more_held = self.changes.get(window, (0, 0))
        return used + more_used, held + more_held

    def _taken(self, window: WindowKey) -> int:
        return sum(self.state(window))

    def _change(self, window: WindowKey, used: int, held: int) -> None:
        before_used, before_held = self.changes.get(window, (0, 0))
        self.changes[window] = (before_used + used, before_held + held)


def limit_reached(limit: Limit, state: tuple[int, int], messages: int, now: float) -> LimitReached:
    """The refusal by ``limit`` (PRODUCT §1): which, how full, and when it helps to come back."""
    used, held = state
    under_way = f", {held} held by requests under way" if held else ""
    headers = {"x-should-retry": "false"}
    reset = "It does not reset."
    if limit.resets_at is not None:
        headers["retry-after"] = str(max(1, math.ceil(limit.resets_at - now)))
        reset = f"It resets at {datetime.fromtimestamp(limit.resets_at, UTC):%Y-%m-%d %H:%M:%S} UTC."
    return LimitReached(
        f"This request may need {messages} message{'' if messages == 1 else 's'}, more than is left of the "
        f"limit of {limit.allowed} on {limit.window.meter} for this {_whose(limit.window)} "
        f"({used} used{under_way}). {reset}",
        code=limit.code,
        headers=headers,
    )


def _whose(window: Window) -> str:
    return window.subject.partition(":")[0]
