"""What is kept of a response, sealed for its own row and column only."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

import msgspec

from writingmate.errors import Unavailable, WritingmateError
from writingmate.memory.queue_store import Events, ResponseKey
from writingmate.operations.kept import LARGE, Seal

_LEVEL: Final = 1
_FRAMES = msgspec.msgpack.Decoder(list[bytes])


class Sealing:
    """Seals and opens; what is large in a thread. Opening raises Unavailable where it does not open."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal

    async def closed(self, key: ResponseKey, column: str, plain: bytes) -> bytes:
        """``plain`` for a column of a response's row. Raises a WritingmateError if it cannot be sealed."""
        return await _run(partial(self._close, _context(key, column), plain), len(plain))

    async def opened(self, key: ResponseKey, column: str, sealed: bytes) -> bytes:
        """What was closed."""
        return await _run(partial(self._open, _context(key, column), sealed), len(sealed) * 8)

    async def unsealed(
        self, sealed: Iterable[tuple[ResponseKey, str, bytes]], most: int
    ) -> list[bytes] | None:
        """What was closed of many columns, in one go; None if it is more than ``most`` bytes together."""
        return await asyncio.to_thread(self._open_all, list(sealed), most)

    async def packed(self, key: ResponseKey, first: int, frames: Sequence[bytes]) -> Events:
        """Whole events, the first of number ``first``. Raises a WritingmateError if it cannot be sealed."""
        plain = msgspec.msgpack.encode(frames)
        return Events(first, await self.closed(key, f"events {first}", plain))

    async def frames(self, key: ResponseKey, events: Events) -> list[bytes]:
        """What was packed."""
        return _FRAMES.decode(await self.opened(key, f"events {events.first}", events.sealed))

    def _close(self, context: bytes, plain: bytes) -> bytes:
        return self._seal.seal(zlib.compress(plain, _LEVEL), context)

    def _open_all(self, sealed: list[tuple[ResponseKey, str, bytes]], most: int) -> list[bytes] | None:
        plain = []
        for key, column, each in sealed:
            plain.append(self._open(_context(key, column), each, most))
            most -= len(plain[-1])
            if most < 0:
                return None
        return plain

    def _open(self, context: bytes, sealed: bytes, most: int = -1) -> bytes:
        """With ``most`` no more than a byte beyond it."""
        try:
            return zlib.decompressobj().decompress(self._seal.open(sealed, context), most + 1)
        except (WritingmateError, zlib.error) as error:
            raise Unavailable(
                "This response cannot be opened at the moment. Try again later; if it stays, the operator "
                "has to look for the master key that it was sealed with."
            ) from error


async def _run(work: partial[bytes], size: int) -> bytes:
    return work() if size < LARGE else await asyncio.to_thread(work)


def _context(key: ResponseKey, column: str) -> bytes:
    return "\0".join((*key, column)).encode()
