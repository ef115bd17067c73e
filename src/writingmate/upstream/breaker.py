"""When a route that keeps failing is left alone, and how it comes back.

::

    closed ──failures──▶ open ──its rest is over──▶ half-open (one call, the probe)
       ▲                  ▲                             │
       └───── answers ────┴──────── fails: rests longer ┘

States and times only, no clock and no I/O: the caller says what time it is, in seconds of any steady clock.
"""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

State: TypeAlias = Literal["closed", "open", "half-open"]

IN_A_ROW: Final = 5
"""Failures one after the other that open a breaker."""
FEWEST: Final = 20
SHARE: Final = 0.5
"""Of so many calls or more within `WINDOW`, the share of failures that opens it."""
WINDOW: Final = 10.0
"""Seconds that failures are counted together."""
SHORTEST: Final = 5.0
LONGEST: Final = 60.0
"""Seconds of the first rest and, doubling, of the later ones."""


class Breaker:
    """One route's. ``closed`` is all that a request looks at while the route does well."""

    __slots__ = ("_answers", "_failures", "_in_a_row", "_rest", "_until", "_window", "closed", "probing")

    def __init__(self) -> None:
        self.closed = True
        self.probing = False
        self._answers = 0
        self._failures = 0
        self._in_a_row = 0
        self._window = 0.0
        self._rest = SHORTEST
        self._until = 0.0

    @property
    def state(self) -> State:
        """Its name."""
        if self.closed:
            return "closed"
        return "half-open" if self.probing else "open"

    def allows(self, now: float) -> bool:
        """May the route be called? While it rests no; after that one call may, as the probe.

        A probe of which nothing is heard (its client left) is given up for lost after another rest.
        """
        if self.closed:
            return True
        if now < self._until:
            return False
        self.probing = True
        self._until = now + self._rest
        return True

    def answered(self) -> bool:
        """A call was answered; True if that closed the breaker."""
        self._answers += 1
        self._in_a_row = 0
        if self.closed:
            return False
        self.closed = True
        self.probing = False
        self._rest = SHORTEST
        self._answers = self._failures = 0
        return True

    def failed(self, now: float) -> bool:
        """A call failed; True if that opened the breaker. The probe's failure makes the rest longer."""
        if not self.closed:
            if self.probing:
                self.probing = False
                self._rest = min(LONGEST, self._rest * 2)
                self._until = now + self._rest
            return False
        if now - self._window > WINDOW:
            self._window = now
            self._answers = self._failures = 0
        self._failures += 1
        self._in_a_row += 1
        calls = self._answers + self._failures
        if self._in_a_row < IN_A_ROW and (calls < FEWEST or self._failures < SHARE * calls):
            return False
        self._open(now + self._rest)
        return True

    def rest(self, seconds: float, now: float) -> bool:
        """Leave the route alone for so long, at most `LONGEST`; True if that opened the breaker."""
        was_closed = self.closed
        self._open(max(self._until, now + min(seconds, LONGEST)))
        return was_closed

    def _open(self, until: float) -> None:
        self.closed = self.probing = False
        self._in_a_row = 0
        self._until = until
