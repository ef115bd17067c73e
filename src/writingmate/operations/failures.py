"""What a caller is told when a provider fails (PRODUCT §1 "Errors", WIRE §2.3).

A provider's 400, 404, 413, 422 and 429 are the caller's own mistake and keep their status and
words, cleaned; its refusal of the operator's key and its own troubles are ours to answer for. Its
refusal of a key that the caller brought is the caller's to mend.
"""

from __future__ import annotations

from math import ceil
from time import time

from writingmate.errors import (
    ApiError,
    BadGateway,
    GatewayTimeout,
    PermissionDenied,
    ProviderRefusal,
    RateLimited,
    Unauthenticated,
    Unavailable,
    UpstreamError,
    UpstreamNotReady,
    UpstreamRefused,
    UpstreamTimeout,
)
from writingmate.operations import words
from writingmate.operations.waits import asked_wait
from writingmate.redaction import KEY, clean

BAD_REQUEST = 400
NO_CREDITS = 402
FORBIDDEN = 403
TOO_MANY = 429
CALLERS_OWN = frozenset({400, 404, 409, 413, 415, 422, TOO_MANY})

_UNAVAILABLE = "The provider of this model is unavailable. Try again, or choose another model."
_TIMED_OUT = "The provider of this model took too long to answer. Try again, or choose another model."
_REFUSED_US = "The provider of this model refused this server's credentials. Ask the operator to check them."
_NOT_HERE = "User location is not supported"  # Google's 400 about where this server is
_NO_MONEY = "credit balance is too low"  # Anthropic's 400 about the operator's account
_IN_FLIGHT, _TOO_LARGE = "openrouter_in_flight_budget", "weight_exceeds_budget"
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
_OWN_BUSY = (
    "Your OpenRouter account cannot pay for more requests at the same time. Try again when those under way "
    "are over, or add credits there."
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
            return _own(error)
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
    """OpenRouter's 403 is also for a prompt that it or a model's moderation flagged: then it says why.

    ``reasons`` are the moderation's, ``patterns`` those of a guardrail that the account's owner has set.
    """
    return error.status == FORBIDDEN and not {"reasons", "patterns"}.isdisjoint(_metadata(error))


def is_passing(error: UpstreamRefused) -> bool:
    """OpenRouter's 402 is also for what is under way at the moment, though there are credits.

    A request that by itself is more than the account may have under way is not: waiting does not help it.
    """
    about = _metadata(error) if error.status == NO_CREDITS else {}
    return about.get("limit_source") == _IN_FLIGHT and about.get("reason") != _TOO_LARGE


def _metadata(error: UpstreamRefused) -> dict[str, object]:
    return words.metadata(words.members(error.body)) if b'"metadata"' in error.body else {}


def _own(error: UpstreamRefused) -> ApiError:
    """OpenRouter's 401, 402 or 403 about a caller's own key."""
    if is_moderation(error):
        return _flagged(error)
    if is_passing(error):
        return RateLimited(_OWN_BUSY, headers=_retry_after(error))
    return rejected(error.status)


def refuses_key(error: UpstreamRefused) -> bool:
    """Google refuses a key, and where it is used, with 400; its reason is not the caller's to choose."""
    said = words.members(error.body) if error.status == BAD_REQUEST else {}
    details = said.get("details")
    reasons = (
        [each.get("reason") for each in details if isinstance(each, dict)]
        if isinstance(details, list)
        else []
    )
    return "API_KEY_INVALID" in reasons or str(said.get("message")).startswith(_NOT_HERE)


def _flagged(error: UpstreamRefused) -> PermissionDenied:
    message = clean(words.message(words.members(error.body)) or _NO_WORDS)
    return PermissionDenied(message, code="content_policy_violation")


def _refusal(error: UpstreamRefused) -> ApiError:
    if error.status in CALLERS_OWN:
        return _cleaned(error)
    if is_moderation(error):
        return _flagged(error)
    if is_passing(error):
        return BadGateway(_UNAVAILABLE, headers=_retry_after(error))
    if error.status in {401, 402, 403}:
        return BadGateway(_REFUSED_US)
    if error.status in {408, 504}:
        return GatewayTimeout(_TIMED_OUT)
    return BadGateway(_UNAVAILABLE)


def _cleaned(error: UpstreamRefused) -> ApiError:
    said = words.members(error.body)
    message = words.message(said) or _NO_WORDS
    if error.status == BAD_REQUEST and (_NO_MONEY in message or refuses_key(error)):
        return BadGateway(_REFUSED_US)
    answer = ProviderRefusal(
        error.status,
        "rate_limit_error" if error.status == TOO_MANY else "invalid_request_error",
        clean(message),
        param=words.word(said.get("param")),
        code=words.code(said, error.status),
    )
    answer.headers |= _retry_after(error)
    return answer


def _retry_after(error: UpstreamRefused) -> dict[str, str]:
    """As the provider says it, a date even; where it says so in another way, in seconds."""
    if after := error.headers.get("retry-after"):
        return {"retry-after": after}
    seconds = asked_wait(error, time())
    return {} if seconds is None else {"retry-after": str(ceil(seconds))}
