"""The connections to one origin: the youngest resting one is used first, new ones are made up to a limit."""

from __future__ import annotations

import asyncio
import contextlib
import ssl

from writingmate.errors import UpstreamBroken, UpstreamError, UpstreamTimeout, UpstreamUnreachable
from writingmate.upstream.connection import Connection
from writingmate.upstream.request import Origin
from writingmate.upstream.sweep import Sweep


class Tls:
    """The context for TLS, made when it is first needed: reading the certificates takes 40 ms."""

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._context = context
        self._making: asyncio.Future[ssl.SSLContext] | None = None

    async def context(self) -> ssl.SSLContext:
        """The one context. It verifies certificates and host names."""
        if self._context is None:
            if self._making is None:
                self._making = asyncio.ensure_future(asyncio.to_thread(_verifying_context))
            # Who asked first may give up; the others, and the next, still get it.
            self._context = await asyncio.shield(self._making)
        return self._context


class Pool:
    """All connections to ``origin``, at most ``size`` of them; who finds none free waits its turn.

    A connection counts from before it is dialled until it is lost.
    """

    def __init__(self, origin: Origin, tls: Tls, sweep: Sweep, *, size: int, idle_seconds: float) -> None:
        self.idle_seconds = idle_seconds
        self.count = 0
        self._origin = origin
        self._tls = tls
        self._sweep = sweep
        self._size = size
        self._resting: dict[Connection, None] = {}
        self._waiting: dict[asyncio.Future[Connection | None], None] = {}
        self._dialling: set[asyncio.Timeout] = set()
        self._closed = False

    def take(self) -> Connection | None:
        """A resting connection, if there is one."""
        while self._resting:
            connection, _ = self._resting.popitem()
            if connection.is_open:
                return connection
        return None

    async def connect(self, seconds: float) -> Connection:
        """A new connection, or one that another call has done with, whichever the limit allows."""
        if self._closed:
            raise UpstreamUnreachable("the client is closed")
        deadline = asyncio.timeout(seconds)
        try:
            async with deadline:
                self._dialling.add(deadline)
                try:
                    return await self._turn() or await self._dial()
                finally:
                    self._dialling.discard(deadline)
        except (OSError, UnicodeError) as error:
            if deadline.expired():
                raise self._out_of_time(seconds) from None
            raise UpstreamUnreachable(f"{self._origin}: {_reason(error)}") from error

    def close(self) -> None:
        """Give up what is being dialled and waited for. Connections are the client's to close."""
        self._closed = True
        for deadline in self._dialling:
            if not deadline.expired():
                deadline.reschedule(0.0)

    def _out_of_time(self, seconds: float) -> UpstreamError:
        if self._closed:
            return UpstreamBroken("the client was closed")
        return UpstreamTimeout(f"{self._origin}: not connected within {seconds:g} s")

    # What connections tell.

    def made(self, connection: Connection) -> None:
        """It is connected."""
        self._sweep.connections.add(connection)

    def rested(self, connection: Connection) -> None:
        """Hand it to who has waited longest, else keep it."""
        turn = self._next()
        if turn is None:
            self._resting[connection] = None
        else:
            turn.set_result(connection)

    def lost(self, connection: Connection) -> None:
        """It is closed."""
        self._sweep.remove(connection)
        self._resting.pop(connection, None)
        self._free()

    # Taking turns.

    def _next(self) -> asyncio.Future[Connection | None] | None:
        while self._waiting:
            turn = next(iter(self._waiting))
            del self._waiting[turn]
            if not turn.done():
                return turn
        return None

    def _free(self) -> None:
        """One connection fewer; who has waited longest may make a new one instead."""
        self.count -= 1
        turn = self._next()
        if turn is not None:
            self.count += 1
            turn.set_result(None)

    async def _turn(self) -> Connection | None:
        """Wait until a connection is handed over, or may be made: then it is counted already."""
        while self.count >= self._size:
            turn: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
            self._waiting[turn] = None
            try:
                connection = await turn
            except asyncio.CancelledError:
                self._pass_on(turn)
                raise
            if connection is None or connection.is_open:
                return connection
        self.count += 1
        return None

    def _pass_on(self, turn: asyncio.Future[Connection | None]) -> None:
        """What was given to somebody who has just been cancelled goes to the next."""
        self._waiting.pop(turn, None)
        if not turn.done() or turn.cancelled():
            return
        connection = turn.result()
        if connection is None:
            self._free()
        elif connection.is_open:
            self.rested(connection)

    async def _dial(self) -> Connection:
        connection = Connection(self)
        try:
            await self._open(connection)
        except BaseException:
            connection.discard()
            raise
        return connection

    async def _open(self, connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        origin = self._origin
        context = await self._tls.context() if origin.scheme == "https" else None
        name = origin.host if context is not None else None
        if origin.socket is not None:
            await loop.create_unix_connection(
                lambda: connection, origin.socket, ssl=context, server_hostname=name
            )
        else:
            await loop.create_connection(
                lambda: connection, origin.host, origin.port, ssl=context, server_hostname=name
            )


def _verifying_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    with contextlib.suppress(NotImplementedError):
        context.set_alpn_protocols(["http/1.1"])
    return context


def _reason(error: OSError | UnicodeError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return "the host name is not one"
