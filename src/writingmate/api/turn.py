"""One HTTP request and its answer on a socket of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Mapping
from typing import Any, Final, Protocol

from writingmate.api.presence import Line, while_present
from writingmate.errors import ClientLeft

HIGH_WATER: Final = 65536
"""Bytes of a body that may wait to be read before no more are taken in."""

Pairs = list[tuple[bytes, bytes]]

_BODILESS: Final = frozenset({204, 304})
_CHUNKED: Final = b"transfer-encoding: chunked\r\n"
_CLOSE: Final = b"connection: close\r\n"


class Home(Protocol):
    """The connection that a request came on."""

    transport: asyncio.Transport
    state: Mapping[str, Any]
    line: Line

    def prefix(self, status: int) -> bytes:
        """The status line and the headers of every answer."""

    def pause(self) -> None:
        """Take nothing in until `resume`."""

    def resume(self) -> None:
        """Take in what comes."""

    async def writable(self) -> None:
        """Wait until the client has read enough of what was sent, or has left."""

    def answered(self) -> None:
        """The turn's answer is out."""


class Turn:
    """See `channel.Channel`. The connection tells it what comes: `add`, `finish`, `lose`.

    ``pairs`` are the headers as they came, ``target`` is what was asked for, the query included.
    A whole answer is one write, and so is each piece.
    """

    __slots__ = (
        "_body", "_chunked", "_home", "_invited", "_more", "_waiter", "complete", "headers",
        "keep_alive", "left", "line", "method", "old", "pairs", "path", "query", "started", "target", "task",
    )  # fmt: skip

    def __init__(
        self,
        home: Home,
        method: str,
        target: bytes,
        path: bytes,
        pairs: Pairs,
        *,
        keep_alive: bool,
        old: bool,
    ) -> None:
        self._home = home
        self.method = method
        self.target = target
        self.path = path
        self.query = target.partition(b"?")[2].partition(b"#")[0]
        self.pairs = pairs
        self.headers = {name.lower(): value for name, value in pairs}
        self.keep_alive = keep_alive
        self.old = old  # HTTP/1.0
        self.line = home.line
        self.task: asyncio.Task[None] | None = None
        self.started = self.complete = self.left = self._chunked = self._invited = False
        self._body: bytes | bytearray = b""  # what has come and was not read yet
        self._more = True
        self._waiter: asyncio.Future[None] | None = None

    @property
    def state(self) -> Mapping[str, Any]:
        """The lifespan's."""
        return self._home.state

    @property
    def receiving(self) -> bool:
        """Whether more of the body is to come."""
        return self._more

    # What the connection tells.

    def add(self, data: bytes) -> None:
        """A piece of the body; of no interest once the answer is out."""
        if self.complete:
            return
        if not self._body:
            self._body = data
        elif isinstance(self._body, bytearray):
            self._body += data
        else:
            self._body = bytearray(self._body + data)
        if len(self._body) > HIGH_WATER:
            self._home.pause()
        self._wake()

    def finish(self) -> None:
        """The body's end."""
        self._more = False
        self._wake()

    def lose(self) -> None:
        """The client is gone, or what it sends cannot be read."""
        self.left = True
        self._wake()

    # What the data plane does.

    def at_once(self) -> bytes | None:
        """As a rule a request of a few kilobytes has come whole."""
        if self._more or self.left:
            return None
        return self._take()

    async def receive(self) -> tuple[bytes, bool]:
        """Whatever has come; waits if nothing has."""
        home = self._home
        if not self._invited:
            self._invite()
        home.resume()
        while not self._body and self._more and not self.left:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        if self.left:
            raise ClientLeft
        return self._take(), self._more

    async def whole(self, status: int, lines: bytes, body: bytes) -> None:
        """One write."""
        if self.line.full:
            await self._home.writable()
        if self.left:
            return
        self.started = True
        close = b"" if self.keep_alive else _CLOSE
        if self.method == "HEAD":
            body = b""
        self._home.transport.write(b"".join((self._home.prefix(status), lines, close, b"\r\n", body)))
        self._complete()

    async def begin(self, status: int, lines: bytes, *, sized: bool) -> None:
        """A body without a length is chunked, or ends with the connection."""
        if self.line.full:
            await self._home.writable()
        if self.left:
            return
        self.started = True
        bodiless = status in _BODILESS or self.method == "HEAD"
        self._chunked = not (sized or bodiless or self.old)
        framing = _CHUNKED if self._chunked else b""
        close = b"" if self.keep_alive else _CLOSE
        self._home.transport.write(b"".join((self._home.prefix(status), lines, framing, close, b"\r\n")))

    async def piece(self, data: bytes) -> None:
        """One write."""
        if self.line.full:
            await self._home.writable()
        if not self.left and self.method != "HEAD":
            self.push(data)

    async def end(self, data: bytes = b"") -> None:
        """One write, if there is something to write."""
        if self.line.full:
            await self._home.writable()
        if self.left:
            return
        if self.method == "HEAD":
            data = b""
        elif self._chunked:
            data = b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data) if data else b"0\r\n\r\n"
        if data:
            self._home.transport.write(data)
        self._complete()

    def push(self, data: bytes) -> None:
        """One write, whatever still waits to be read."""
        if self._chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        self._home.transport.write(data)

    def while_present(self, work: Awaitable[None]) -> Coroutine[Any, Any, None]:
        """The line says when the client leaves."""
        return while_present(work, self.line, self.task)

    def _invite(self) -> None:
        """Some clients wait to be told that their body will be read."""
        self._invited = True
        waits = self.headers.get(b"expect", b"").lower() == b"100-continue"
        if waits and not self.started and not self._home.transport.is_closing():
            self._home.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _take(self) -> bytes:
        body, self._body = self._body, b""
        return bytes(body)

    def _complete(self) -> None:
        self.complete = True
        if not self.keep_alive:
            self._home.transport.close()
        self._home.answered()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)
