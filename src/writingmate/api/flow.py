"""A connection that holds back: no more is taken in than is read, nor given out than is taken."""

from __future__ import annotations

import asyncio
from typing import cast

from writingmate.api.presence import Line


class Flow(asyncio.Protocol):
    """The base of `protocol.Protocol`; ``line`` is what its requests see of the client's connection."""

    transport: asyncio.Transport
    line: Line

    def __init__(self) -> None:
        self._paused = False
        self._writable: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is here."""
        self.transport = cast("asyncio.Transport", transport)
        self.line = Line(self.transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone; nobody needs to wait for it to read."""
        del exc
        self.resume_writing()

    def pause_writing(self) -> None:
        """The client reads slower than answers come."""
        self.line.full = True

    def resume_writing(self) -> None:
        """It has caught up."""
        self.line.full = False
        if self._writable is not None:
            self._writable.set_result(None)
            self._writable = None

    async def writable(self) -> None:
        """Wait until the client has read enough of what was sent, or has left."""
        while self.line.full:
            if self._writable is None:
                self._writable = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._writable)

    def pause(self) -> None:
        """Take nothing in until `resume`."""
        if not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        """Take in what comes."""
        if self._paused:
            self._paused = False
            self.transport.resume_reading()
