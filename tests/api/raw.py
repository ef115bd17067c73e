"""A client that writes bytes and reads answers, so that it can be as rude as the tests need."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import msgspec

PATIENCE = 20.0


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    version: str = "HTTP/1.1"

    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    @property
    def error(self) -> dict[str, Any]:
        """The members of the envelope, which must be complete."""
        members: dict[str, Any] = self.json()["error"]
        assert set(members) == {"message", "type", "param", "code"}
        assert self.headers["content-type"] == "application/json"
        assert self.headers["x-request-id"].startswith("req_")
        return members


class Line:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def request(self, method: str, path: str, *, body: bytes = b"", **headers: str) -> None:
        """A well-formed request; header names have underscores for hyphens."""
        lines = [f"{method} {path} HTTP/1.1", "host: test"]
        if body or method == "POST":
            headers.setdefault("content_length", str(len(body)))
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)

    async def head(self) -> tuple[str, int, dict[str, str]]:
        async with asyncio.timeout(PATIENCE):
            status = (await self.reader.readline()).decode()
            version, code, _ = status.split(" ", 2)
            headers = {}
            while line := (await self.reader.readline()).strip():
                name, _, value = line.decode("latin-1").partition(": ")
                headers[name] = value
            return version, int(code), headers

    async def answer(self, *, bodiless: bool = False) -> Answer:
        version, status, headers = await self.head()
        async with asyncio.timeout(PATIENCE):
            body = b"" if bodiless else await self._body(status, headers)
        return Answer(status, headers, body, version)

    async def chunk(self) -> bytes:
        """One chunk of a chunked body; empty at its end."""
        async with asyncio.timeout(PATIENCE):
            size = int(await self.reader.readline(), 16)
            piece = await self.reader.readexactly(size)
            await self.reader.readexactly(2)
            return piece

    async def closed(self) -> bool:
        """The server has nothing more to say and ends the connection."""
        async with asyncio.timeout(PATIENCE):
            try:
                return await self.reader.read(1) == b""
            except ConnectionResetError:
                return True

    async def _body(self, status: int, headers: dict[str, str]) -> bytes:
        if status in {204, 304} or status < 200:
            return b""
        if headers.get("transfer-encoding") == "chunked":
            pieces = []
            while piece := await self.chunk():
                pieces.append(piece)
            return b"".join(pieces)
        if "content-length" in headers:
            return await self.reader.readexactly(int(headers["content-length"]))
        return await self.reader.read()

    async def close(self) -> None:
        self.writer.close()
        with suppress(ConnectionError, TimeoutError):
            await self.writer.wait_closed()


@asynccontextmanager
async def dial(port: int) -> AsyncIterator[Line]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 26)
    line = Line(reader, writer)
    try:
        yield line
    finally:
        await line.close()


async def until(condition: Callable[[], object]) -> None:
    """Let others run until something is so."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110  what is waited for tells nobody
            await asyncio.sleep(0)


async def ask(port: int, method: str, path: str, *, body: bytes = b"", **headers: str) -> Answer:
    """One request on a connection of its own."""
    async with dial(port) as line:
        await line.request(method, path, body=body, **headers)
        return await line.answer(bodiless=method == "HEAD")
