"""How many calls there may be beyond the first of each request: a share of the traffic, and a small floor."""

from __future__ import annotations

from typing import Final

SHARE: Final = 0.2
"""Further calls that each request pays in."""
PER_SECOND: Final = 0.5
"""Further calls that each second pays in, so that a lone request can be repeated too."""
MOST: Final = 20.0
"""Further calls that are saved up; a new budget has them."""


class Budget:
    """A bucket of tokens, one for each further call. ``now`` is seconds of any steady clock.

    Of ``n`` requests in ``s`` seconds at most ``n * SHARE + s * PER_SECOND + MOST`` further calls come.
    """

    __slots__ = ("_since", "tokens")

    def __init__(self) -> None:
        self.tokens = MOST
        self._since: float | None = None

    def request(self) -> None:
        """A request came."""
        self.tokens += SHARE

    def spend(self, now: float) -> bool:
        """Take the token of one further call; False if there is none."""
        if self._since is not None:
            self.tokens += max(0.0, now - self._since) * PER_SECOND
        self._since = now
        self.tokens = min(self.tokens, MOST)
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def give_back(self) -> None:
        """What was spent is not used after all."""
        self.tokens += 1
