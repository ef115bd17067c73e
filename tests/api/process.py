"""What `test_server` runs in a process of its own: the server with a data plane and fakes behind it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from types import FrameType

from tests.api.served import (
    DONE,
    FRAME,
    HEADERS,
    FakeDirectory,
    NoInvitations,
    Whole,
    model,
    models,
    page,
    resume,
)
from writingmate.api.application import DataPlane
from writingmate.api.asgi import Application, Receive, Scope, Send
from writingmate.api.channel import Channel
from writingmate.api.clock import Clock
from writingmate.api.docs import Docs
from writingmate.api.endpoints import Endpoints, Operations
from writingmate.api.invitations import InvitationEndpoints
from writingmate.api.openapi import Description
from writingmate.api.probes import Probes
from writingmate.api.routes import Routes
from writingmate.api.server import listen, run
from writingmate.operations.client import Client, Request
from writingmate.settings import Settings
from writingmate.types import DialectName, Principal


async def held(_: DialectName, __: Principal, ___: Request, client: Client) -> None:
    """A stream that ends only when the server is told to end, or is settled when it does not wait."""
    told = asyncio.Event()
    server = signal.getsignal(signal.SIGTERM)
    loop = asyncio.get_running_loop()

    def heard(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(told.set)
        assert callable(server)
        server(number, frame)

    async def give() -> None:
        await client.start(HEADERS)
        await client.send(FRAME)
        if not _settings().drain_seconds:
            await asyncio.Event().wait()
        await told.wait()
        await client.finish(DONE)

    signal.signal(signal.SIGTERM, heard)
    try:
        await client.while_connected(give())
    except asyncio.CancelledError:
        await asyncio.sleep(0)
        print("settled", flush=True)
        raise


class WithExtras(Whole):
    """Two paths for the test: which process answers, and readiness just after the signal."""

    async def serve(self, channel: Channel) -> None:
        if channel.path == b"/pid":
            await channel.whole(200, b"content-length: 8\r\n", b"%8d" % os.getpid())
            return
        if channel.path == b"/end":
            signal.raise_signal(signal.SIGTERM)
            channel.path = b"/readyz"
        await super().serve(channel)


async def failing(_: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no"})


def create() -> Application:
    if "TEST_FAILS" in os.environ:
        return failing
    clock = Clock()
    description = Description("http://127.0.0.1")
    operations = Operations(
        *(held, models, model, models, model, held, resume, resume, model),
        *(models, page, model, model, resume),
    )
    endpoints = Endpoints(FakeDirectory(), operations)
    invitations = InvitationEndpoints(FakeDirectory(), NoInvitations())
    routes = Routes(endpoints, invitations, description, Docs(description), Probes([]))
    return WithExtras(DataPlane(routes, clock, _settings()), clock)


def main() -> int:
    settings = _settings()
    listener = listen(settings)
    print(listener.getsockname()[1], flush=True)
    return run(settings, listener, "tests.api.process:create")


def _settings() -> Settings:
    workers = int(os.environ.get("TEST_WORKERS", "1"))
    return Settings(port=0, workers=workers, drain_seconds=float(os.environ.get("TEST_DRAIN_SECONDS", "30")))


if __name__ == "__main__":
    sys.exit(main())
