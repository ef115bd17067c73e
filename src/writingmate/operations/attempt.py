"""One attempt at a background response: a client that nobody is behind, which keeps what it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Mapping

from writingmate.dialects.responses_background import Resource
from writingmate.errors import ClientLeft, UpstreamBroken, WritingmateError
from writingmate.memory.queue_store import QueueStore, ResponseKey
from writingmate.metering.commands import Ending, Task
from writingmate.operations.journal import Journal
from writingmate.operations.response_seal import Sealing
from writingmate.telemetry import log
from writingmate.wire import document, sse


class Attempt:
    """`client.Client` and `client.Keeping` of it.

    It is ``accepted`` once its hold is open, waits for one of ``slots`` and then begins. ``stop`` ends it
    wherever it is: for good, or, with ``back``, so that it can be begun again.

    Args:
        task: what its hold and its settlement take with them.
        resource: the response.
        store: where it is queued.
        sealing: for what is stored.
        slots: how many may run at once.
        journal: of its events, if it has a stream.
    """

    def __init__(  # each is a part of it
        self,
        task: Task,
        resource: Resource,
        store: QueueStore,
        sealing: Sealing,
        slots: asyncio.Semaphore,
        journal: Journal | None,
    ) -> None:
        self.key = ResponseKey(task.workspace_id, task.response_id)
        self.request_id = task.request_id
        self.accepted = asyncio.Event()
        self.back = False
        self.failed: bytes | None = None  # the object that an error after the first event ended
        self.ending: Ending | None = None
        self.facts: dict[str, str | int | float | None] = {}
        self._task = task
        self._resource = resource
        self._store = store
        self._sealing = sealing
        self._slots = slots
        self.journal = journal
        self._stopped = asyncio.Event()

    @property
    def claim(self) -> Task:
        """Taken with the hold."""
        return self._task

    @property
    def stopped(self) -> bool:
        """Whether it was told to stop."""
        return self._stopped.is_set()

    def stop(self, *, back: bool = False) -> None:
        """End it; the first word counts."""
        if not self._stopped.is_set():
            self.back = back
            self._stopped.set()

    async def kept(self, headers: Mapping[str, str], last: bytes, answered: bytes | None) -> Ending | None:
        """The end of the response, with every event before its last one written."""
        del headers, last
        try:
            status, body = self._resource.ended(answered or b"")
            sealed = await self._sealing.closed(self.key, "response", body)
        except WritingmateError as error:
            log.failure("response_not_kept", error, request_id=self.request_id)
            return None
        if self.journal is not None:
            await self.journal.flushed()
        self.ending = Ending(status, sealed)
        return self.ending

    async def reply(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """A whole answer; it has been kept by now."""

    async def start(self, headers: Mapping[str, str]) -> None:
        """Nothing comes before the first event."""

    async def send(self, frames: bytes) -> None:
        """Keep events; waits while they come faster than they are written."""
        if self.journal is not None:
            await self.journal.room()
            self.push(frames)

    def ready(self) -> bool:
        """Whether events are written as fast as they come."""
        return self.journal is not None and self.journal.ready()

    def push(self, frames: bytes) -> None:
        """Keep events."""
        if self.journal is not None:
            self.journal.add(self.journal.numbering.take(frames))

    async def finish(self, frames: bytes = b"") -> None:
        """The last events: kept, unless it is an error after the end was settled, which is told already."""
        if self.journal is None:
            return
        kept = list(self.journal.numbering.take(frames))
        if self.ending is None:
            failed = [frame for frame in kept if sse.name(frame) == b"response.failed"]
            self.failed = _body(failed[0]) if failed else None
        elif any(sse.name(frame) == b"response.failed" for frame in kept) and self.ending.status != "failed":
            return
        self.journal.add(kept)
        await self.journal.flushed()

    async def while_connected(self, work: Awaitable[None]) -> None:
        """Run ``work`` in its turn, until it is told to stop."""
        self.accepted.set()
        running = asyncio.ensure_future(self._in_turn(work))
        stopping = asyncio.ensure_future(self._stopped.wait())
        try:
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                await running
            elif self.back:
                raise asyncio.CancelledError
            else:
                raise ClientLeft
        finally:
            running.cancel()
            stopping.cancel()
            await asyncio.gather(running, stopping, return_exceptions=True)

    async def _in_turn(self, work: Awaitable[None]) -> None:
        try:
            async with self._slots:
                body = self._resource.state("in_progress")
                sealed = await self._sealing.closed(self.key, "response", body)
                if not await self._store.begin(self.key, self.request_id, sealed):
                    raise ClientLeft
                await work
        finally:
            if isinstance(work, Coroutine):
                work.close()  # nothing, if it was awaited


def _body(frames: bytes) -> bytes:
    """The response in the last event of a stream. Raises UpstreamBroken if there is none."""
    for frame in reversed(sse.Splitter().feed(frames)):
        if sse.name(frame):
            members = document.parse(sse.data(frame))
            return bytes(members.get("response", b""))
    raise UpstreamBroken("a stream ended without its last event")
