"""A data plane on a real uvicorn on loopback, with a small directory and small operations behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from socket import socket
from typing import Any, Final, Literal

import msgspec
from uvicorn.config import Config
from uvicorn.server import Server

from tests.openapi_check import Checked
from writingmate.api.application import DataPlane
from writingmate.api.asgi import Application, Receive, Scope, Send
from writingmate.api.channel import Channel
from writingmate.api.clock import Clock
from writingmate.api.docs import Docs
from writingmate.api.endpoints import Endpoints, Operations
from writingmate.api.invitations import InvitationEndpoints
from writingmate.api.openapi import Description
from writingmate.api.probes import Check, Probes
from writingmate.api.routes import Routes
from writingmate.api.server import configure, listen
from writingmate.errors import ApiError, NotFound, PermissionDenied, StalePrincipal, Unauthenticated
from writingmate.operations.anthropic_models import Page
from writingmate.operations.client import Client, Request
from writingmate.settings import Settings
from writingmate.types import DialectName, Principal

KEY = "wm_v2.id.secret.signature"
BEARER = f"Bearer {KEY}"
PREFIX = "/api/openai/v1"
CHAT = f"{PREFIX}/chat/completions"
MODELS = f"{PREFIX}/models"
ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}],
}
CHUNK = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "m",
    "choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": None}],
}
FRAME = b"data: " + msgspec.json.encode(CHUNK) + b"\n\n"
DONE = b"data: [DONE]\n\n"
HEADERS = {"x-writingmate-workspace": "w", "x-writingmate-route": "fake/m"}
MODEL = {
    "object": "model",
    "created": 1,
    "owned_by": "fake",
    "name": "M",
    "context_length": 8,
    "max_output_tokens": 8,
    "tier": "basic",
    "modalities": {"input": ["text"], "output": ["text"]},
    "endpoints": ["chat.completions"],
    "pricing": None,
}

Way = Literal["ours", "asgi", "uvicorn"]
"""Our server without ASGI, our server as one of any ASGI application, another ASGI server."""
WAYS: Final[tuple[Way, ...]] = ("ours", "asgi", "uvicorn")
WAYS_OF_OURS: Final[tuple[Way, ...]] = WAYS[:2]

Generate = Callable[[DialectName, Principal, Request, Client], Awaitable[None]]


class FakeDirectory:
    """Knows one key; ``revision`` moves on when a principal is forgotten."""

    def __init__(self) -> None:
        self.revision = 1
        self.asked: list[tuple[str | None, str | None, bool]] = []

    async def principal(
        self, key_text: str | None, workspace: str | None = None, *, fresh: bool = False
    ) -> Principal:
        self.asked.append((key_text, workspace, fresh))
        if key_text != KEY:
            raise Unauthenticated("Incorrect API key provided.")
        if workspace not in {None, "w"}:
            raise PermissionDenied("Not yours.", code="workspace_not_accessible")
        return Principal("u", "w", "k", "free", self.revision)

    def forget(self, principal: Principal) -> None:
        assert principal.revision == self.revision
        self.revision += 1


async def answer(_: DialectName, __: Principal, request: Request, client: Client) -> None:
    """A whole answer that tells how long the body was."""
    body = msgspec.json.encode({**ANSWER, "received": len(request.body)})
    await client.reply(200, {**HEADERS, "x-writingmate-counted-messages": "1"}, body)


async def stream(_: DialectName, __: Principal, ___: Request, client: Client) -> None:
    await client.start(HEADERS)
    await client.send(FRAME)
    await client.finish(DONE)


async def models(_: Principal, __: Request, client: Client) -> None:
    body = {"object": "list", "data": [{"id": "google/gemini-2.5-flash", **MODEL}]}
    await client.reply(200, {}, msgspec.json.encode(body))


async def page(_: Page, principal: Principal, request: Request, client: Client) -> None:
    await models(principal, request, client)


async def resume(_: str, after: object, __: Principal, ___: Request, client: Client) -> None:
    """A stream of nothing."""
    del after
    await client.start({})
    await client.finish(DONE)


async def model(slug: str, _: Principal, __: Request, client: Client) -> None:
    if slug == "missing":
        raise NotFound("The model 'missing' does not exist", param="model", code="model_not_found")
    await client.reply(200, {}, msgspec.json.encode({"id": slug, **MODEL}))


class NoInvitations:
    """Nobody is invited to anything."""

    async def show(self, _: str, __: Request, client: Client) -> None:
        await client.reply(404, {"content-type": "text/html"}, b"")

    async def accept(self, _: str, __: str, ___: Request, ____: Client) -> None:
        raise NotFound("There is no such invitation.", code="invitation_not_found")

    async def accept_on_page(self, *arguments: Any) -> None:
        await self.accept(*arguments)

    async def refuse(self, _: str, error: ApiError, __: Request, client: Client) -> None:
        await client.reply(error.status, {"content-type": "text/html"}, b"")


@dataclass
class Served:
    """What a test may look at and change while the server runs."""

    port: int = 0
    directory: FakeDirectory = field(default_factory=FakeDirectory)
    generate: Generate = answer
    clock: Clock = field(default_factory=Clock)
    plane: DataPlane | None = None
    server: EndedByEvent | None = None

    async def run(self, dialect: DialectName, principal: Principal, request: Request, client: Client) -> None:
        await self.generate(dialect, principal, request, client)


def stale(times: int, then: Generate) -> Generate:
    """An operation whose hold finds the principal out of date so often."""
    left = times

    async def generate(dialect: DialectName, principal: Principal, request: Request, client: Client) -> None:
        nonlocal left
        if left:
            left -= 1
            raise StalePrincipal
        await then(dialect, principal, request, client)

    return generate


class WithLifespan:
    """The smallest ASGI application around a data plane: its clock ticks while it lives."""

    def __init__(self, application: Application, clock: Clock) -> None:
        self._application = application
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._application(scope, receive, send)
            return
        await receive()
        self._clock.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._clock.stop()
        await send({"type": "lifespan.shutdown.complete"})


class Whole(WithLifespan):
    """The same, as the gateway is: our server calls it without ASGI in between."""

    def __init__(self, application: Checked | DataPlane, clock: Clock) -> None:
        super().__init__(application, clock)
        self._whole = application

    async def serve(self, channel: Channel) -> None:
        await self._whole.serve(channel)


@asynccontextmanager
async def serving(
    application: Application, settings: Settings, way: Way = "ours"
) -> AsyncIterator[tuple[int, EndedByEvent]]:
    """The application on a free port, by the server that `writingmate serve` runs or by uvicorn as it is."""
    listener: socket = listen(settings)
    server = EndedByEvent(
        uvicorn_as_it_is(application) if way == "uvicorn" else configure(settings, application)
    )
    running = asyncio.create_task(server._serve([listener]))
    await server.ready.wait()
    try:
        yield listener.getsockname()[1], server
    finally:
        server.end.set()
        await running


def uvicorn_as_it_is(application: Application) -> Config:
    """Its own protocol, by the standard library's event loop and parser."""
    return Config(application, http="h11", ws="none", lifespan="on", log_config=None, access_log=False)


