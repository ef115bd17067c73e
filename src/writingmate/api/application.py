"""The data plane: one request from its path to its log line."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Final

from writingmate.api.asgi import AsgiChannel, Receive, Scope, Send
from writingmate.api.channel import Channel
from writingmate.api.clock import Clock
from writingmate.api.connection import Connection
from writingmate.api.responder import Responder
from writingmate.api.routes import ANTHROPIC, API, Endpoint, Route, Routes
from writingmate.errors import ApiError, ClientLeft, MethodNotAllowed, NotFound, ServerError
from writingmate.settings import Settings
from writingmate.telemetry import log, metrics

LEFT: Final = 499
"""The status in log and metrics of a request whose client left before anything was sent."""
PREFLIGHT_SECONDS: Final = "86400"
LONGEST_PATH: Final = 200


class DataPlane:
    """Answers every HTTP request, in the envelope of its dialect whatever goes wrong.

    Args:
        routes: the URL table.
        clock: started and stopped by whoever owns this.
        settings: limits of bodies and silent streams.
    """

    def __init__(self, routes: Routes, clock: Clock, settings: Settings) -> None:
        self.in_flight = 0
        self._empty: asyncio.Event | None = None
        self._routes = routes
        self._clock = clock
        self._limit = settings.max_body_bytes
        self._body_seconds = settings.body_seconds
        self._comment_seconds = settings.comment_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request of any ASGI server; raises nothing but CancelledError."""
        await self.serve(AsgiChannel(scope, receive, send))

    async def serve(self, channel: Channel) -> None:
        """Answer one request; raises nothing but CancelledError."""
        path = channel.path
        connection = Connection(channel, self._clock, limit=self._limit, seconds=self._body_seconds)
        client = Responder(
            connection,
            self._clock,
            comment_seconds=self._comment_seconds,
            cors=b"origin" in channel.headers and path.startswith((API, ANTHROPIC)),
            anthropic=path.startswith(ANTHROPIC),
        )
        route = self._routes.find(path)
        self.in_flight += 1
        try:
            await _endpoint(route, path, channel.method)(connection, client)
        except ClientLeft:
            pass
        except ApiError as error:
            await _refuse(client, error)
        except Exception as error:  # noqa: BLE001  the edge of a request: it is logged and answered
            log.failure("request_crashed", error, request_id=client.request_id)
            await _refuse(client, _our_fault(client))
        finally:
            client.release()
            _record(route, channel.method, client)
            self.in_flight -= 1
            if self._empty is not None and not self.in_flight:
                self._empty.set()

    async def drained(self, seconds: float) -> bool:
        """Wait until no request is under way; False if some still is after that long."""
        if not self.in_flight:
            return True
        self._empty = asyncio.Event()
        try:
            await asyncio.wait_for(self._empty.wait(), seconds)
        except TimeoutError:
            return False
        return True


async def _refuse(client: Responder, error: ApiError) -> None:
    """Say no; once an answer has begun it can only be broken off."""
    client.facts["code"] = error.code
    if not client.status:
        await client.refuse(error)


def _our_fault(client: Responder) -> ServerError:
    return ServerError(
        "The server had an error while processing your request. Try again; if it stays, give the operator "
        f"the request id {client.request_id}."
    )


def _endpoint(route: Route | None, path: bytes, method: str) -> Endpoint:
    if route is None:
        raise NotFound(
            f"Invalid URL ({method} {_shown(path)}). What exists is described at {API.decode()}/docs.",
            code="unknown_url",
        )
    endpoint = route.methods.get(method)
    if endpoint is not None:
        return endpoint
    if method == "OPTIONS" and route.public:
        return _Preflight(route)
    raise MethodNotAllowed(
        f"Not allowed to {method} on {route.shown or _shown(path)}. Use {' or '.join(route.methods)}.",
        code="method_not_supported",
        headers={"allow": route.allowed()},
    )


def _shown(path: bytes) -> str:
    return path[:LONGEST_PATH].decode("ascii", "replace")


class _Preflight:
    """What a browser asks before a web page may call a route."""

    def __init__(self, route: Route) -> None:
        self._route = route

    async def __call__(self, connection: Connection, client: Responder) -> None:
        headers = {"allow": self._route.allowed()}
        asked = connection.headers.get(b"access-control-request-headers")
        if b"access-control-request-method" in connection.headers:
            headers["access-control-allow-methods"] = ", ".join(self._route.methods)
            headers["access-control-max-age"] = PREFLIGHT_SECONDS
            headers["vary"] = "access-control-request-headers"
        if asked:
            headers["access-control-allow-headers"] = asked.decode("latin-1")
        await client.reply(204, headers, b"")


def _record(route: Route | None, method: str, client: Responder) -> None:
    """One log line and one count a request; probes would drown the rest and are left out of the log."""
    status = client.status or LEFT
    seconds = monotonic() - client.started
    name = route.name if route else "unknown"
    metrics.request(name, status, seconds)
    if client.first_ms is not None:
        metrics.first_frame(name, client.first_ms / 1000)
        client.facts["first_ms"] = client.first_ms
    if route is None or not route.quiet:
        log.event(
            "request",
            request_id=client.request_id,
            method=method,
            endpoint=name,
            status=status,
            ms=int(seconds * 1000),
            **client.facts,
        )
