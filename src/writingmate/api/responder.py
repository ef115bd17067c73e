"""The only place that sends: one answer to one request, whole or as an event stream."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Mapping
from time import monotonic, time_ns
from typing import Final, TypeAlias
from urllib.parse import quote

from writingmate.api.asgi import Send
from writingmate.api.clock import Clock
from writingmate.api.connection import Connection
from writingmate.api.presence import line_of, while_present
from writingmate.errors import ApiError
from writingmate.telemetry import metrics

KEEP_ALIVE: Final = b": keep-alive\n\n"
STALLED_SECONDS: Final = 120.0
"""A client that takes in nothing of a stream for this long is taken for gone."""

Headers: TypeAlias = list[tuple[bytes, bytes]]

_VERSION: Final = (b"openai-version", b"2020-10-01")
_JSON: Final = (b"content-type", b"application/json")
_STREAM: Final[Headers] = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]
_CLOSE: Final = (b"connection", b"close")
_CORS: Final[Headers] = [
    (b"access-control-allow-origin", b"*"),
    (
        b"access-control-expose-headers",
        (
            b"x-request-id, openai-processing-ms, openai-version, retry-after, x-should-retry, "
            b"x-writingmate-workspace, x-writingmate-route, x-writingmate-counted-messages, "
            b"x-writingmate-remaining-messages, x-writingmate-max-tokens-clamped, "
            b"x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests"
        ),
    ),
]


def new_request_id() -> str:
    """``req_`` and 24 hexadecimal digits: the time in units of 2^20 ns, then 52 random bits.

    Ids that follow each other in time lie side by side in the ledger's key, which spares a tenth of
    what writing it costs.
    """
    return f"req_{time_ns() >> 20:011x}{os.urandom(7).hex()[1:]}"


class AsgiClient:
    """Answers one request (`operations.client.Client`); ``status`` is what was sent, 0 before.

    Args:
        connection: the request that is answered.
        send: the ASGI channel.
        clock: keeps silent streams alive.
        comment_seconds: how long a stream may be silent.
        cors: the caller is a web page, and may be.
    """

    __slots__ = (
        "_blocked", "_clock", "_comment", "_comment_seconds", "_cors", "_line", "_quiet_since", "_send",
        "connection", "facts", "first_ms", "request_id", "started", "status",
    )  # fmt: skip

    def __init__(
        self, connection: Connection, send: Send, clock: Clock, *, comment_seconds: float, cors: bool = False
    ) -> None:
        self.connection = connection
        self.facts: dict[str, str | int | float | None] = {}
        self.request_id = new_request_id()
        self.started = monotonic()
        self.status = 0
        self.first_ms: int | None = None
        self._send = send
        self._line = line_of(connection.scope)
        self._clock = clock
        self._comment_seconds = comment_seconds
        self._cors = cors
        self._comment: asyncio.Task[None] | None = None
        self._quiet_since = 0.0
        self._blocked = False

    async def reply(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """A whole answer; ``content-type`` is JSON unless ``headers`` name another.

        Where the request's body has not come to its end, the connection is closed afterwards.
        """
        connection = self.connection
        if connection.unread:
            await connection.settle()
        head = self._head(headers)
        if "content-type" not in headers and body:
            head.append(_JSON)
        if status >= 200 and status != 204:  # noqa: PLR2004  RFC 9110 §8.6: no length on these
            head.append((b"content-length", b"%d" % len(body)))
        if connection.unread:
            head.append(_CLOSE)
        self.status = status
        await self._send({"type": "http.response.start", "status": status, "headers": head})
        if connection.unread and not connection.stalled:
            await self._send({"type": "http.response.body", "body": body, "more_body": True})
            await connection.linger()
            body = b""
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def refuse(self, error: ApiError) -> None:
        """Answer with the error's envelope and headers."""
        await self.reply(error.status, error.headers, error.envelope())

    async def start(self, headers: Mapping[str, str]) -> None:
        """Begin a 200 event stream; while it is silent it is kept alive with comments."""
        self.status = 200
        head = self._head(headers)
        head += _STREAM
        await self._send({"type": "http.response.start", "status": 200, "headers": head})
        self._quiet_since = monotonic()
        self.first_ms = int((self._quiet_since - self.started) * 1000)
        self._clock.watch(self)
        metrics.stream_opened()

    async def send(self, frames: bytes) -> None:
        """Pass on whole SSE events; waits while the client reads slower than they come."""
        if self._comment is not None:
            self._drop_comment()
        self._quiet_since = monotonic()
        self._blocked = True
        try:
            await self._send({"type": "http.response.body", "body": frames, "more_body": True})
        finally:
            self._blocked = False

    def ready(self) -> bool:
        """Whether `push` may be called: under our own server, while the client reads fast enough."""
        line = self._line
        return (
            line is not None
            and line.push is not None
            and not line.full
            and not line.left
            and self._quiet_since != 0.0
            and self._comment is None
        )

    def push(self, frames: bytes) -> None:
        """Whole SSE events, written at once."""
        if self._line is not None and self._line.push is not None:
            self._quiet_since = monotonic()
            self._line.push(frames)

    async def finish(self, frames: bytes = b"") -> None:
        """The last events, then the end of the stream."""
        self.release()
        await self._send({"type": "http.response.body", "body": frames, "more_body": False})

    async def while_connected(self, work: Awaitable[None]) -> None:
        """Await ``work``; when the client leaves, cancel it and raise ClientLeft."""
        await while_present(work, self._line, self.connection.receive)

    def release(self) -> None:
        """The stream is over, or will not be finished: no more comments."""
        if self._quiet_since:
            self._quiet_since = 0.0
            self._clock.forget(self)
            self._drop_comment()
            metrics.stream_closed()

    def tick(self, now: float) -> None:
        """Called by the clock while the stream is open."""
        silent = now - self._quiet_since
        if self._blocked:
            if silent >= STALLED_SECONDS:
                self._cut()
        elif silent >= self._comment_seconds and self._comment is None:
            self._quiet_since = now
            self._comment = asyncio.ensure_future(self._keep_alive())

    async def _keep_alive(self) -> None:
        """Whole events are written at once, so a comment can only come between two of them."""
        self._blocked = True
        await self._send({"type": "http.response.body", "body": KEEP_ALIVE, "more_body": True})
        self._blocked = False
        self._comment = None

    def _drop_comment(self) -> None:
        """One that still waits for a slow client gives way to the next event."""
        if self._comment is not None:
            self._comment.cancel()
            self._comment = None
            self._blocked = False

    def _cut(self) -> None:
        if self._line is not None:
            self._line.cut()

    def _head(self, headers: Mapping[str, str]) -> Headers:
        elapsed = int((monotonic() - self.started) * 1000)
        head: Headers = [
            (b"x-request-id", self.request_id.encode("ascii")),
            (b"openai-processing-ms", b"%d" % elapsed),
            _VERSION,
        ]
        if self._cors:
            head += _CORS
        for name, value in headers.items():
            head.append((name.encode("latin-1"), _header_value(value)))
        return head


def _header_value(value: str) -> bytes:
    """As it is where a header may carry it, else percent-encoded."""
    if value.isascii() and value.isprintable():
        return value.encode("ascii")
    return quote(value, safe=" ;,=:/").encode("ascii")
