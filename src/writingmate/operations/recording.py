"""A client whose answer is kept as well as sent, and is brought to its end even if the client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from contextlib import suppress

from writingmate.errors import ClientLeft, WritingmateError
from writingmate.metering.commands import Claim
from writingmate.operations.client import Client
from writingmate.operations.kept import MOST_BYTES, Kept, Seal, sealed
from writingmate.telemetry import log

RATES = "x-ratelimit-"
"""Headers that are true of a moment only begin so; they are not kept."""


class Recording:
    """`client.Client` and `client.Keeping` of one request that named an Idempotency-Key.

    What is sent goes on to ``client`` for as long as that is there.
    """

    __slots__ = ("_claim", "_client", "_left", "_pieces", "_seal", "_size", "_streamed")

    def __init__(self, client: Client, claim: Claim, seal: Seal) -> None:
        self._claim = claim
        self._client = client
        self._seal = seal
        self._left = False
        self._streamed = False
        self._pieces: list[bytes] = []
        self._size = 0

    @property
    def claim(self) -> Claim:
        """Taken with the request's hold."""
        return self._claim

    async def kept(self, headers: Mapping[str, str], last: bytes, answered: bytes | None) -> bytes | None:
        """The answer as it is stored; None if it is too large or cannot be sealed, which is logged."""
        del answered
        if self._size + len(last) > MOST_BYTES:
            return None
        lasting = {name: value for name, value in headers.items() if not name.startswith(RATES)}
        answer = Kept(200, self._streamed, lasting, self._pieces, last)
        try:
            return await sealed(answer, self._seal, self._claim.key)
        except WritingmateError as error:
            log.failure("answer_not_kept", error, request_id=self._claim.request_id)
            return None

    async def reply(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """A whole answer; it has been kept by now."""
        if not self._left:
            await self._client.reply(status, headers, body)

    async def start(self, headers: Mapping[str, str]) -> None:
        """Begin a stream."""
        self._streamed = True
        if not self._left:
            await self._client.start(headers)

    async def send(self, frames: bytes) -> None:
        """Keep events and pass them on."""
        self._keep(frames)
        if not self._left:
            await self._client.send(frames)

    def ready(self) -> bool:
        """As the client is."""
        return not self._left and self._client.ready()

    def push(self, frames: bytes) -> None:
        """Keep events and pass them on at once."""
        self._keep(frames)
        self._client.push(frames)

    async def finish(self, frames: bytes = b"") -> None:
        """The end of a stream; it has been kept by now."""
        if not self._left:
            await self._client.finish(frames)

    async def while_connected(self, work: Awaitable[None]) -> None:
        """Run ``work`` to its end, whether or not the client stays: it will come back for the answer.

        A cancellation of this, which is the end of the server's patience, cancels ``work``.
        """
        task = asyncio.ensure_future(work)
        try:
            with suppress(ClientLeft):
                await self._client.while_connected(_over(task))
            self._left = not task.done()
            await task
        finally:
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)

    def _keep(self, frames: bytes) -> None:
        self._size += len(frames)
        if self._size <= MOST_BYTES:
            self._pieces.append(frames)
        else:
            self._pieces.clear()


async def _over(task: asyncio.Future[None]) -> None:
    """Wait for ``task``; being cancelled ends only the waiting."""
    await asyncio.wait([task])
