"""Which failures are worth another call, on the same route or the next, and what they say of the route."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from writingmate.errors import (
    UpstreamError,
    UpstreamNotReady,
    UpstreamRefused,
    UpstreamTimeout,
)
from writingmate.operations.failures import is_moderation, is_passing, refuses_key
from writingmate.operations.waits import asked_wait

SHORT: Final = 2.0
"""Seconds that a request waits for the same route because the provider asks for it."""
KEY_REST: Final = 60.0
"""Seconds that a route rests whose provider refuses the operator's key, or has no credit for it."""

_KEY: Final = frozenset({401, 402, 403})
_REQUEST_TIMEOUT: Final = 408
_TOO_MANY: Final = 429
_OUR_SIDE: Final = 400
_THEIR_SIDE: Final = 500
_NO_QUOTA: Final = b"insufficient_quota"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to make of one failure.

    ``again`` says where another call may help: on the ``same`` route or else the ``next``, on the
    ``next`` only, or ``nowhere``, since the caller is at fault. ``wait`` is how many seconds the
    provider asked for. ``route`` is what it says of the route: that it ``failed``, that it
    ``answered``, ``nothing``, or that it should ``rest`` for so many seconds.
    """

    again: Literal["same", "next", "nowhere"]
    route: Literal["failed", "answered", "rest", "nothing"]
    wait: float | None = None
    rest: float = 0.0


_SAME: Final = Verdict("same", "failed")
_NEXT: Final = Verdict("next", "failed")
_NOT_READY: Final = Verdict("next", "nothing")
_OWN_MISTAKE: Final = Verdict("nowhere", "answered")
_KEY_REFUSED: Final = Verdict("next", "rest", rest=KEY_REST)


def verdict(error: UpstreamError, now: float) -> Verdict:
    """Judge a failure that came before anything was sent to the client; ``now`` in UNIX seconds."""
    match error:
        case UpstreamRefused():
            return _refused(error, now)
        case UpstreamNotReady():
            return _NOT_READY
        case UpstreamTimeout():
            return _NEXT
        case _:
            return _SAME


def _refused(error: UpstreamRefused, now: float) -> Verdict:
    status = error.status
    if status in _KEY:
        if is_passing(error):
            return _patient(asked_wait(error, now), "nothing")
        return _OWN_MISTAKE if is_moderation(error) else _KEY_REFUSED
    if status == _TOO_MANY:
        return _KEY_REFUSED if _NO_QUOTA in error.body else _patient(asked_wait(error, now), "nothing")
    if status == _REQUEST_TIMEOUT or status >= _THEIR_SIDE:
        return _patient(asked_wait(error, now), "failed")
    if refuses_key(error):
        return _KEY_REFUSED
    return _NEXT if status < _OUR_SIDE else _OWN_MISTAKE


def _patient(wait: float | None, route: Literal["failed", "nothing"]) -> Verdict:
    """The same route after a short wait; where a long one is asked for, the route rests as long."""
    if wait is None or wait <= SHORT:
        return Verdict("same", route, wait)
    return Verdict("next", "rest", wait, wait)
