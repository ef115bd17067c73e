"""``background: true``: a response is queued, answered at once, and runs without its client.

The row of the queue is written with the hold, so what is refused is refused at once and no limit is
overshot. The process that took it runs it with that hold; if it dies, or is told to end, whoever claims
the row runs it again with a hold of its own (`attempts`).
"""

from __future__ import annotations

import asyncio
import time

from writingmate.dialects import responses_reasoning
from writingmate.dialects.exchange import GRAMMARS
from writingmate.dialects.grammar import given, on
from writingmate.dialects.responses_background import Numbering, Resource
from writingmate.errors import InvalidRequest, Unavailable
from writingmate.memory.queue_store import QueueStore, ResponseKey
from writingmate.metering.commands import Claim, QueuedRow, Task
from writingmate.operations.attempt import Attempt
from writingmate.operations.attempts import Attempts, Generation, our_fault
from writingmate.operations.client import Client, Request
from writingmate.operations.conversations import Conversations
from writingmate.operations.follow import Following
from writingmate.operations.response_seal import Sealing
from writingmate.types import Principal
from writingmate.wire import document
from writingmate.wire.document import Document


class Background:
    """Takes responses for the background, and cancels them.

    Args:
        generate: one text generation, for what is not for the background.
        attempts: runs them.
        store: the queue.
        sealing: for what is stored.
        following: streams of events.
        conversations: what its requests go on.
    """

    def __init__(  # each is a part that the composition root chooses
        self,
        generate: Generation,
        attempts: Attempts,
        store: QueueStore,
        sealing: Sealing,
        following: Following,
        conversations: Conversations,
    ) -> None:
        self._generate = generate
        self._attempts = attempts
        self._store = store
        self._sealing = sealing
        self._following = following
        self._conversations = conversations

    async def run(self, principal: Principal, request: Request, client: Client) -> None:
        """Answer one request for a response, in the background or not. Raises ApiError and StalePrincipal."""
        body = request.body
        if b'"background"' in body or b"\\u" in body:
            asked = document.parse(body)
            GRAMMARS["responses"].check(asked)
            if on(asked, "background"):
                await self._accept(asked, principal, request, client)
                return
        await self._generate("responses", principal, request, client)

    async def cancel(self, response_id: str, principal: Principal, _: Request, client: Client) -> None:
        """Cancel a response for good; one that has ended stays as it is. Raises ApiError."""
        key = ResponseKey(principal.workspace_id, response_id)
        page = await self._store.page(key, 0)
        if page is None:
            raise self._following.unknown(response_id)
        if not page.background:
            raise InvalidRequest(
                "Cannot cancel a synchronous response: only one that was created with 'background' can be "
                "cancelled."
            )
        body = await self._sealing.opened(key, "response", page.response)
        cancelled = Resource(body).state("cancelled")
        if await self._store.cancel(key, await self._sealing.closed(key, "response", cancelled)):
            body = cancelled
            self._attempts.stop(key)
            self._following.wake(key)
        else:
            page = await self._store.page(key, 0)
            if page is None:
                raise self._following.unknown(response_id)
            body = await self._sealing.opened(key, "response", page.response)
        shown = responses_reasoning.shown(body, included=False)
        await client.reply(200, {"x-writingmate-workspace": principal.workspace_id}, shown)

    async def _accept(self, asked: Document, principal: Principal, request: Request, client: Client) -> None:
        streamed = on(asked, "stream")
        if self._attempts.full:
            raise Unavailable("Too many responses are waiting to be run here. Try again in a few seconds.")
        if streamed and request.keeping is not None:
            raise InvalidRequest(
                "An Idempotency-Key cannot be used for a background response with a stream: leave out the "
                "key, or 'stream'.",
                param="stream",
                code="unsupported_parameter",
            )
        slug = document.value(asked["model"])
        resource = Resource.queued(asked, slug=slug, identity=request.id)
        attempt = await self._first(asked, principal, request, resource, streamed=streamed)
        running = self._attempts.begun(attempt, principal, request, resource)
        accepted = asyncio.ensure_future(attempt.accepted.wait())
        await asyncio.wait({running, accepted}, return_when=asyncio.FIRST_COMPLETED)
        accepted.cancel()
        if not attempt.accepted.is_set():
            await running
            raise our_fault(request.id)
        request.facts.update(attempt.facts)
        headers = {"x-writingmate-workspace": principal.workspace_id}
        if streamed:
            await client.while_connected(self._following.follow(attempt.key, -1, headers, client))
        else:
            await client.reply(200, headers, resource.state("queued"))

    async def _first(
        self, asked: Document, principal: Principal, request: Request, resource: Resource, *, streamed: bool
    ) -> Attempt:
        """The attempt of the request itself, with the row that its hold writes."""
        key = ResponseKey(principal.workspace_id, resource.response_id)
        numbering = Numbering(resource, 0)
        said = await self._conversations.own(principal.workspace_id, asked)
        events = await self._sealing.packed(key, 0, numbering.opening()) if streamed else None
        body = resource.state("queued")
        now = time.time()
        row = QueuedRow(
            *key,
            principal.user_id,
            principal.key_id,
            request.id,
            _text(asked, "previous_response_id"),
            now,
            now + self._conversations.seconds,
            await self._sealing.closed(key, "items", said),
            await self._sealing.closed(key, "response", body),
            await self._sealing.closed(key, "request", request.body),
            self._attempts.node.node_id,
            None if events is None else events.sealed,
        )
        claim, answer = None, None
        if request.keeping is not None and isinstance(request.keeping.claim, Claim):
            claim = request.keeping.claim
            headers = {"x-writingmate-workspace": principal.workspace_id}
            kept = await request.keeping.kept(headers, body, None)
            answer = kept if isinstance(kept, bytes) else None
        task = Task(*key, request.id, row, claim, answer)
        return self._attempts.made(task, resource, numbering if streamed else None)


def _text(asked: Document, name: str) -> str | None:
    return str(document.value(asked[name])) if given(asked, name) else None
