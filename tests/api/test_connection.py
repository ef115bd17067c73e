from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any

import pytest

from tests.api.raw import until
from writingmate.api.asgi import AsgiChannel, Message
from writingmate.api.clock import Clock
from writingmate.api.connection import LINGER_SECONDS, PACE, Connection
from writingmate.errors import BodyTooLarge, ClientLeft, RequestTimeout

SECONDS = 30.0


async def _nothing_is_sent(message: Message) -> None:
    raise AssertionError(message)


class Sender:
    """What a client sends, piece by piece, when the test says so."""

    def __init__(self, **headers: str) -> None:
        self.clock = Clock()
        self.pieces: asyncio.Queue[Message] = asyncio.Queue()
        named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        scope: dict[str, Any] = {"method": "POST", "path": "/", "headers": named}
        channel = AsgiChannel(scope, self.pieces.get, _nothing_is_sent)
        self.connection = Connection(channel, self.clock, limit=1 << 20, seconds=SECONDS)

    async def put(self, body: bytes, *, more: bool = True) -> None:
        self.pieces.put_nowait({"type": "http.request", "body": body, "more_body": more})
        await until(self.pieces.empty)
        await asyncio.sleep(0)

    def hang_up(self) -> None:
        self.pieces.put_nowait({"type": "http.disconnect"})

    def tick(self, seconds: float) -> None:
        self.clock.tick(monotonic() + seconds)


async def test_a_body_in_one_piece_is_not_copied() -> None:
    sender = Sender(content_length="4")
    body = b"body"
    sender.pieces.put_nowait({"type": "http.request", "body": body, "more_body": False})
    assert await sender.connection.body() is body
    assert await sender.connection.body() == b""


async def test_without_a_length_there_is_no_body_to_wait_for() -> None:
    assert await Sender().connection.body() == b""


async def test_pieces_are_joined() -> None:
    sender = Sender(transfer_encoding="chunked")
    reading = asyncio.create_task(sender.connection.body())
    for piece in (b"a", b"", b"bc"):
        await sender.put(piece)
    await sender.put(b"d", more=False)
    assert await reading == b"abcd"
    assert len(sender.clock) == 0


async def test_a_client_that_leaves_in_the_middle() -> None:
    sender = Sender(content_length="10")
    reading = asyncio.create_task(sender.connection.body())
    await sender.put(b"a")
    sender.hang_up()
    with pytest.raises(ClientLeft):
        await reading


@pytest.mark.parametrize("sent", [0, 1, PACE - 1])
async def test_less_than_the_pace_is_a_stall(sent: int) -> None:
    sender = Sender(content_length="100000")
    reading = asyncio.create_task(sender.connection.body())
    await sender.put(b"x" * sent)
    sender.tick(SECONDS - 1)
    await asyncio.sleep(0)
    assert not reading.done()
    sender.tick(SECONDS + 1)
    with pytest.raises(RequestTimeout):
        await reading
    assert reading.cancelling() == 0
    assert sender.connection.stalled


async def test_whoever_keeps_the_pace_may_take_long() -> None:
    sender = Sender(content_length="100000")
    reading = asyncio.create_task(sender.connection.body())
    for step in range(1, 11):
        await sender.put(b"x" * PACE)
        sender.tick(step * (SECONDS + 1))
    await sender.put(b"", more=False)
    assert len(await reading) == 10 * PACE


async def test_a_cancellation_by_others_is_not_a_stall() -> None:
    sender = Sender(content_length="10")
    reading = asyncio.create_task(sender.connection.body())
    await sender.put(b"x")
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


@pytest.mark.parametrize("headers", [{"content_length": "1048577"}, {"transfer_encoding": "chunked"}])
async def test_the_limit_is_of_the_whole_body(headers: dict[str, str]) -> None:
    sender = Sender(**headers)
    for _ in range(17):
        sender.pieces.put_nowait({"type": "http.request", "body": b"x" * 65536, "more_body": True})
    with pytest.raises(BodyTooLarge):
        await sender.connection.body()


async def test_a_body_in_one_piece_has_the_limit_too() -> None:
    sender = Sender(transfer_encoding="chunked")
    sender.pieces.put_nowait({"type": "http.request", "body": b"x" * ((1 << 20) + 1), "more_body": False})
    with pytest.raises(BodyTooLarge):
        await sender.connection.body()


async def test_lingering_ends_however_much_comes() -> None:
    sender = Sender(content_length="100000000")
    lingering = asyncio.create_task(sender.connection.linger())
    await sender.put(b"x" * 100_000)
    sender.tick(LINGER_SECONDS + 1)
    await lingering
    assert sender.connection.stalled
    assert lingering.cancelling() == 0


async def test_lingering_ends_with_the_body() -> None:
    sender = Sender(content_length="10")
    lingering = asyncio.create_task(sender.connection.linger())
    await sender.put(b"x" * 9)
    await sender.put(b"x", more=False)
    await lingering
    assert not sender.connection.unread