class EndedByEvent(Server):
    """Told to end by an event instead of a flag that it looks at now and then."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self.end = asyncio.Event()

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self.end.wait()


@asynccontextmanager
async def served(
    settings: Settings | None = None,
    *,
    grain: float = 0.02,
    checks: Sequence[Check] = (),
    invitations: InvitationEndpoints | None = None,
    way: Way = "ours",
) -> AsyncIterator[Served]:
    """A server with fakes behind it; every response is held against ``openapi.yaml``."""
    settings = settings or Settings(port=0)
    everything = Served(clock=Clock(grain))
    description = Description("http://127.0.0.1")
    endpoints = Endpoints(
        everything.directory,
        Operations(
            everything.run,
            models,
            model,
            models,
            model,
            everything.run,
            resume,
            resume,
            model,
            models,
            page,
            model,
            model,
            resume,
        ),
    )
    nobody = InvitationEndpoints(everything.directory, NoInvitations())
    routes = Routes(endpoints, invitations or nobody, description, Docs(description), Probes(checks))
    everything.plane = DataPlane(routes, everything.clock, settings)
    checked = Checked(everything.plane, description.document)
    application = (Whole if way == "ours" else WithLifespan)(checked, everything.clock)
    async with serving(application, settings, way) as (port, server):
        everything.port, everything.server = port, server
        yield everything
    assert not checked.failures, checked.failures
    assert everything.plane.in_flight == 0
    assert len(everything.clock) == 0
