"""What trials are made of: who asks, what, and the picture that they show."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from anthropic import AsyncAnthropic
from openai import AsyncOpenAI
from pydantic import BaseModel

SAID = "Hello, you"
ASKED = f"Reply with exactly: {SAID}"
PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


class City(BaseModel):
    """What an answer must fit."""

    name: str
    people: int


@dataclass(frozen=True)
class Run:
    """Who asks what model, and how."""

    client: AsyncOpenAI
    anthropic: AsyncAnthropic
    model: str
    stream: bool


Trial = Callable[[Run], Awaitable[None]]


def _picture() -> str:
    """A red dot, as base64."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\x00\xff\x00\x00")
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return base64.b64encode(png).decode()


PICTURE = _picture()
