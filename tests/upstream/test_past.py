"""Events that go past the reader: only while it waits, in order, and their errors are the reader's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.fakes.openai_upstream import FakeOpenAI
from tests.upstream.calls import chat
from tests.upstream.line import Line, Waits, done
from writingmate.errors import UpstreamBroken
from writingmate.upstream.client import HttpClient
from writingmate.upstream.replies import StreamAnswer

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
ONE, TWO, THREE = (b"data: %d\n\n" % number for number in (1, 2, 3))


class Reading:
    """A stream whose first event is in hand, and what has gone past its reader since."""

    def __init__(self, past: Callable[[list[bytes]], bool] | None = None) -> None:
        self.went: list[bytes] = []
        self.takes = True
        self.line = Line(stream=True)
        self.line.arrive(HEAD + ONE)
        done(self.line.answer.begun())
        assert isinstance(self.line.answer, StreamAnswer)
        self.answer = self.line.answer
        self.answer.frames(past or self.past)

    def past(self, frames: list[bytes]) -> bool:
        if self.takes:
            self.went += frames
        return self.takes

    def read(self) -> list[bytes] | None:
        return done(self.answer.more())

    def wait(self) -> None:
        """Let the reader begin to wait; nobody has to wake it for what goes past."""
        with pytest.raises(Waits):
            self.read()


@pytest.fixture
def reading() -> Reading:
    return Reading()


def test_events_go_past_a_reader_that_waits(reading: Reading) -> None:
    assert reading.read() == [ONE]
    reading.wait()
    reading.line.arrive(TWO + THREE)
    assert reading.went == [TWO, THREE]
    reading.wait()


def test_none_overtakes_what_the_reader_has_in_hand(reading: Reading) -> None:
    reading.line.arrive(TWO)
    assert reading.read() == [ONE, TWO]
    reading.line.arrive(THREE)
    assert reading.read() == [THREE]
    assert reading.went == []


def test_what_is_not_taken_is_read(reading: Reading) -> None:
    reading.takes = False
    assert reading.read() == [ONE]
    reading.wait()
    reading.line.arrive(TWO)
    assert (reading.read(), reading.went) == ([TWO], [])


def test_an_error_on_the_way_past_is_the_readers() -> None:
    def breaks(_: list[bytes]) -> bool:
        raise UpstreamBroken("an error event")

    reading = Reading(breaks)
    assert reading.read() == [ONE]
    reading.wait()
    reading.line.arrive(TWO)
    with pytest.raises(UpstreamBroken, match="an error event"):
        reading.read()


def test_much_that_goes_past_does_not_hold_the_provider_back(reading: Reading) -> None:
    assert reading.read() == [ONE]
    reading.wait()
    for _ in range(40):
        reading.line.arrive(b"data: " + b"x" * 16_384 + b"\n\n")
    reading.takes = False
    reading.line.arrive(TWO)
    assert reading.line.wire.reading
    assert reading.read() == [TWO]


async def test_the_reader_still_sees_the_end(client: HttpClient, fake: FakeOpenAI) -> None:
    went: list[bytes] = []
    read: list[bytes] = []

    def past(frames: list[bytes]) -> bool:
        went.extend(frames)
        return True

    async with asyncio.timeout(10), client.open(chat(fake, stream=True)) as reply:
        async for frames in reply.frames(past):
            read += frames
    assert read
    assert [*read, *went][-1] == b"data: [DONE]\n\n"
