"""The two ways to read an answer: whole, or as the events of a stream."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Self

import msgspec

from writingmate.errors import UpstreamBroken, UpstreamError
from writingmate.upstream.answer import Answer, Flow
from writingmate.upstream.base import Past, Timeouts
from writingmate.wire import sse

BODY_LIMIT = 64 * 1024 * 1024
BUFFER_LIMIT = 256 * 1024

_TOO_LONG = f"the body is longer than {BODY_LIMIT >> 20} MiB"

# A data line that is not the first one, or stands behind the mark that may begin a UTF-8 text.
_DATA_LINE = re.compile(rb"(?:\A\xef\xbb\xbf|[\r\n])data:")
_LAST_EVENT = sse.DONE.rstrip()


class WholeAnswer(Answer):
    """Gathers the body; the waiting task is woken when the head has come and when all has."""

    def __init__(self, flow: Flow, timeouts: Timeouts, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(flow, timeouts, loop)
        self._parts: list[bytes] = []
        self._size = 0

    async def body(self) -> bytes:
        """The whole body."""
        while not self.complete:
            if self.error is not None:
                raise self.error
            await self._news()
        return self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)

    def _accept(self, headers: dict[str, str]) -> None:
        if int(headers.get("content-length", "0")) > BODY_LIMIT:
            raise UpstreamBroken(_TOO_LONG)
        self._begin()
        self._wake()

    def _take(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > BODY_LIMIT:
            raise UpstreamBroken(_TOO_LONG)
        self._parts.append(data)


class StreamAnswer(Answer):
    """Splits the body into events; the waiting task is woken when some are complete."""

    _buffered = 0
    _past: Past | None = None

    def __init__(self, flow: Flow, timeouts: Timeouts, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(flow, timeouts, loop)
        self._splitter = sse.Splitter()
        self._ready: list[bytes] = []

    def frames(self, past: Past | None = None) -> AsyncIterator[list[bytes]]:
        """The events as they arrive, but for those that ``past`` takes."""
        self._past = past
        return _Frames(self)

    async def more(self) -> list[bytes] | None:
        """What has arrived since the last call, at least one event; None at the end."""
        while not self._ready:
            if self.error is not None:
                raise self.error
            if self.complete:
                return None
            await self._news()
        frames, self._ready = self._ready, []
        if self._buffered > BUFFER_LIMIT:
            self._flow.resume()
        self._buffered = 0
        return frames

    def _accept(self, headers: dict[str, str]) -> None:
        kind = headers.get("content-type", "").partition(";")[0]
        if kind.strip().lower() != "text/event-stream":
            raise UpstreamBroken("a streaming call was answered with something other than an event stream")

    def _take(self, data: bytes) -> None:
        try:
            frames = self._splitter.feed(data)
        except ValueError:
            raise UpstreamBroken("an event of the stream is too long") from None
        if frames:
            self._keep(frames)
        self._buffered += len(data)
        if not self._ready:
            self._buffered = 0 if frames else self._buffered
        elif self._buffered > BUFFER_LIMIT:
            self._flow.pause()

    def _keep(self, frames: list[bytes]) -> None:
        kept = [frame for frame in frames if frame.startswith(b"data:") or _DATA_LINE.search(frame)]
        if not kept or self._went_past(kept):
            return
        self._ready += kept
        if not self._begun:
            self._begin()
        self._wake()

    def _went_past(self, frames: list[bytes]) -> bool:
        """Only while the reader waits: what it has in hand goes before."""
        if self._past is None or self._ready or not self._is_awaited():
            return False
        try:
            return self._past(frames)
        except UpstreamError as error:
            self.fail(error)
            return True

    def _finish(self, *, framed: bool) -> None:
        """What is left without its blank line is an event all the same, if it is surely whole."""
        rest = self._splitter.rest()
        event = rest.rstrip(b"\r\n")
        if event == _LAST_EVENT or ((framed or rest.endswith((b"\r\r", b"\n\r"))) and _is_whole(event)):
            self._keep([event + b"\n\n"])
        elif event:
            self._spoil("the stream stopped inside an event")
        if not self._begun:
            self._spoil("the stream ended before its first event")

    def _spoil(self, detail: str) -> None:
        self.complete = False
        self.fail(UpstreamBroken(detail))


def _is_whole(event: bytes) -> bool:
    """Whether an event says all it was to say: what a proxy has cut may be framed well all the same."""
    data = sse.data(event)
    if data.strip() == b"[DONE]":
        return True
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return False
    return True


class _Frames:
    """Iterates without a generator, which would have to be closed when it is left early."""

    __slots__ = ("_answer",)

    def __init__(self, answer: StreamAnswer) -> None:
        self._answer = answer

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[bytes]:
        frames = await self._answer.more()
        if frames is None:
            raise StopAsyncIteration
        return frames
