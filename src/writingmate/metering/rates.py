"""Requests a minute: counted from the books themselves over the minute before a request came.

A request counts from when it came, whatever became of it; one that was refused never did. There is no
counter to drift or to restart: the rows of `holds` and `entries` are the log. A node locks the limit's
row in `windows`, which stays at zero, while it counts and decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from writingmate.metering.commands import HoldRow
from writingmate.metering.windows import WindowKey, key
from writingmate.types import Limit, Rate

SECONDS: Final = 60.0
METER: Final = "requests"
PERIOD: Final = "minute"


class Recent(NamedTuple):
    """How many requests came within the last minute, and when the first of them did."""

    requests: int
    oldest: float


NONE: Final = Recent(0, float("inf"))


def rate_keys(limits: Iterable[Limit]) -> list[WindowKey]:
    """The rows that are locked to count requests."""
    return [key(limit.window) for limit in limits if limit.unit == "requests"]


class Rates:
    """The requests of the last minute as one transaction sees them.

    Args:
        counted: by window, as the books say.
        closing: holds that this transaction has deleted and whose entries it has not written yet.
        now: when the request to decide on came, the first of several, in UNIX seconds.
    """

    def __init__(self, counted: Mapping[WindowKey, Recent], closing: Iterable[HoldRow], now: float) -> None:
        self._counted = dict(counted)
        self._now = now
        if self._counted:
            for row in closing:
                self.add(row)

    def refusal(self, limits: Iterable[Limit]) -> Limit | None:
        """The first of ``limits`` that has no room for one more request, None if all have."""
        for limit in limits:
            if limit.unit == "requests" and self._recent(limit).requests >= limit.allowed:
                return limit
        return None

    def add(self, row: HoldRow) -> None:
        """Count a request for whoever sent it."""
        if not self._counted or row.started_at <= self._now - SECONDS:
            return
        for subject in ("workspace", f"user:{row.user_id}", f"key:{row.key_id}"):
            window = (row.workspace_id, subject, METER, PERIOD)
            recent = self._counted.get(window)
            if recent is not None:
                self._counted[window] = Recent(recent.requests + 1, min(recent.oldest, row.started_at))

    def seconds(self, limit: Limit) -> float:
        """Until the oldest request that counts is a minute old, which makes room for one."""
        return max(0.0, min(SECONDS, self._recent(limit).oldest + SECONDS - self._now))

    def rate(self, limits: Iterable[Limit]) -> Rate | None:
        """The state of the tightest limit, for the headers; None where requests are not limited."""
        rates = [
            Rate(limit.allowed, max(0, limit.allowed - self._recent(limit).requests), SECONDS)
            for limit in limits
            if limit.unit == "requests"
        ]
        return min(rates, key=lambda rate: rate.remaining, default=None)

    def _recent(self, limit: Limit) -> Recent:
        return self._counted.get(key(limit.window), NONE)
