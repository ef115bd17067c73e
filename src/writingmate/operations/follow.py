"""The stream of a background response, from any event to its end, on any node.

Events are read from the database only, so that nobody sees one that a crash could take back. Readers on
the process that writes them are woken at once, others look again and again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from writingmate.dialects import responses_background, responses_reasoning
from writingmate.errors import InvalidRequest, NotFound
from writingmate.memory.queue_store import OPEN, Page, QueueStore, ResponseKey
from writingmate.operations.client import Client, Request
from writingmate.operations.response_seal import Sealing
from writingmate.types import Principal
from writingmate.wire import sse

POLL_SECONDS: Final = 0.25


class Following:
    """Reads events of responses and waits for more; one a process."""

    def __init__(self, store: QueueStore, sealing: Sealing) -> None:
        self._store = store
        self._sealing = sealing
        self._waiting: dict[ResponseKey, set[asyncio.Event]] = {}

    def wake(self, key: ResponseKey) -> None:
        """Something has been written of this response."""
        for event in self._waiting.get(key, ()):
            event.set()

    async def show(
        self, response_id: str, include: frozenset[str], principal: Principal, _: Request, client: Client
    ) -> None:
        """``GET /responses/{id}``. Raises ApiError."""
        key = ResponseKey(principal.workspace_id, response_id)
        page = await self._store.page(key, 0)
        if page is None:
            raise self.unknown(response_id)
        kept = await self._sealing.opened(key, "response", page.response)
        body = responses_reasoning.shown(kept, included=responses_reasoning.ENCRYPTED in include)
        await client.reply(200, {"x-writingmate-workspace": principal.workspace_id}, body)

    async def resume(
        self, response_id: str, after: int, principal: Principal, _: Request, client: Client
    ) -> None:
        """``GET /responses/{id}?stream=true``: the events behind number ``after``. Raises ApiError."""
        key = ResponseKey(principal.workspace_id, response_id)
        page = await self._store.page(key, 0)
        if page is None:
            raise self.unknown(response_id)
        if not page.background:
            raise _unstreamed("background")
        if not page.events:
            raise _unstreamed("stream")
        headers = {"x-writingmate-workspace": principal.workspace_id}
        await client.while_connected(self.follow(key, after, headers, client))

    async def follow(self, key: ResponseKey, after: int, headers: Mapping[str, str], client: Client) -> None:
        """Send every event behind number ``after`` until the response has ended."""
        await client.start(headers)
        event = asyncio.Event()
        self._waiting.setdefault(key, set()).add(event)
        try:
            await client.finish(await self._passed(key, after, event, client) + sse.DONE)
        finally:
            self._waiting[key].discard(event)
            if not self._waiting[key]:
                del self._waiting[key]

    @staticmethod
    def unknown(response_id: str) -> NotFound:
        """There is no such response in the caller's workspace."""
        return NotFound(f"Response with id '{response_id[:100]}' not found.")

    async def _passed(self, key: ResponseKey, number: int, event: asyncio.Event, client: Client) -> bytes:
        """Pass events on; what is left to send once there are no more."""
        while True:
            event.clear()
            page = await self._store.page(key, number)
            if page is None:
                return b""  # it was deleted
            frames, last = await self._behind(key, page, number)
            if frames:
                number += len(frames)
                await client.send(b"".join(frames))
            elif page.status not in OPEN:
                return await self._ending(key, page, number, last)
            else:
                with suppress(TimeoutError):
                    await asyncio.wait_for(event.wait(), POLL_SECONDS)

    async def _behind(self, key: ResponseKey, page: Page, number: int) -> tuple[list[bytes], bytes]:
        """The frames behind ``number``, and the one of that number, b"" if there is none."""
        found: list[bytes] = []
        last = b""
        for events in page.events:
            frames = await self._sealing.frames(key, events)
            if events.first <= number < events.first + len(frames):
                last = frames[number - events.first]
            found += frames[max(0, number + 1 - events.first) :]
        return found, last

    async def _ending(self, key: ResponseKey, page: Page, number: int, last: bytes) -> bytes:
        """The event that ends the stream where it was not written: the process died, or it was cancelled."""
        if not last or sse.name(last) in responses_background.FINAL:
            return b""
        kept = await self._sealing.opened(key, "response", page.response)
        response = responses_reasoning.shown(kept, included=False)
        return responses_background.ending(page.status, number + 1, response)


def _unstreamed(field: str) -> InvalidRequest:
    return InvalidRequest(
        f"This response cannot be streamed because it was not created with {field}=true. Get it without "
        "'stream'.",
        param="stream",
    )
