"""The events of one attempt on their way into the database: written in batches, as soon as the last is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from writingmate.dialects.responses_background import Numbering
from writingmate.errors import Unavailable, WritingmateError
from writingmate.memory.queue_store import QueueStore, ResponseKey
from writingmate.operations.response_seal import Sealing
from writingmate.telemetry import log

PAUSE: Final = 0.05
"""Seconds between two writes, so that a fast answer is some rows and not thousands."""
MOST: Final = 256 << 10
"""Bytes that may wait to be written; then the provider waits."""
TRIES: Final = 40
"""How often a write is tried while the database is out of reach, half a second apart."""
_RETRY: Final = 0.5


class Journal:
    """Writes frames in order. ``lost`` is called once it turns out that the response is another's by now.

    ``written`` is called after each batch, for those that wait for events.
    """

    def __init__(  # each is a part of the attempt
        self,
        store: QueueStore,
        sealing: Sealing,
        key: ResponseKey,
        request_id: str,
        numbering: Numbering,
        written: Callable[[], None],
        lost: Callable[[], None],
    ) -> None:
        self._store = store
        self._sealing = sealing
        self._key = key
        self._request_id = request_id
        self.numbering = numbering
        self._written = written
        self._lost = lost
        self._first = numbering.number
        self._frames: list[bytes] = []
        self._size = 0
        self._gone = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._room = asyncio.Event()
        self._room.set()
        self._writing: asyncio.Task[None] | None = None

    def add(self, frames: Iterable[bytes]) -> None:
        """More events, numbered already."""
        for frame in frames:
            self._frames.append(frame)
            self._size += len(frame)
        if self._gone or not self._frames:
            self._drop()
            return
        if self._size >= MOST:
            self._room.clear()
        if self._writing is None or self._writing.done():
            self._idle.clear()
            self._writing = asyncio.create_task(self._write())

    def ready(self) -> bool:
        """Whether more may be added without waiting."""
        return self._room.is_set()

    async def room(self) -> None:
        """Wait until more may be added."""
        await self._room.wait()

    async def flushed(self) -> None:
        """Wait until all is written, or given up."""
        await self._idle.wait()

    async def _write(self) -> None:
        try:
            while self._frames and not self._gone:
                frames, first = self._frames, self._first
                self._frames, self._size = [], 0
                self._first += len(frames)
                self._room.set()
                await self._store_batch(first, frames)
                if not self._frames:
                    break
                await asyncio.sleep(PAUSE)
        finally:
            self._room.set()
            self._idle.set()

    async def _store_batch(self, first: int, frames: list[bytes]) -> None:
        try:
            events = await self._sealing.packed(self._key, first, frames)
            kept = await self._tried(lambda: self._store.add(self._key, self._request_id, events))
        except WritingmateError as error:
            log.failure("events_not_kept", error, request_id=self._request_id)
            kept = False
        if kept:
            self._written()
            return
        self._gone = True
        self._drop()
        self._lost()

    async def _tried(self, write: Callable[[], asyncio.Future[bool] | object]) -> bool:
        for left in reversed(range(TRIES)):
            try:
                return bool(await write())  # type: ignore[misc]  # it is awaitable
            except Unavailable:
                if not left:
                    raise
                await asyncio.sleep(_RETRY)
        return False

    def _drop(self) -> None:
        self._frames, self._size = [], 0
