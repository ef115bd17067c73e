"""Clients that ask and, as told, leave: as little as HTTP/1.1 needs, so that thousands fit in a test."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Heard:
    """What a client got: the status (0 if it left before), and whether the answer came to its end."""

    status: int
    complete: bool
    text: bytes = b""


async def ask(api: str, key: str, body: dict[str, Any], *, leave_after: int | None = None) -> Heard:
    """POST a chat request on a connection of its own; close it after so many bytes of the answer."""
    where = urlsplit(api)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    try:
        writer.write(_request(f"{where.path}/chat/completions", key, body))
        return await _answer(reader, leave_after)
    finally:
        writer.close()


async def _answer(reader: asyncio.StreamReader, leave_after: int | None) -> Heard:
    received = b""
    while leave_after is None or len(received) < leave_after:
        piece = await reader.read(65536)
        if not piece:
            break
        received += piece
    status = int(received.split(b" ", 2)[1]) if received else 0
    return Heard(status, leave_after is None, received)


def _request(path: str, key: str, body: dict[str, Any]) -> bytes:
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {key}\r\nconnection: close\r\n"
        f"content-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content
