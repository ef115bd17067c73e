"""HTTP/1.1 on a socket: uvicorn's httptools protocol, with limits on what a client may do to it.

Beyond what uvicorn does: a head has a size and a time, a body's framing has a size, what is not HTTP
is answered in the OpenAI envelope, and an answer learns at once that its client has left.
"""

from __future__ import annotations

import asyncio
import urllib.parse
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from writingmate.api.cycle import Cycle
from writingmate.api.presence import EXTENSION, Line
from writingmate.api.responder import new_request_id
from writingmate.api.serving import ServerConfig
from writingmate.api.sweep import Sweep
from writingmate.errors import ApiError, InvalidRequest, RequestTimeout
from writingmate.telemetry import metrics

HEAD_BYTES: Final = 65536
"""Bytes of a request's head, and of what may come without being part of a body."""
HEAD_LINES: Final = 200
QUEUED: Final = 4
"""Requests that may wait behind the one being answered before no more are read."""
IDLE_SECONDS: Final = 75.0
"""How long a connection is kept between two requests: longer than proxies in front keep theirs."""
CLOSING_SECONDS: Final = 5.0
"""How long a client may take to read the last bytes before the connection is torn down."""

_HEAD, _BUSY, _IDLE, _CLOSING = range(4)
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})
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


class Protocol(HttpToolsProtocol):
    """One connection. Its phase and since when is looked at once a second, by one timer for all."""

    def __init__(
        self,
        config: ServerConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._header_seconds = config.header_seconds
        self._line = Line(self._abort, self._push)
        self._extensions = {EXTENSION: self._line}
        self._active: Cycle | None = None  # the one being answered
        self._latest: Cycle | None = None  # the one being read
        self._phase = _HEAD
        self._since = 0.0
        self._unsent = 0
        self._loose = 0  # bytes since the last head's end or piece of a body
        self._in_head = False
        self._resumes = False
        self._fault: ApiError | None = None
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn
        """A client is here, and has `header_seconds` for its first request's head."""
        super().connection_made(transport)
        self._enter(_HEAD)
        Sweep.of(self.server_state, self.loop).wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone: the answer under way learns it now."""
        self.pipeline.clear()
        super().connection_lost(exc)
        active = self._active
        if active is not None and not active.response_complete:
            active.disconnected = True
            active.message_event.set()
        self._line.lost()

    def pause_writing(self) -> None:
        """The client reads slower than answers come."""
        super().pause_writing()
        self._line.full = True

    def resume_writing(self) -> None:
        """It has caught up."""
        super().resume_writing()
        self._line.full = False

    def data_received(self, data: bytes) -> None:
        """Feed the parser; refuse what is not HTTP or has no end."""
        if self._refused:
            return
        self._loose += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._stay(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(self._fault or InvalidRequest(_MALFORMED))
        else:
            if self._loose > HEAD_BYTES:
                self._refuse(HeadTooLarge(_TOO_LARGE))

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        if self._resumes:
            return
        super().on_message_begin()
        self.scope["extensions"] = self._extensions  # type: ignore[typeddict-item]  # one of our own
        self._in_head = True
        if self._phase == _IDLE:
            self._enter(_HEAD)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; those after a chunked body mean nothing to us."""
        if not self._in_head:
            return
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is whole: answer the request, or queue it behind the one being answered."""
        if not self._in_head:
            return
        self._in_head = False
        self._check_head()
        self._loose = 0
        self._complete_scope()
        previous: Cycle | None = self._latest
        self._latest = self.cycle = self._make_cycle()
        self._enter(_BUSY)
        if previous is None or previous.response_complete:
            self._start_asgi_task(self.cycle, self.app)
        else:
            self.pipeline.appendleft((self.cycle, self.app))
            if len(self.pipeline) >= QUEUED:
                self.flow.pause_reading()  # which also hides that the client leaves, so not at once

    def on_body(self, body: bytes) -> None:
        """A piece of a body."""
        self._loose = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The body's end; where an upgrade is offered, the parser only means the head's."""
        if not self.parser.should_upgrade():
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is out: on to the next request, or wait for one."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._enter(_HEAD if self._in_head else _IDLE)

    def sweep(self, now: float) -> None:
        """Called once a second: end what takes too long."""
        waited = now - self._since
        if self._phase == _CLOSING:
            self._sweep_closing(now)
        elif self.transport.is_closing():
            self._enter(_CLOSING)
        elif self._phase == _HEAD and waited > self._header_seconds:
            if self._in_head:
                self._refuse(RequestTimeout(_TOO_SLOW, code="request_timeout"))
            else:
                self.transport.close()
        elif self._phase == _IDLE and waited > IDLE_SECONDS:
            self.transport.close()

    def _sweep_closing(self, now: float) -> None:
        """A client that takes nothing in any more does not keep its connection."""
        unsent = self.transport.get_write_buffer_size()
        if unsent < self._unsent:
            self._since = now
        elif now - self._since > CLOSING_SECONDS:
            self.transport.abort()
        self._unsent = unsent

    def _enter(self, phase: int) -> None:
        self._phase = phase
        self._since = self.loop.time()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:  # noqa: ANN401  # uvicorn's own types
        self._active = cycle
        super()._start_asgi_task(cycle, app)

    def _check_head(self) -> None:
        """Raises inside the parser, which then stops; only a head of many bytes is counted out."""
        if self._loose > HEAD_BYTES:
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        else:
            size = 0
        if size > HEAD_BYTES or len(self.headers) > HEAD_LINES:
            self._fault = HeadTooLarge(_TOO_LARGE)
            raise self._fault

    def _complete_scope(self) -> None:
        url = httptools.parse_url(self.url)
        raw_path: bytes | None = url.path  # none in ``GET http://host HTTP/1.1``
        raw_path = raw_path or b"/"
        path = raw_path.decode("ascii")
        scope = self.scope
        scope["method"] = self.parser.get_method().decode("ascii")
        scope["http_version"] = self.parser.get_http_version()
        scope["path"] = urllib.parse.unquote(path) if "%" in path else path
        scope["raw_path"] = raw_path
        scope["query_string"] = url.query or b""

    def _make_cycle(self) -> Cycle:
        return Cycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=self.scope["http_version"] != "1.0" and self.parser.should_keep_alive(),
            on_response=self.on_response_complete,
        )

    def _stay(self, rest: bytes) -> None:
        """An offer to speak another protocol is not taken up: a new parser goes on in this one.

        The old one takes all that follows the head for the other protocol, the request's own body
        included; the new one is told how long that is. (Java's client makes such offers by default.)
        """
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        framing = [item for item in self.headers if item[0] in _FRAMING]
        self._resumes = True
        self.parser.feed_data(_head_again(framing))
        self._resumes = False
        if rest:
            self.data_received(rest)

    def _refuse(self, error: ApiError) -> None:
        """Read no more requests; answer with ``error``, unless it is not this connection's turn to."""
        self._refused = True
        self.pipeline.clear()
        active = self._active
        if active is None or active.response_complete:
            self._write_refusal(error)
        elif active is self._latest and active.more_body:
            self._break(active, error)
        else:
            active.keep_alive = False  # what follows it is broken; it gets its answer

    def _break(self, active: Cycle, error: ApiError) -> None:
        """The body of the request under way cannot be read on."""
        started, active.disconnected = active.response_started, True
        active.message_event.set()
        self._line.lost()
        if started:
            self.transport.close()
        else:
            self._write_refusal(error)

    def _write_refusal(self, error: ApiError) -> None:
        body = error.envelope()
        head = [
            STATUS_LINE[error.status],
            b"x-request-id: ", new_request_id().encode(), b"\r\n",
            b"openai-processing-ms: 0\r\nopenai-version: 2020-10-01\r\n",
            b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body),
            b"connection: close\r\n\r\n",
        ]  # fmt: skip
        self.transport.write(b"".join([*head, body]))
        self.transport.write_eof()  # and take in what still comes, or the client may never read this
        self._enter(_CLOSING)
        metrics.request("malformed", error.status, 0.0)

    def _push(self, piece: bytes) -> None:
        if self._active is not None:
            self._active.push(piece)

    def _abort(self) -> None:
        self.transport.abort()


def _head_again(framing: list[tuple[bytes, bytes]]) -> bytes:
    return b"".join([b"POST / HTTP/1.1\r\n", *(b"%b: %b\r\n" % item for item in framing), b"\r\n"])
