"""What a caller is told when a limit has no room (PRODUCT §1): which, how full, when, and what helps."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from writingmate.errors import LimitReached, RateLimited
from writingmate.types import Limit


def limit_reached(limit: Limit, state: tuple[int, int], messages: int, now: float) -> LimitReached:
    """The refusal by ``limit``, whose window is in ``state`` (used, held), of ``messages`` more."""
    used, held = state
    under_way = f", {held} held by requests under way" if held else ""
    headers = {"x-should-retry": "false"}
    reset = "It does not reset."
    if limit.resets_at is not None:
        headers["retry-after"] = str(max(1, math.ceil(limit.resets_at - now)))
        reset = f"It resets at {datetime.fromtimestamp(limit.resets_at, UTC):%Y-%m-%d %H:%M:%S} UTC."
    full = (
        f"This request may need {messages} message{'' if messages == 1 else 's'}, more than is left of the "
        f"limit of {limit.allowed} on {limit.window.meter} for this {_whose(limit)} "
        f"({used} used{under_way})."
    )
    return LimitReached(" ".join(filter(None, (full, reset, limit.advice))), code=limit.code, headers=headers)


def rate_limited(limit: Limit, seconds: float) -> RateLimited:
    """The refusal of one request more; there is room again in ``seconds``."""
    wait = max(1, math.ceil(seconds))
    return RateLimited(
        f"Rate limit reached for this {_whose(limit)}: {limit.allowed} requests a minute. "
        f"Try again in {wait} second{'' if wait == 1 else 's'}.",
        headers={
            "retry-after": str(wait),
            "x-ratelimit-limit-requests": str(limit.allowed),
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "1m0s",
        },
    )


def _whose(limit: Limit) -> str:
    return {"user": "member"}.get(kind := limit.window.subject.partition(":")[0], kind)
