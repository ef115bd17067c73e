"""The only place that sends: one answer to one request, whole or as an event stream."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Mapping
from time import monotonic
from typing import Any, Final
from urllib.parse import quote

from writingmate.api.clock import Clock
from writingmate.api.connection import Connection
from writingmate.api.request_id import new_request_id
from writingmate.dialects import anthropic_errors
from writingmate.errors import ApiError
from writingmate.telemetry import metrics

KEEP_ALIVE: Final = b": keep-alive\n\n"
STALLED_SECONDS: Final = 120.0
"""A client that takes in nothing of a stream for this long is taken for gone."""

_OURS: Final = b"x-request-id: %b\r\nopenai-processing-ms: %d\r\nopenai-version: 2020-10-01\r\n"
_JSON: Final = b"content-type: application/json\r\n"
_STREAM: Final = (
    b"content-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\nx-accel-buffering: no\r\n"
)
_CORS: Final = (
    b"access-control-allow-origin: *\r\n"
    b"access-control-expose-headers: x-request-id, request-id, openai-processing-ms, openai-version, "
    b"retry-after, x-should-retry, idempotent-replayed, "
    b"x-writingmate-workspace, x-writingmate-route, x-writingmate-counted-messages, "
    b"x-writingmate-remaining-messages, x-writingmate-max-tokens-clamped, x-writingmate-dropped, "
    b"x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests\r\n"
)


class Responder:
    """Answers one request (`operations.client.Client`); ``status`` is what was sent, 0 before.

    Args:
        connection: the request that is answered.
        clock: keeps silent streams alive.
        comment_seconds: how long a stream may be silent.
        cors: the caller is a web page, and may be.
        anthropic: the caller speaks Anthropic's dialect: errors are told in it.
    """

    __slots__ = (
        "_anthropic", "_blocked", "_channel", "_clock", "_comment", "_comment_seconds", "_cors", "_line",
        "_quiet_since", "connection", "facts", "first_ms", "request_id", "started", "status",
    )  # fmt: skip

    def __init__(
        self,
        connection: Connection,
        clock: Clock,
        *,
        comment_seconds: float,
        cors: bool = False,
        anthropic: bool = False,
    ) -> None:
        self.connection = connection
        self.facts: dict[str, str | int | float | None] = {}
        self.request_id = new_request_id()
        self.started = monotonic()
        self.status = 0
        self.first_ms: int | None = None
        self._channel = connection.channel
        self._line = connection.channel.line
        self._clock = clock
        self._comment_seconds = comment_seconds
        self._cors = cors
        self._anthropic = anthropic
        self._comment: asyncio.Task[None] | None = None
        self._quiet_since = 0.0
        self._blocked = False

    async def reply(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """A whole answer; ``content-type`` is JSON unless ``headers`` name another.

        Where the request's body has not come to its end, the connection is closed afterwards.
        """
        connection, channel = self.connection, self._channel
        if connection.unread:
            await connection.settle()
        kind = b"" if "content-type" in headers or not body else _JSON
        # RFC 9110 §8.6: no length on these.
        length = b"content-length: %d\r\n" % len(body) if status >= 200 and status != 204 else b""  # noqa: PLR2004
        self.status = status
        lines = b"".join((self._lines(headers), kind, length))
        if not connection.unread:
            await channel.whole(status, lines, body)
            return
        channel.keep_alive = False
        if connection.stalled:
            await channel.whole(status, lines, body)
            return
        await channel.begin(status, lines, sized=True)
        if body:
            await channel.piece(body)
        await connection.linger()
        await channel.end()

    async def refuse(self, error: ApiError) -> None:
        """Answer with the error's envelope and headers."""
        told = anthropic_errors.envelope(error, self.request_id) if self._anthropic else error.envelope()
        await self.reply(error.status, error.headers, told)

    async def start(self, headers: Mapping[str, str]) -> None:
        """Begin a 200 event stream; while it is silent it is kept alive with comments."""
        self.status = 200
        await self._channel.begin(200, self._lines(headers) + _STREAM, sized=False)
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
            await self._channel.piece(frames)
        finally:
            self._blocked = False

    def ready(self) -> bool:
        """Whether `push` may be called: under our own server, while the client reads fast enough."""
        line = self._line
        return (
            line is not None
            and not line.full
            and not line.left
            and self._quiet_since != 0.0
            and self._comment is None
        )

    def push(self, frames: bytes) -> None:
        """Whole SSE events, written at once."""
        self._quiet_since = monotonic()
        self._channel.push(frames)

    async def finish(self, frames: bytes = b"") -> None:
        """The last events, then the end of the stream."""
        self.release()
        await self._channel.end(frames)

    def while_connected(self, work: Awaitable[None]) -> Coroutine[Any, Any, None]:
        """Await ``work``; when the client leaves, cancel it and raise ClientLeft."""
        return self._channel.while_present(work)

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
        await self._channel.piece(KEEP_ALIVE)
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

    def _lines(self, headers: Mapping[str, str]) -> bytes:
        """What every answer carries, then ``headers``; raises ValueError for one that would end its line."""
        elapsed = int((monotonic() - self.started) * 1000)
        ours = _OURS % (self.request_id.encode("ascii"), elapsed)
        if self._anthropic:
            ours += b"request-id: %b\r\n" % self.request_id.encode("ascii")
        if self._cors:
            ours += _CORS
        lines = "".join([f"{name}: {_value(value)}\r\n" for name, value in headers.items()])
        if lines.count("\n") != len(headers) or lines.count("\r") != len(headers):
            raise ValueError("a header holds the end of a line")
        return ours + lines.encode("latin-1")


def _value(value: str) -> str:
    """As it is where a header may carry it, else percent-encoded."""
    return value if value.isascii() and value.isprintable() else quote(value, safe=" ;,=:/")
