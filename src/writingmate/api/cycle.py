"""One HTTP request and its answer on a socket, below ASGI."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from writingmate.api.asgi import Application
from writingmate.telemetry import log

_CHUNKED: Final = b"transfer-encoding: chunked\r\n"
_CLOSE: Final = b"connection: close\r\n"


class Cycle(RequestResponseCycle):
    """Receives as uvicorn does, and sends by itself: a whole answer in one write, each event in one.

    An answer that is not completed ends the connection.
    """

    _head = b""

    async def run_asgi(self, app: Any) -> None:  # noqa: ANN401  uvicorn's own type of an application
        """Run the application; it answers its own errors, so that nothing is left to answer here."""
        try:
            await cast("Application", app)(
                cast("Any", self.scope), cast("Any", self.receive), cast("Any", self.send)
            )
        except asyncio.CancelledError:
            pass  # the server is ending and has waited long enough
        except Exception as error:  # noqa: BLE001  the edge of a task: it is logged, and the client cut off
            log.failure("request_crashed", error)
        finally:
            self.on_response = _nothing
            if not self.response_complete and not self.disconnected:
                self.transport.close()

    async def send(self, message: Any) -> None:  # noqa: ANN401  uvicorn's own type of a message
        """Write; waits while the client reads slower, does nothing once it has left."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if message["type"] == "http.response.start":
            self._begin(message["status"], message["headers"])
        else:
            self._pass_on(message.get("body", b""), more=message.get("more_body", False))

    def _begin(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """The head; that of a body of known length waits for the body, which follows at once."""
        self.response_started = True
        self.waiting_for_100_continue = False
        lines = [STATUS_LINE[status]]
        known = status in {204, 304} or self.scope["method"] == "HEAD"
        for name, value in (*self.default_headers, *headers):
            if name == b"connection":
                self.keep_alive = False  # the only thing we ever say with it is ``close``
                continue
            known = known or name == b"content-length"
            lines.append(b"%b: %b\r\n" % (name, value))
        self.chunked_encoding = not known and self.scope["http_version"] != "1.0"
        if self.chunked_encoding:
            lines.append(_CHUNKED)
        if not self.keep_alive:
            lines.append(_CLOSE)
        lines.append(b"\r\n")
        head = b"".join(lines)
        if head.count(b"\n") != len(lines) or head.count(b"\r") != len(lines):
            raise ValueError("a header holds the end of a line")
        if known:
            self._head = head
        else:
            self.transport.write(head)

    def push(self, piece: bytes) -> None:
        """A piece of a stream that has begun, for a client that is there and reads fast enough."""
        if self.chunked_encoding:
            piece = b"%x\r\n%b\r\n" % (len(piece), piece)
        self.transport.write(piece)

    def _pass_on(self, body: bytes, *, more: bool) -> None:
        """Write a piece of the body, or with ``more`` false the last one."""
        if self.scope["method"] == "HEAD":
            body = b""
        elif self.chunked_encoding:
            body = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            if not more:
                body += b"0\r\n\r\n"
        if self._head:
            body, self._head = self._head + body, b""
        if body:
            self.transport.write(body)
        if not more:
            self._complete()

    def _complete(self) -> None:
        self.response_complete = True
        self.message_event.set()
        if not self.keep_alive:
            self.transport.close()
        self.on_response()


def _nothing() -> None:
    """Stands in for what a finished request no longer calls."""
