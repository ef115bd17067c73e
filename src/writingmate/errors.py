"""Everything we raise on purpose, and how the wire shows it.

::

    WritingmateError
    ├── ConfigurationError           a setting, file or environment variable is wrong (start-up, CLI)
    ├── StalePrincipal               identity changed since the principal was read: read it again
    ├── Sealed                       a sealed value does not open: its key is missing, or it was changed
    ├── AlreadySettled               another node settled this hold (its lease had run out)
    ├── KeyClaimed                   another request has this idempotency key: see what became of it
    ├── ClientLeft                   the caller hung up; nobody is left to answer
    ├── UpstreamError                the provider failed before a usable first byte
    │   ├── UpstreamRefused          … with an HTTP status and a body of its own
    │   ├── UpstreamUnreachable      … no connection, or it closed before answering
    │   ├── UpstreamTimeout          … too slow
    │   ├── UpstreamBroken           … or it died in the middle of an answer
    │   ├── UpstreamErred            … or it is an error inside a 200, with a status of its own: both of these
    │   └── UpstreamNotReady         … it is being set up: the caller is told so, and when to come back
    └── ApiError                     has a status, type, code and param: the OpenAI envelope
        ├── InvalidRequest           400   UnsupportedParameter 400
        ├── Unauthenticated          401   PermissionDenied     403
        ├── NotFound                 404   MethodNotAllowed     405
        ├── RequestTimeout           408   Conflict             409
        ├── Gone                     410   BodyTooLarge         413
        ├── UnsupportedMediaType     415   LimitReached         429
        ├── RateLimited              429   ServerError          500
        ├── BadGateway               502   Unavailable          503
        ├── GatewayTimeout           504
        └── ProviderRefusal          the provider's own status, type and code

Statuses and values: PRODUCT §1 "Errors", WIRE §2.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec


class WritingmateError(Exception):
    """The root: catch it at the edge of a process, never inside."""


class ConfigurationError(WritingmateError):
    """A setting is wrong; the message says which and what to do about it."""


class StalePrincipal(WritingmateError):
    """The principal was read before the last identity change; read it again and retry."""


class Sealed(WritingmateError):
    """A sealed value cannot be opened, or master keys not be read; the message says what to do about it.

    It names files and ids of master keys, nothing that was sealed.
    """


class AlreadySettled(WritingmateError):
    """The hold is gone: another node settled it after this one's lease had run out."""


class KeyClaimed(WritingmateError):
    """A request with the same idempotency key is under way, or was answered."""


class ClientLeft(WritingmateError):
    """The client closed its connection before the answer was complete."""


class UpstreamError(WritingmateError):
    """A provider failed. ``detail`` is for the redacted log only, never for a client."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class UpstreamRefused(UpstreamError):
    """The provider answered with an HTTP error; ``body`` is its own words, at most 64 KiB."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        super().__init__(f"answered {status}")
        self.status = status
        self.headers = headers
        self.body = body


class UpstreamUnreachable(UpstreamError):
    """No connection could be made, or it closed before a status line came."""


class UpstreamTimeout(UpstreamError):
    """Connecting, the first byte or the next byte took too long."""


class UpstreamBroken(UpstreamError):
    """The answer stopped in the middle or was not what its dialect allows."""


class UpstreamErred(UpstreamRefused, UpstreamBroken):
    """The answer began well (200) and is an error all the same, with an HTTP status as its code.

    It is to be judged as that status; ``body`` is ``{"error": …}``, the provider's own words.
    """

    def __init__(self, status: int, body: bytes, detail: str) -> None:
        super().__init__(status, {}, body)
        self.detail = detail
        self.args = (detail,)


class UpstreamNotReady(UpstreamError):
    """A model of our own is still being downloaded or started, or cannot be: 503.

    Args:
        message: what is going on and what to do, shown to the caller.
        detail: more, for the log only.
        retry_after: seconds after which to ask again.
    """

    def __init__(self, message: str, *, detail: str | None = None, retry_after: int = 5) -> None:
        super().__init__(detail or message)
        self.message = message
        self.retry_after = retry_after


class ApiError(WritingmateError):
    """An answer in the OpenAI envelope (WIRE §2.1): all four keys, always.

    Args:
        message: what happened and what to do, shown to the caller.
        param: the request field at fault, such as ``messages[0].role``.
        code: a stable word for programs; a string or None, never a number.
        headers: further response headers, such as ``retry-after``.
    """

    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    default_code: ClassVar[str | None] = None

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.code = code if code is not None else self.default_code
        self.headers = headers or {}

    def envelope(self) -> bytes:
        """The body: ``{"error": {"message", "type", "param", "code"}}``."""
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return msgspec.json.encode({"error": error})


class InvalidRequest(ApiError):
    """The body is malformed, or a field has the wrong type, is missing or out of range."""

    status = 400
    type = "invalid_request_error"


class UnsupportedParameter(InvalidRequest):
    """The chosen provider's dialect cannot express this: refused by name, never dropped."""

    default_code = "unsupported_parameter"


class Unauthenticated(ApiError):
    """No key, or one that is malformed, forged, revoked or expired."""

    status = 401
    type = "invalid_request_error"
    default_code = "invalid_api_key"


class PermissionDenied(ApiError):
    """The key is good, but not for this workspace or model."""

    status = 403
    type = "permission_error"


class NotFound(ApiError):
    """No such path, or no such thing as far as this caller may know."""

    status = 404
    type = "invalid_request_error"


class MethodNotAllowed(ApiError):
    """The path exists, with other methods (named in ``allow``)."""

    status = 405
    type = "invalid_request_error"


class RequestTimeout(ApiError):
    """The request's body did not arrive in time."""

    status = 408
    type = "invalid_request_error"


class Conflict(ApiError):
    """It cannot be done as things stand: something else has to change first."""

    status = 409
    type = "invalid_request_error"


class Gone(ApiError):
    """It was there once and will not come back."""

    status = 410
    type = "invalid_request_error"


class BodyTooLarge(ApiError):
    """The body is over the limit of the plan or of this server."""

    status = 413
    type = "invalid_request_error"


class UnsupportedMediaType(ApiError):
    """The body is not of the content type that the endpoint reads."""

    status = 415
    type = "invalid_request_error"


class LimitReached(ApiError):
    """A daily limit or a pool is used up; SDKs must not retry by themselves (WIRE §1.4)."""

    status = 429
    type = "insufficient_quota"


class RateLimited(ApiError):
    """Too many requests in the last minute; SDKs wait for ``retry-after`` and try again."""

    status = 429
    type = "rate_limit_error"
    default_code = "rate_limit_exceeded"


class ServerError(ApiError):
    """Our own fault."""


class BadGateway(ApiError):
    """The provider failed or refused the operator's key."""

    status = 502
    type = "upstream_error"
    default_code = "upstream_error"


class GatewayTimeout(BadGateway):
    """The provider took too long."""

    status = 504


class Unavailable(ApiError):
    """This server cannot take requests now: it drains, or its database is out of reach."""

    status = 503
    default_code = "unavailable"


class ProviderRefusal(ApiError):
    """The provider refused the caller's own mistake: its status and words, cleaned (PRODUCT §1)."""

    def __init__(self, status: int, type_: str, message: str, **details: str | None) -> None:
        super().__init__(message, param=details.get("param"), code=details.get("code"))
        self.status = status  # type: ignore[misc]  # the one error whose status is the provider's
        self.type = type_  # type: ignore[misc]
