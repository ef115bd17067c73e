"""The server's half of pushing: the line knows when its client reads slower than answers come."""

from __future__ import annotations

import asyncio
from pathlib import Path

from uvicorn.server import ServerState

from tests.api.served import FRAME
from writingmate.api.asgi import Receive, Scope, Send
from writingmate.api.presence import Line, line_of
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


async def test_a_piece_is_one_chunk_and_a_full_buffer_is_known(tmp_path: Path) -> None:
    lines: list[Line] = []
    began = asyncio.Event()

    async def application(scope: Scope, _receive: Receive, send: Send) -> None:
        line = line_of(scope)
        assert line is not None
        lines.append(line)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        began.set()
        await asyncio.Event().wait()

    config = configure(Settings(data_dir=tmp_path), application)
    wire = Wire()
    state = ServerState()
    protocol = Protocol(config, state, {}, asyncio.get_running_loop())
    protocol.connection_made(wire)
    protocol.data_received(REQUEST)
    await began.wait()
    (line,) = lines
    assert line.push is not None
    wire.written = b""
    line.push(FRAME)
    assert wire.written == b"%x\r\n%b\r\n" % (len(FRAME), FRAME)
    protocol.pause_writing()
    assert line.full
    protocol.resume_writing()
    assert not line.full
    for task in state.tasks:
        task.cancel()
    protocol.connection_lost(None)
    assert line.left
