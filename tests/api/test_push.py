"""The server's half of pushing: the line knows when its client reads slower than answers come."""

from __future__ import annotations

import asyncio
from pathlib import Path

from uvicorn.server import ServerState

from tests.api.served import FRAME
from writingmate.api.asgi import Receive, Scope, Send
from writingmate.api.channel import Channel
from writingmate.api.protocol import Protocol
from writingmate.api.server import configure
from writingmate.settings import Settings

REQUEST = b"POST / HTTP/1.1\r\nhost: gateway\r\ncontent-length: 0\r\n\r\n"


class Wire(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        return

    def pause_reading(self) -> None:
        return

    def resume_reading(self) -> None:
        return


class Streaming:
    """An application of our own server that begins a stream and never ends it."""

    def __init__(self) -> None:
        self.channels: list[Channel] = []
        self.began = asyncio.Event()

    async def __call__(self, _scope: Scope, _receive: Receive, _send: Send) -> None:
        raise AssertionError("our server needs no ASGI")

    async def serve(self, channel: Channel) -> None:
        self.channels.append(channel)
        await channel.begin(200, b"", sized=False)
        self.began.set()
        await asyncio.Event().wait()


async def test_a_piece_is_one_chunk_and_a_full_buffer_is_known(tmp_path: Path) -> None:
    application = Streaming()
    config = configure(Settings(data_dir=tmp_path), application)
    wire = Wire()
    state = ServerState()
    protocol = Protocol(config, state, {}, asyncio.get_running_loop())
    protocol.connection_made(wire)
    protocol.data_received(REQUEST)
    await application.began.wait()
    (channel,) = application.channels
    line = channel.line
    assert line is not None
    wire.written = b""
    channel.push(FRAME)
    assert wire.written == b"%x\r\n%b\r\n" % (len(FRAME), FRAME)
    protocol.pause_writing()
    assert line.full
    protocol.resume_writing()
    assert not line.full
    for task in state.tasks:
        task.cancel()
    protocol.connection_lost(None)
    assert line.left
