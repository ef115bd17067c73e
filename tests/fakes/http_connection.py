"""The server's side of one HTTP/1.1 connection: requests read, one at a time, answered by a coroutine."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeAlias, cast

import httptools


class HungUp(Exception):
    """The client closed its connection before the answer was complete."""


@dataclass(slots=True)
class Request:
    """What arrived: header names in lower case, the body whole."""

    method: str = ""
    path: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


Answering: TypeAlias = Callable[["ServedConnection", Request], Awaitable[None]]


class ServedConnection(asyncio.Protocol):
    """Reads requests with httptools; ``answer`` runs as a task, cancelled when the client leaves.

    A ``dropped`` connection is closed as soon as it is accepted.
    """

    def __init__(self, answer: Answering, *, dropped: bool = False) -> None:
        self._answer = answer
        self._dropped = dropped
        self._parser = httptools.HttpRequestParser(self)
        self._request = Request()
        self._body = bytearray()
        self._drained: asyncio.Future[None] | None = None
        self.transport: asyncio.Transport | None = None
        self.task: asyncio.Task[None] | None = None
        self.lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=1, low=0)
        if self._dropped:
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # the protocol's signature
        self.lost = True
        if self.task is not None and not self.task.done():
            self.task.cancel()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def pause_writing(self) -> None:
        self._drained = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

    def on_url(self, url: bytes) -> None:
        self._request.path += url.decode("ascii")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._request.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        request, self._request = self._request, Request()
        request.method = self._parser.get_method().decode()
        request.body, self._body = bytes(self._body), bytearray()
        self.task = asyncio.get_running_loop().create_task(self._serve(request))

    async def _serve(self, request: Request) -> None:
        try:
            await self._answer(self, request)
        except HungUp:
            return

    async def write(self, data: bytes) -> None:
        """Write, and wait until the kernel has it all. Raises HungUp if the client has left."""
        if self.transport is None or self.lost:
            raise HungUp
        self.transport.write(data)
        if self._drained is not None:
            await self._drained

    def close(self, *, reset: bool = False) -> None:
        """End the connection, with what was written sent first or, with ``reset``, at once."""
        if self.transport is None:
            return
        if reset:
            self.transport.abort()
        else:
            self.transport.close()


def response_head(status: int, headers: Mapping[str, str]) -> bytes:
    """Status line and headers, with the blank line that ends them."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = "Unknown"
    lines = [f"HTTP/1.1 {status} {phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
