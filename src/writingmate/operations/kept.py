"""An answer as it is kept for an idempotency key: packed, compressed and sealed.

Nothing of it can be read from the database without the installation's master keys, and what was
sealed for one key of one user opens for no other.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterator
from functools import partial
from typing import Final, Protocol

import msgspec

from writingmate.metering.commands import ClaimKey

MOST_BYTES: Final = 16 << 20
"""Bytes of the largest answer that is kept, as the client gets it."""
LARGE: Final = 16 << 10
"""Bytes from which the work is done in a thread."""
BATCH: Final = 64 << 10
"""Bytes of events that are sent together, so that a slow client holds back the rest."""

_LEVEL: Final = 1
"""A stream gets forty times smaller, a text less than three; higher levels cost more than they save."""


class Seal(Protocol):
    """`vault.box.Box`: what was sealed opens only with the same ``context``; may be used by threads.

    Raises a WritingmateError where master keys are missing or it was changed.
    """

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """``plain``, so that nobody can read or change it."""

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """What was sealed."""


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """One answer: a stream's ``pieces`` are whole events as they were sent, ``last`` what ended it.

    A whole answer has no pieces; ``last`` is its body.
    """

    status: int
    streamed: bool
    headers: dict[str, str]
    pieces: list[bytes]
    last: bytes

    def batches(self) -> Iterator[bytes]:
        """The pieces, some at a time."""
        batch: list[bytes] = []
        size = 0
        for piece in self.pieces:
            batch.append(piece)
            size += len(piece)
            if size >= BATCH:
                yield b"".join(batch)
                batch, size = [], 0
        if batch:
            yield b"".join(batch)


async def sealed(kept: Kept, seal: Seal, key: ClaimKey) -> bytes:
    """What is stored. Raises a WritingmateError if it cannot be sealed."""
    pack = partial(_pack, kept, seal, key)
    size = len(kept.last) + sum(map(len, kept.pieces))
    return pack() if size < LARGE else await asyncio.to_thread(pack)


async def opened(stored: bytes, seal: Seal, key: ClaimKey) -> Kept:
    """What was stored. Raises a WritingmateError if it does not open."""
    unpack = partial(_unpack, stored, seal, key)
    return unpack() if len(stored) < LARGE // 8 else await asyncio.to_thread(unpack)


def _pack(kept: Kept, seal: Seal, key: ClaimKey) -> bytes:
    return seal.seal(zlib.compress(msgspec.msgpack.encode(kept), _LEVEL), _context(key))


def _unpack(stored: bytes, seal: Seal, key: ClaimKey) -> Kept:
    return msgspec.msgpack.decode(zlib.decompress(seal.open(stored, _context(key))), type=Kept)


def _context(key: ClaimKey) -> bytes:
    return "\0".join(key).encode()
