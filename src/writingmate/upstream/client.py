"""Our HTTP client: HTTP/1.1 on asyncio's protocols, with as little between a socket and its caller as can be.

It never follows a redirect and asks for no compression. It repeats a request in one case, once: when a
connection that had rested is closed before anything of an answer, as it is when the provider closes it
while the request is on its way. What it costs
is measured in the bench; what it refuses is in `writingmate.upstream.connection`.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import AbstractAsyncContextManager
from types import TracebackType

from writingmate.errors import UpstreamBroken, UpstreamUnreachable
from writingmate.upstream import request
from writingmate.upstream.base import Call, Reply
from writingmate.upstream.connection import Connection
from writingmate.upstream.pool import Pool, Tls
from writingmate.upstream.replies import StreamAnswer, WholeAnswer
from writingmate.upstream.request import Origin
from writingmate.upstream.sweep import Sweep


class HttpClient:
    """An `Upstream` over the network or unix sockets. Belongs to the event loop that first uses it.

    At most ``connections`` to each origin; waiting for a free one counts as connecting. Those
    that rest for ``idle_seconds`` are closed. ``tls`` replaces the system's certificates.
    """

    def __init__(
        self,
        *,
        connections: int = 2048,
        idle_seconds: float = 30.0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._connections = connections
        self._idle_seconds = idle_seconds
        self._tls = Tls(tls)
        self.sweep = Sweep()
        self._pools: dict[Origin, Pool] = {}
        self._closed = False

    def open(self, call: Call) -> AbstractAsyncContextManager[Reply]:
        """`Upstream.open`."""
        return _Opening(self, call)

    async def close(self) -> None:
        """`Upstream.close`."""
        self._closed = True
        for pool in self._pools.values():
            pool.close()
        for connection in tuple(self.sweep.connections):
            connection.fail(UpstreamBroken("the client was closed"))
        await self.sweep.emptied()

    def pool(self, origin: Origin) -> Pool:
        """The connections to an origin."""
        return self._pools.get(origin) or self._new_pool(origin)

    def _new_pool(self, origin: Origin) -> Pool:
        pool = Pool(origin, self._tls, self.sweep, size=self._connections, idle_seconds=self._idle_seconds)
        self._pools[origin] = pool
        if self._closed:
            pool.close()
        return pool


class _Opening:
    """One call: opened when it is entered, its connection given back when it is left."""

    __slots__ = ("_call", "_client", "_connection")

    def __init__(self, client: HttpClient, call: Call) -> None:
        self._client = client
        self._call = call
        self._connection: Connection | None = None

    async def __aenter__(self) -> Reply:
        call = self._call
        target = request.target(call.method, call.url, call.socket)
        head = request.head(target, call)
        pool = self._client.pool(target.origin)
        connection = pool.take()
        had_rested = connection is not None
        if connection is None:
            connection = await pool.connect(call.timeouts.connect)
        kind = StreamAnswer if call.streaming else WholeAnswer
        while True:
            answer = kind(connection, call.timeouts, asyncio.get_running_loop())
            self._client.sweep.watch(call.timeouts)
            connection.send(answer, head, call.body)
            try:
                await answer.begun()
            except BaseException as error:
                connection.release()
                if not had_rested or not isinstance(error, UpstreamUnreachable):
                    raise
            else:
                self._connection = connection
                return answer
            had_rested = False
            connection = await pool.connect(call.timeouts.connect)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.release()
