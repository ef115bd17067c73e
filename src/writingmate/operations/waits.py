"""How long a provider asks to be left alone, wherever it says so (WIRE §1.4)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

from writingmate.errors import UpstreamRefused
from writingmate.operations import words

_TOO_MANY: Final = 429
_DELAY: Final = re.compile(rb'"retryDelay"\s*:\s*"(\d{1,9}(?:\.\d{1,9})?)s"')
_SECONDS: Final = re.compile(r"\d{1,9}(?:\.\d{1,9})?")
_INSTANT: Final = re.compile(r"\d{13}")
_TOLD: Final = b"X-RateLimit-Reset"


def asked_wait(error: UpstreamRefused, now: float) -> float | None:
    """Seconds that the provider asks to wait; ``now`` in UNIX seconds.

    Its headers' word, else Google's ``retryDelay`` in the body; of too many requests also when OpenRouter's
    limit is new again, which it says in milliseconds since 1970: in a header, or, where the error came inside
    a 200 or from its free models, in ``metadata.headers``.
    """
    milliseconds = error.headers.get("retry-after-ms", "").strip()
    if _SECONDS.fullmatch(milliseconds):
        return float(milliseconds) / 1000
    after = error.headers.get("retry-after", "").strip()
    if after:
        return _after(after, now)
    if delay := _DELAY.search(error.body):
        return float(delay[1])
    return _reset(error, now) if error.status == _TOO_MANY else None


def _after(after: str, now: float) -> float | None:
    if _SECONDS.fullmatch(after):
        return float(after)
    try:
        return max(0.0, parsedate_to_datetime(after).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def _reset(error: UpstreamRefused, now: float) -> float | None:
    """Of an error's own headers the same counts: some of OpenRouter's are only there."""
    seconds = _until(error.headers, now)
    if seconds is not None or _TOLD not in error.body:
        return seconds
    told = words.metadata(words.members(error.body)).get("headers")
    named = told if isinstance(told, dict) else {}
    return _until({str(name).lower(): str(value) for name, value in named.items()}, now)


def _until(headers: Mapping[str, str], now: float) -> float | None:
    instant = headers.get("x-ratelimit-reset", "").strip()
    return max(0.0, int(instant) / 1000 - now) if _INSTANT.fullmatch(instant) else None
