"""What a client may do to a connection, and what it is told when it does more."""

from __future__ import annotations

from typing import Final

from writingmate.errors import ApiError, InvalidRequest, RequestTimeout

HEAD_BYTES: Final = 65536
"""Bytes of a request's head, and of what may come without being part of a body."""
HEAD_LINES: Final = 200
QUEUED: Final = 4
"""Requests that may wait behind the one being answered before no more are read."""

_MALFORMED: Final = (
    "This is not a well-formed HTTP/1.1 request. Check what is between the client and this server."
)
_TOO_LARGE: Final = (
    f"The request's headers are larger than {HEAD_BYTES} bytes or more than {HEAD_LINES}. Send less."
)
_TOO_SLOW: Final = "The request's headers did not arrive in time. Try again."


class HeadTooLarge(ApiError):
    """More headers than anybody needs."""

    status = 431
    type = "invalid_request_error"
    default_code = "request_header_fields_too_large"


def malformed() -> InvalidRequest:
    """What came is not HTTP."""
    return InvalidRequest(_MALFORMED)


def too_large() -> HeadTooLarge:
    """A head that does not end."""
    return HeadTooLarge(_TOO_LARGE)


def too_slow() -> RequestTimeout:
    """A head that does not come."""
    return RequestTimeout(_TOO_SLOW, code="request_timeout")
