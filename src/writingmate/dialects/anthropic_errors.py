"""Errors as Anthropic shows them: ``{"type": "error", "error": {"type", "message"}, "request_id"}``.

Types by status as its page "Errors" has them; a few statuses of ours have no type there and get the one
of their kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from writingmate.errors import ApiError
from writingmate.wire import sse

TYPES: Final[Mapping[int, str]] = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_OUR_SIDE: Final = 500


def envelope(error: ApiError, request_id: str) -> bytes:
    """The body of a refusal."""
    kind = TYPES.get(error.status, "api_error" if error.status >= _OUR_SIDE else "invalid_request_error")
    told = {"type": kind, "message": error.message}
    return msgspec.json.encode({"type": "error", "error": told, "request_id": request_id})


def event(error: ApiError, request_id: str) -> bytes:
    """The frame that ends a stream which cannot go on."""
    return sse.event(envelope(error, request_id), b"error")
