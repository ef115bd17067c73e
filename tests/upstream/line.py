"""A connection without a socket: what arrives, and when it breaks, is up to the test."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from writingmate.upstream.answer import Answer
from writingmate.upstream.base import Timeouts
from writingmate.upstream.connection import Connection
from writingmate.upstream.replies import StreamAnswer, WholeAnswer

T = TypeVar("T")


class Wire(asyncio.Transport):
    """Keeps what is written; closing it is seen at once by `is_closing` only."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.unsent = 0
        self.closing = False
        self.reading = True

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closing

    def abort(self) -> None:
        self.closing = True

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Line:
    """The home of one connection, with a call under way."""

    idle_seconds = 30.0

    def __init__(self, *, stream: bool = False, timeouts: Timeouts | None = None) -> None:
        self.wire = Wire()
        self.resting = 0
        self.gone = 0
        self.connection = Connection(self)
        self.connection.connection_made(self.wire)
        self.answer = self.ask(stream=stream, timeouts=timeouts)

    def ask(self, *, stream: bool = False, timeouts: Timeouts | None = None) -> Answer:
        loop = _LOOP
        kind = StreamAnswer if stream else WholeAnswer
        self.answer = kind(self.connection, timeouts or Timeouts(), loop)
        self.connection.send(self.answer, b"POST / HTTP/1.1\r\n\r\n", b"{}")
        return self.answer

    def made(self, connection: Connection) -> None:
        assert connection is self.connection

    def rested(self, connection: Connection) -> None:
        assert connection.is_open
        self.resting += 1

    def lost(self, connection: Connection) -> None:
        assert connection is self.connection
        self.gone += 1

    def arrive(self, *pieces: bytes) -> None:
        """Bytes come, until the connection has been closed from our side."""
        for piece in pieces:
            if piece and not self.wire.closing:
                self.connection.data_received(piece)

    def break_off(self, exc: Exception | None = None) -> None:
        """The provider closes, or with ``exc`` the network fails."""
        if exc is None and not self.wire.closing:
            self.connection.eof_received()
        self.wire.closing = True
        self.connection.connection_lost(exc)

    def body(self) -> bytes:
        """Read the answer whole. Raises what the caller would get."""
        done(self.answer.begun())
        return done(self.answer.body())

    def frames(self) -> tuple[list[bytes], Exception | None]:
        """Read the answer as events: those that came, and the error after them."""
        frames: list[bytes] = []
        try:
            done(self.answer.begun())
            for batch in _batches(self.answer):
                frames += batch
        except Exception as error:  # noqa: BLE001  # the test looks at it
            return frames, error
        return frames, None


class Waits(AssertionError):
    """The caller would have to wait for more."""


def done(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that has nothing to wait for."""
    try:
        work.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    work.close()
    raise Waits


def _batches(answer: Answer) -> Iterable[list[bytes]]:
    iterator = answer.frames()
    while True:
        try:
            yield done(_next(iterator.__anext__()))
        except StopAsyncIteration:
            return


async def _next(step: Any) -> list[bytes]:
    batch: list[bytes] = await step
    return batch


# Only makes futures, and nobody waits for those.
_LOOP = asyncio.new_event_loop()
_LOOP.close()
