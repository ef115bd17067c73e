"""What a caller is told when a provider fails (PRODUCT §1 "Errors", WIRE §2.3).

A provider's 400, 404, 413, 422 and 429 are the caller's own mistake and keep their status and
words, cleaned; its refusal of the operator's key and its own troubles are ours to answer for. Its
refusal of a key that the caller brought is the caller's to mend.
"""

from __future__ import annotations

import re
from math import ceil
from typing import Any

import msgspec

from writingmate.errors import (
    ApiError,
    BadGateway,
    GatewayTimeout,
    PermissionDenied,
    ProviderRefusal,
    Unauthenticated,
    Unavailable,
    UpstreamError,
    UpstreamNotReady,
    UpstreamRefused,
    UpstreamTimeout,
)
from writingmate.redaction import KEY, clean

BAD_REQUEST = 400
NO_CREDITS = 402
FORBIDDEN = 403
TOO_MANY = 429
CALLERS_OWN = frozenset({400, 404, 409, 413, 415, 422, TOO_MANY})
LONGEST_WORD = 100

_UNAVAILABLE = "The provider of this model is unavailable. Try again, or choose another model."
_TIMED_OUT = "The provider of this model took too long to answer. Try again, or choose another model."
_REFUSED_US = "The provider of this model refused this server's credentials. Ask the operator to check them."
#: Anthropic's words for it, and Google's, which have no codes.
_TOO_LONG = ("prompt is too long", "exceed context limit", "exceeds the maximum number of tokens allowed")
_NOT_HERE = "User location is not supported"  # Google's 400 about where this server is
_DELAY = re.compile(rb'"retryDelay"\s*:\s*"(\d{1,9}(?:\.\d{1,9})?)s"')
_NO_MONEY = "credit balance is too low"  # Anthropic's 400 about the operator's account
_NO_WORDS = "The provider of this model refused the request."
_INSTEAD = "or remove it to go on without (writingmate openrouter-key remove)."
_OWN_REFUSED = f"OpenRouter refused your own key. Set another (writingmate openrouter-key set), {_INSTEAD}"
_OWN_EMPTY = (
    "Your OpenRouter account or key has not enough credits for this request. Add credits or raise the key's "
    f"limit at OpenRouter, ask for a shorter answer, {_INSTEAD}"
)
_OWN_FORBIDDEN = (
    "OpenRouter does not allow this to your own key: its limit is used up, or it may not use this model. "
    f"Change that at OpenRouter, set another key (writingmate openrouter-key set), {_INSTEAD}"
)
_OWN_KEY = {401: _OWN_REFUSED, NO_CREDITS: _OWN_EMPTY, FORBIDDEN: _OWN_FORBIDDEN}


def as_answer(error: UpstreamError, *, own_key: str | None = None) -> ApiError:
    """Turn a provider's failure into what the caller gets; nothing of `error.detail` is in it.

    With ``own_key``, the caller's own that the call was made with, a refusal of it is
    ``provider_key_rejected``, and it is forgotten; before a failure is logged call `forget_key`.
    """
    if own_key is not None:
        forget_key(error, own_key)
    match error:
        case UpstreamRefused() if own_key is not None and error.status in _OWN_KEY:
            return _flagged(error) if is_moderation(error) else rejected(error.status)
        case UpstreamRefused():
            return _refusal(error)
        case UpstreamNotReady():
            return Unavailable(error.message, headers={"retry-after": str(error.retry_after)})
        case UpstreamTimeout():
            return GatewayTimeout(_TIMED_OUT)
        case _:
            return BadGateway(_UNAVAILABLE)


def rejected(status: int) -> Unauthenticated:
    """OpenRouter's refusal of a caller's own key with 401, 402 or 403, in words that say what to do."""
    return Unauthenticated(_OWN_KEY[status], code="provider_key_rejected")


def forget_key(error: UpstreamError, own_key: str) -> None:
    """Take a caller's own key out of all that a provider said, however it is shaped."""
    error.detail = error.detail.replace(own_key, KEY)
    error.args = (error.detail,)
    if isinstance(error, UpstreamRefused):
        error.body = error.body.replace(own_key.encode(), KEY.encode())
        error.headers = {name: value.replace(own_key, KEY) for name, value in error.headers.items()}


def is_moderation(error: UpstreamRefused) -> bool:
    """OpenRouter's 403 is also for a prompt that a model's moderation flagged: then it says why."""
    about = _words(error.body).get("metadata")
    return error.status == FORBIDDEN and isinstance(about, dict) and "reasons" in about


def refuses_key(error: UpstreamRefused) -> bool:
    """Google refuses a key, and where it is used, with 400; its reason is not the caller's to choose."""
    words = _words(error.body) if error.status == BAD_REQUEST else {}
    details = words.get("details")
    reasons = (
        [each.get("reason") for each in details if isinstance(each, dict)]
        if isinstance(details, list)
        else []
    )
    return "API_KEY_INVALID" in reasons or str(words.get("message")).startswith(_NOT_HERE)


def asked_delay(error: UpstreamRefused) -> float | None:
    """Seconds that Google asks to wait, in the body."""
    delay = _DELAY.search(error.body)
    return float(delay[1]) if delay else None


def _flagged(error: UpstreamRefused) -> PermissionDenied:
    message = clean(_text(_words(error.body).get("message")) or _NO_WORDS)
    return PermissionDenied(message, code="content_policy_violation")


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
    message = _text(words.get("message")) or _NO_WORDS
    if error.status == BAD_REQUEST and (_NO_MONEY in message or refuses_key(error)):
        return BadGateway(_REFUSED_US)
    limited = error.status == TOO_MANY
    code = None if "status" in words else _word(words.get("code"))  # Google's is the status again
    answer = ProviderRefusal(
        error.status,
        "rate_limit_error" if limited else "invalid_request_error",
        clean(message),
        param=_word(words.get("param")),
        code=code or ("rate_limit_exceeded" if limited else _code(message)),
    )
    delay = asked_delay(error)
    after = error.headers.get("retry-after") or (None if delay is None else str(ceil(delay)))
    if after:
        answer.headers["retry-after"] = after
    return answer


def _code(message: str) -> str | None:
    return "context_length_exceeded" if any(words in message for words in _TOO_LONG) else None


def _words(body: bytes) -> dict[str, Any]:
    """The members of the provider's ``error``: an object, a bare string, or nothing we can read."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return {}
    if isinstance(document, list) and len(document) == 1:
        document = document[0]  # as Google's streams have it
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
