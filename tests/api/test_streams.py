from __future__ import annotations

import asyncio

import msgspec
import pytest

from tests.api.raw import dial
from tests.api.served import (
    ANSWER,
    BEARER,
    CHAT,
    DONE,
    FRAME,
    HEADERS,
    WAYS_OF_OURS,
    Generate,
    Served,
    Way,
    served,
    stream,
)
from writingmate.api import responder
from writingmate.errors import BadGateway, ClientLeft
from writingmate.operations.client import Client, Request
from writingmate.settings import Settings
from writingmate.types import DialectName, Principal

GET_HEALTH = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"


@pytest.fixture(params=WAYS_OF_OURS)
def way(request: pytest.FixtureRequest) -> Way:
    """Everything here holds however requests reach the data plane of our own server."""
    way: Way = request.param
    return way


class Held:
    """An operation that streams one frame, waits, and settles on the way out."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.settled = asyncio.Event()
        self.events: list[str] = []
        self.starts = True

    async def __call__(self, _: DialectName, __: Principal, ___: Request, client: Client) -> None:
        try:
            await client.while_connected(self._give(client))
        except ClientLeft:
            self.events.append("left")
        except asyncio.CancelledError:
            self.events.append("cancelled")
            raise
        finally:
            self.events.append("settled")
            self.settled.set()

    async def _give(self, client: Client) -> None:
        if self.starts:
            await client.start(HEADERS)
            await client.send(FRAME)
        self.begun.set()
        await self.go_on.wait()
        self.events.append("went on")
        if self.starts:
            await client.send(FRAME)
            await client.finish(DONE)
        else:
            await client.reply(200, HEADERS, msgspec.json.encode(ANSWER))


async def test_a_stream_has_its_headers_and_frames(api: Served) -> None:
    api.generate = stream
    async with dial(api.port) as line:
        await line.request("POST", CHAT, body=b"{}", authorization=BEARER)
        reply = await line.answer()
        assert reply.status == 200
        assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert reply.headers["cache-control"] == "no-cache"
        assert reply.headers["x-accel-buffering"] == "no"
        assert reply.body == FRAME + DONE
        await line.write(GET_HEALTH)
        assert (await line.answer()).status == 200


async def test_frames_go_out_as_they_come(api: Served) -> None:
    held = api.generate = Held()
    async with dial(api.port) as line:
        await line.request("POST", CHAT, body=b"{}", authorization=BEARER)
        await line.head()
        assert await line.chunk() == FRAME
        held.go_on.set()
        assert await line.chunk() == FRAME
        assert await line.chunk() == DONE


async def test_http_1_0_gets_frames_without_chunks(api: Served) -> None:
    api.generate = stream
    async with dial(api.port) as line:
        head = f"POST {CHAT} HTTP/1.0\r\nauthorization: {BEARER}\r\ncontent-length: 2\r\n\r\n{{}}"
        await line.write(head.encode())
        reply = await line.answer()
        assert "transfer-encoding" not in reply.headers
        assert reply.body == FRAME + DONE


@pytest.mark.parametrize("starts", [True, False])
async def test_a_client_that_leaves_ends_the_work_and_not_the_settlement(
    api: Served, *, starts: bool
) -> None:
    held = api.generate = Held()
    held.starts = starts
    async with dial(api.port) as line:
        await line.request("POST", CHAT, body=b"{}", authorization=BEARER)
        await held.begun.wait()
    async with asyncio.timeout(10):
        await held.settled.wait()
    assert held.events == ["left", "settled"]


async def test_a_client_that_leaves_after_sending_nonsense(api: Served) -> None:
    held = api.generate = Held()
    async with dial(api.port) as line:
        await line.request("POST", CHAT, body=b"{}", authorization=BEARER)
        await held.begun.wait()
        await line.write(b"\0nonsense")
    async with asyncio.timeout(10):
        await held.settled.wait()
    assert held.events == ["left", "settled"]


async def test_a_client_that_leaves_after_sending_a_second_request(api: Served) -> None:
    held = api.generate = Held()
    async with dial(api.port) as line:
        await line.request("POST", CHAT, body=b"{}", authorization=BEARER)
        await held.begun.wait()
        await line.write(GET_HEALTH)
    async with asyncio.timeout(10):
        await held.settled.wait()
    assert held.events == ["left", "settled"]


async def test_silence_is_filled_with_comments_between_frames() -> None:
    async with served(Settings(port=0, comment_seconds=0.05)) as api:
        held = api.generate = Held()
        async with dial(api.port) as line:
            await line.request("POST", CHAT, body=b"{}", authorization=BEARER)
            await line.head()
            assert await line.chunk() == FRAME
            assert await line.chunk() == responder.KEEP_ALIVE
            assert await line.chunk() == responder.KEEP_ALIVE
            held.go_on.set()
            while (piece := await line.chunk()) == responder.KEEP_ALIVE:
                pass
            assert piece == FRAME
            assert await line.chunk() == DONE
            assert await line.chunk() == b""


async def test_a_silent_whole_answer_gets_no_comment() -> None:
    async with served(Settings(port=0, comment_seconds=0.02)) as api:
        held = api.generate = Held()
        held.starts = False
        async with dial(api.port) as line:
            await line.request("POST", CHAT, body=b"{}", authorization=BEARER)
            await held.begun.wait()
            assert len(api.clock) == 0
            held.go_on.set()
            assert (await line.answer()).json() == ANSWER


async def test_a_client_that_reads_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(responder, "STALLED_SECONDS", 0.1)
    async with served(Settings(port=0, comment_seconds=0.05)) as api:
        begun = asyncio.Event()

        async def flood(_: DialectName, __: Principal, ___: Request, client: Client) -> None:
            await client.start(HEADERS)
            begun.set()
            await client.while_connected(_endless(client))

        api.generate = flood
        async with dial(api.port) as line:
            line.writer.transport.pause_reading()  # type: ignore[attr-defined]  # it is a stream's
            await line.request("POST", CHAT, body=b"{}", authorization=BEARER)
            plane = api.plane
            assert plane is not None
            await begun.wait()
            assert await plane.drained(20)


async def _endless(client: Client) -> None:
    while True:
        await client.send(FRAME * 1000)


async def broken(_: DialectName, __: Principal, ___: Request, client: Client) -> None:
    await client.start(HEADERS)
    await client.send(FRAME)
    raise BadGateway("too late")


async def crashing(_: DialectName, __: Principal, ___: Request, client: Client) -> None:
    await client.start(HEADERS)
    await client.send(FRAME)
    raise ValueError("secret")


@pytest.mark.parametrize("operation", [broken, crashing])
async def test_an_error_after_the_beginning_ends_the_connection(api: Served, operation: Generate) -> None:
    api.generate = operation
    async with dial(api.port) as line:
        await line.request("POST", CHAT, body=b"{}", authorization=BEARER)
        await line.head()
        assert await line.chunk() == FRAME
        assert await line.closed()


async def test_the_end_of_the_server_waits_for_a_stream(api: Served) -> None:
    held = api.generate = Held()
    async with dial(api.port) as idle, dial(api.port) as line:
        await idle.write(GET_HEALTH)
        await idle.answer()
        await line.request("POST", CHAT, body=b"{}", authorization=BEARER)
        await line.head()
        await line.chunk()
        assert api.server is not None
        api.server.end.set()
        assert await idle.closed()
        held.go_on.set()
        assert await line.chunk() == FRAME
        assert await line.chunk() == DONE
        assert await line.chunk() == b""
        assert await line.closed()


async def test_the_end_of_the_server_cancels_what_takes_too_long() -> None:
    async with served(Settings(port=0, drain_seconds=0)) as api:
        held = api.generate = Held()
        async with dial(api.port) as line:
            await line.request("POST", CHAT, body=b"{}", authorization=BEARER)
            await line.head()
            await line.chunk()
            assert api.server is not None
            api.server.end.set()
            assert await line.closed()
            await held.settled.wait()
        assert held.events == ["cancelled", "settled"]
