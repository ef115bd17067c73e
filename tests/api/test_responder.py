"""An answer's timing, where a real connection would make it a matter of luck."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

from tests.api.raw import ask, until
from tests.api.served import BEARER, CHAT, DONE, FRAME, Served, answer
from writingmate.api.asgi import AsgiChannel, Message, Scope
from writingmate.api.clock import Clock
from writingmate.api.connection import Connection
from writingmate.api.presence import Line
from writingmate.api.responder import KEEP_ALIVE, STALLED_SECONDS, Responder
from writingmate.operations.client import Client, Request
from writingmate.types import DialectName, Principal

SECONDS = 15.0


class Reader:
    """A client that reads when the test lets it."""

    def __init__(self, *, tells: bool = True) -> None:
        self.sent: list[bytes] = []
        self.reads = asyncio.Event()
        self.reads.set()
        self.cuts: list[float] = []
        self.clock = Clock()
        self.pushed: list[bytes] = []
        self.line = Line(self._cut)
        scope: dict[str, Any] = {"method": "POST", "path": "/", "headers": []}
        channel = Told(self, self.line, scope) if tells else AsgiChannel(scope, self.receive, self.send)
        connection = Connection(channel, self.clock, limit=1, seconds=1.0)
        self.client = Responder(connection, self.clock, comment_seconds=SECONDS)

    def _cut(self) -> None:
        self.cuts.append(monotonic())

    async def receive(self) -> Message:
        raise AssertionError("nothing is left to receive")

    async def send(self, message: Message) -> None:
        await self.reads.wait()
        if "body" in message:
            self.sent.append(message["body"])

    def tick(self, seconds: float) -> None:
        self.clock.tick(monotonic() + seconds)


class Told(AsgiChannel):
    """As a channel of our own server: it knows when the client leaves, and takes events without waiting."""

    def __init__(self, reader: Reader, line: Line, scope: Scope) -> None:
        super().__init__(scope, reader.receive, reader.send)
        self.line = line
        self.pushed = reader.pushed

    def push(self, data: bytes) -> None:
        self.pushed.append(data)


async def test_a_comment_after_every_silence() -> None:
    reader = Reader()
    await reader.client.start({})
    for step in range(1, 4):
        reader.tick(step * (SECONDS + 1))
        await until(lambda step=step: len(reader.sent) == step)  # type: ignore[misc]  # bound at once
    reader.tick(3 * (SECONDS + 1) + 1)
    await reader.client.finish(DONE)
    assert reader.sent == [KEEP_ALIVE] * 3 + [DONE]
    assert len(reader.clock) == 0


async def test_frames_are_no_silence() -> None:
    reader = Reader()
    await reader.client.start({})
    reader.tick(SECONDS - 1)
    await reader.client.send(FRAME)
    reader.tick(SECONDS - 1)
    await reader.client.finish(DONE)
    assert reader.sent == [FRAME, DONE]


async def test_a_comment_that_cannot_be_sent_gives_way_to_the_next_event() -> None:
    reader = Reader()
    await reader.client.start({})
    reader.reads.clear()
    reader.tick(SECONDS + 1)
    await asyncio.sleep(0)
    sending = asyncio.create_task(reader.client.send(FRAME))
    await asyncio.sleep(0)
    reader.reads.set()
    await sending
    await reader.client.finish(DONE)
    assert reader.sent == [FRAME, DONE]


async def test_nothing_is_said_while_an_event_waits_to_be_read() -> None:
    reader = Reader()
    await reader.client.start({})
    reader.reads.clear()
    sending = asyncio.create_task(reader.client.send(FRAME))
    await asyncio.sleep(0)
    reader.tick(SECONDS + 1)
    assert not reader.cuts
    reader.tick(STALLED_SECONDS + 1)
    assert len(reader.cuts) == 1
    reader.reads.set()
    await sending
    assert reader.sent == [FRAME]
    reader.client.release()


async def test_the_data_plane_knows_when_it_is_done(api: Served) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def held(dialect: DialectName, principal: Principal, request: Request, client: Client) -> None:
        begun.set()
        await go_on.wait()
        await answer(dialect, principal, request, client)

    api.generate = held
    plane = api.plane
    assert plane is not None
    assert await plane.drained(0)
    asking = asyncio.create_task(ask(api.port, "POST", CHAT, body=b"{}", authorization=BEARER))
    await begun.wait()
    assert not await plane.drained(0.01)
    go_on.set()
    assert await plane.drained(20)
    assert (await asking).status == 200


async def test_events_are_pushed_only_into_an_open_stream_whose_client_keeps_up() -> None:
    reader = Reader()
    assert not reader.client.ready()
    await reader.client.start({})
    assert reader.client.ready()
    reader.client.push(FRAME)
    assert reader.pushed == [FRAME]
    reader.line.full = True
    assert not reader.client.ready()
    reader.line.full = False
    reader.reads.clear()
    reader.tick(SECONDS + 1)
    assert not reader.client.ready(), "a comment is on its way"
    reader.reads.set()
    await until(lambda: reader.sent == [KEEP_ALIVE])
    assert reader.client.ready()
    reader.line.lost()
    assert not reader.client.ready()
    await reader.client.finish(DONE)
    assert not reader.client.ready()


async def test_pushed_events_are_no_silence() -> None:
    reader = Reader()
    await reader.client.start({})
    reader.tick(SECONDS - 1)
    reader.client.push(FRAME)
    reader.tick(SECONDS - 1)
    await reader.client.finish(DONE)
    assert (reader.pushed, reader.sent) == ([FRAME], [DONE])


async def test_under_another_server_nothing_is_pushed() -> None:
    reader = Reader(tells=False)
    await reader.client.start({})
    assert not reader.client.ready()
    await reader.client.finish(DONE)
