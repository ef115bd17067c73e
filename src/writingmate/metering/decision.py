"""Whether a request is admitted, given what its limits have counted: all of them hold it or none."""

from __future__ import annotations

from collections.abc import Sequence

from writingmate.errors import LimitReached, RateLimited
from writingmate.metering.counting import MESSAGE_TOKENS, messages_of
from writingmate.metering.rates import Rates
from writingmate.metering.refusals import limit_reached, rate_limited
from writingmate.metering.windows import Counters, key
from writingmate.types import Admission, Limit


def decide(  # what is asked for, and what it is asked of
    limits: Sequence[Limit],
    counters: Counters,
    rates: Rates,
    *,
    prompt_tokens: int,
    completion_tokens: int,
    least: int,
    now: float,
) -> Admission | LimitReached | RateLimited:
    """What a request of so many tokens gets, or why it gets nothing; nothing is changed.

    ``least`` is how many messages will do where there is no room for all; 0 where only all will.
    """
    wanted = messages_of(prompt_tokens + completion_tokens)
    granted = counters.admit(limits, wanted, least or wanted)
    if isinstance(granted, Limit):
        return limit_reached(granted, counters.state(key(granted.window)), least or wanted, now)
    refusing = rates.refusal(limits)
    if refusing is not None:
        return rate_limited(refusing, rates.seconds(refusing))
    room = granted * MESSAGE_TOKENS - prompt_tokens
    return Admission(granted, min(completion_tokens, room))
