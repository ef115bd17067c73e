"""HTTP/1.1 on a socket: httptools' callbacks in, turns out, each answered before the next.

uvicorn owns the process, the socket and the lifespan, and makes one of these for each connection. A
head has a size and a time, a body's framing has a size, what is not HTTP is answered in the OpenAI
envelope, and an answer learns at once that its client has left.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any, Final, cast

import httptools
from uvicorn.server import ServerState

from writingmate.api import limits
from writingmate.api.flow import Flow
from writingmate.api.heads import framing_again, refusal
from writingmate.api.serving import ServerConfig
from writingmate.api.sweep import Sweep
from writingmate.api.turn import Pairs, Turn
from writingmate.errors import ApiError
from writingmate.telemetry import log, metrics

IDLE_SECONDS: Final = 75.0
"""How long a connection is kept between two requests: longer than proxies in front keep theirs."""
CLOSING_SECONDS: Final = 5.0
"""How long a client may take to read the last bytes before the connection is torn down."""

_HEAD, _BUSY, _IDLE, _CLOSING = range(4)


class Protocol(Flow):
    """One connection. Its phase and since when is looked at once a second, by one timer for all."""

    def __init__(
        self,
        config: ServerConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__()
        if not config.loaded:
            config.load()
        self.loop = _loop or asyncio.get_event_loop()
        self.server_state = server_state
        self.state: Mapping[str, Any] = app_state
        self._serve = config.serve
        self._heads = config.heads
        self._header_seconds = config.header_seconds
        self._parser = self._new_parser()
        self._target = b""
        self._pairs: Pairs = []
        self._active: Turn | None = None  # the one being answered
        self._latest: Turn | None = None  # the one being read
        self._waiting: deque[Turn] = deque()
        self._phase = _HEAD
        self._since = 0.0
        self._unsent = 0
        self._loose = 0  # bytes since the last head's end or piece of a body
        self._in_head = self._resumes = self._refused = False
        self._fault: ApiError | None = None

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is here, and has `header_seconds` for its first request's head."""
        super().connection_made(transport)
        self.server_state.connections.add(cast("Any", self))
        self._enter(_HEAD)
        Sweep.of(self.server_state, self.loop).wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone: the answer under way learns it now."""
        self.server_state.connections.discard(cast("Any", self))
        self._waiting.clear()
        for turn in (self._latest, self._active):
            if turn is not None and not turn.complete:
                turn.lose()
        self._latest = self._active = None
        del self._parser  # which holds this
        super().connection_lost(exc)
        self.line.lost()

    def data_received(self, data: bytes) -> None:
        """Feed the parser; refuse what is not HTTP or has no end."""
        if self._refused:
            return
        self._loose += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._stay(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(self._fault or limits.malformed())
        else:
            if self._loose > limits.HEAD_BYTES:
                self._refuse(limits.too_large())

    # What the parser tells.

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        if self._resumes:
            return
        self._target = b""
        self._pairs = []
        self._in_head = True
        if self._phase == _IDLE:
            self._enter(_HEAD)

    def on_url(self, url: bytes) -> None:
        """A piece of what is asked for."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; those after a chunked body mean nothing to us."""
        if self._in_head:
            self._pairs.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is whole: answer the request, or queue it behind the one being answered."""
        if not self._in_head:
            return
        self._in_head = False
        if self._loose > limits.HEAD_BYTES or len(self._pairs) > limits.HEAD_LINES:
            self._check_head()
        self._loose = 0
        turn = self._turn()
        previous, self._latest = self._latest, turn
        self._enter(_BUSY)
        if previous is None or previous.complete:
            self._start(turn)
        else:
            self._waiting.append(turn)
            if len(self._waiting) >= limits.QUEUED:
                self.pause()  # which also hides that the client leaves, so not at once

    def on_body(self, body: bytes) -> None:
        """A piece of a body."""
        self._loose = 0
        if self._latest is not None:
            self._latest.add(body)

    def on_message_complete(self) -> None:
        """The body's end; where an upgrade is offered, the parser only means the head's."""
        if self._latest is not None and not self._parser.should_upgrade():
            self._latest.finish()

    # What turns ask for.

    def prefix(self, status: int) -> bytes:
        """The status line and the headers of every answer."""
        return self._heads.prefix(status, self.server_state.default_headers)

    def answered(self) -> None:
        """The answer is out: on to the next request, or wait for one."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.resume()
        if self._waiting:
            self._start(self._waiting.popleft())
        else:
            self._enter(_HEAD if self._in_head else _IDLE)

    # What the server asks for.

    def shutdown(self) -> None:
        """The server ends: close now, or after the answer under way."""
        turn = self._latest
        if turn is None or turn.complete:
            self.transport.close()
        else:
            turn.keep_alive = False

    def sweep(self, now: float) -> None:
        """Called once a second: end what takes too long."""
        waited = now - self._since
        if self._phase == _CLOSING:
            self._sweep_closing(now)
        elif self.transport.is_closing():
            self._enter(_CLOSING)
        elif self._phase == _HEAD and waited > self._header_seconds:
            if self._in_head:
                self._refuse(limits.too_slow())
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

    # One request.

    def _check_head(self) -> None:
        """Raises inside the parser, which then stops; a body may be why so many bytes have come."""
        size = len(self._target) + sum(len(name) + len(value) + 4 for name, value in self._pairs)
        if size > limits.HEAD_BYTES or len(self._pairs) > limits.HEAD_LINES:
            self._fault = limits.too_large()
            raise self._fault

    def _turn(self) -> Turn:
        parser = self._parser
        path: bytes | None = httptools.parse_url(self._target).path  # none in ``GET http://host HTTP/1.1``
        old = parser.get_http_version() == "1.0"
        return Turn(
            self,
            parser.get_method().decode("ascii"),
            self._target,
            path or b"/",
            self._pairs,
            keep_alive=not old and parser.should_keep_alive(),
            old=old,
        )

    def _start(self, turn: Turn) -> None:
        self._active = turn
        turn.task = self.loop.create_task(self._run(turn))
        self.server_state.tasks.add(turn.task)

    async def _run(self, turn: Turn) -> None:
        """The application answers its own errors; an answer that it does not complete ends the connection."""
        try:
            await self._serve(turn)
        except asyncio.CancelledError:
            pass  # the server is ending and has waited long enough
        except Exception as error:  # noqa: BLE001  the edge of a task: it is logged, and the client cut off
            log.failure("request_crashed", error)
        finally:
            self.server_state.tasks.discard(cast("Any", turn.task))
            if not turn.complete and not turn.left:
                self.transport.close()

    # What is not taken up, and what is not read on.

    def _new_parser(self) -> httptools.HttpRequestParser:
        parser = httptools.HttpRequestParser(self)
        parser.set_dangerous_leniencies(lenient_data_after_close=True)  # another request after a ``close``
        return parser

    def _stay(self, rest: bytes) -> None:
        """An offer to speak another protocol is not taken up: a new parser goes on in this one.

        The old one takes all that follows the head for the other protocol, the request's own body
        included; the new one is told how long that is. (Java's client makes such offers by default.)
        """
        self._parser = self._new_parser()
        self._resumes = True
        self._parser.feed_data(framing_again(self._pairs))
        self._resumes = False
        if rest:
            self.data_received(rest)

    def _refuse(self, error: ApiError) -> None:
        """Read no more requests; answer with ``error``, unless it is not this connection's turn to."""
        self._refused = True
        self._waiting.clear()
        active = self._active
        if active is None or active.complete:
            self._write_refusal(error)
        elif active is self._latest and active.receiving:
            self._break(active, error)
        else:
            active.keep_alive = False  # what follows it is broken; it gets its answer

    def _break(self, active: Turn, error: ApiError) -> None:
        """The body of the request under way cannot be read on."""
        active.lose()
        self.line.lost()
        if active.started:
            self.transport.close()
        else:
            self._write_refusal(error)

    def _write_refusal(self, error: ApiError) -> None:
        self.transport.write(refusal(error))
        self.transport.write_eof()  # and take in what still comes, or the client may never read this
        self._enter(_CLOSING)
        metrics.request("malformed", error.status, 0.0)
