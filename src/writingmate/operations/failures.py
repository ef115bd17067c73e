"""What a caller is told when a provider fails (PRODUCT §1 "Errors", WIRE §2.3).

A provider's 400, 404, 413, 422 and 429 are the caller's own mistake and keep their status and
words, cleaned; its refusal of the operator's key and its own troubles are ours to answer for.
"""

from __future__ import annotations

from typing import Any

import msgspec

from writingmate.errors import (
    ApiError,
    BadGateway,
    GatewayTimeout,
    ProviderRefusal,
    Unavailable,
    UpstreamError,
    UpstreamNotReady,
    UpstreamRefused,
    UpstreamTimeout,
)
from writingmate.redaction import clean

TOO_MANY = 429
CALLERS_OWN = frozenset({400, 404, 409, 413, 415, 422, TOO_MANY})
LONGEST_WORD = 100

_UNAVAILABLE = "The provider of this model is unavailable. Try again, or choose another model."
_TIMED_OUT = "The provider of this model took too long to answer. Try again, or choose another model."
_REFUSED_US = "The provider of this model refused this server's credentials. Ask the operator to check them."
_NO_WORDS = "The provider of this model refused the request."


def as_answer(error: UpstreamError) -> ApiError:
    """Turn a provider's failure into what the caller gets; nothing of `error.detail` is in it."""
    match error:
        case UpstreamRefused():
            return _refusal(error)
        case UpstreamNotReady():
            return Unavailable(error.message, headers={"retry-after": str(error.retry_after)})
        case UpstreamTimeout():
            return GatewayTimeout(_TIMED_OUT)
        case _:
            return BadGateway(_UNAVAILABLE)


def _refusal(error: UpstreamRefused) -> ApiError:
    if error.status in CALLERS_OWN:
        return _cleaned(error)
    if error.status in {401, 402, 403}:
        return BadGateway(_REFUSED_US)
    if error.status in {408, 504}:
        return GatewayTimeout(_TIMED_OUT)
    return BadGateway(_UNAVAILABLE)


def _cleaned(error: UpstreamRefused) -> ApiError:
    words = _words(error.body)
    limited = error.status == TOO_MANY
    answer = ProviderRefusal(
        error.status,
        "rate_limit_error" if limited else "invalid_request_error",
        clean(_text(words.get("message")) or _NO_WORDS),
        param=_word(words.get("param")),
        code=_word(words.get("code")) or ("rate_limit_exceeded" if limited else None),
    )
    if after := error.headers.get("retry-after"):
        answer.headers["retry-after"] = after
    return answer


def _words(body: bytes) -> dict[str, Any]:
    """The members of the provider's ``error``: an object, a bare string, or nothing we can read."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return {}
    error = document.get("error", document) if isinstance(document, dict) else document
    if isinstance(error, str):
        return {"message": error}
    return error if isinstance(error, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _word(value: object) -> str | None:
    """Codes are strings on our wire, though some providers send numbers (WIRE §2.1)."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return None
    return clean(str(value))[:LONGEST_WORD]
