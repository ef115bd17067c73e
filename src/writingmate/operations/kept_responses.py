"""Kept responses as their clients read and delete them (WIRE §7.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from writingmate.dialects.responses_reasoning import ENCRYPTED
from writingmate.errors import InvalidRequest
from writingmate.memory.conversation_store import ConversationStore
from writingmate.memory.queue_store import ResponseKey
from writingmate.operations.attempts import Attempts
from writingmate.operations.client import Client, Request
from writingmate.operations.conversations import Conversations
from writingmate.operations.follow import Following
from writingmate.types import Principal


@dataclass(frozen=True, slots=True)
class Listing:
    """Which of a list's items are asked for; ``include`` as responses have it."""

    limit: int = 20
    order: Literal["asc", "desc"] = "desc"
    after: str | None = None
    include: frozenset[str] = frozenset()


class KeptResponses:
    """The operations behind ``DELETE /responses/{id}`` and ``GET /responses/{id}/input_items``."""

    def __init__(
        self, store: ConversationStore, conversations: Conversations, attempts: Attempts, following: Following
    ) -> None:
        self._store = store
        self._conversations = conversations
        self._attempts = attempts
        self._following = following

    async def delete(self, response_id: str, principal: Principal, _: Request, client: Client) -> None:
        """Delete a response; one of the background that still runs is ended. Raises ApiError."""
        key = ResponseKey(principal.workspace_id, response_id)
        if not await self._store.delete(key):
            raise self._following.unknown(response_id)
        self._attempts.stop(key)
        self._following.wake(key)
        body = msgspec.json.encode({"id": response_id, "object": "response", "deleted": True})
        await client.reply(200, {"x-writingmate-workspace": principal.workspace_id}, body)

    async def input_items(
        self, response_id: str, asked: Listing, principal: Principal, _: Request, client: Client
    ) -> None:
        """All that the model was given: the turns before, and this one's input. Raises ApiError."""
        turns = await self._conversations.before(ResponseKey(principal.workspace_id, response_id))
        if not turns:
            raise self._following.unknown(response_id)
        included = ENCRYPTED in asked.include
        last = turns[-1]
        items = {
            item["id"]: item
            for turn in turns
            for item in turn.listed(output=turn is not last, included=included)
        }
        page = _page(list(items.values()), asked)
        await client.reply(
            200, {"x-writingmate-workspace": principal.workspace_id}, msgspec.json.encode(page)
        )


def _page(items: Sequence[dict[str, Any]], asked: Listing) -> dict[str, Any]:
    if asked.order == "desc":
        items = items[::-1]
    if asked.after is not None:
        at = next((at for at, item in enumerate(items) if item["id"] == asked.after), None)
        if at is None:
            raise InvalidRequest(
                f"Invalid 'after': the response has no input item with id '{asked.after[:100]}'.",
                param="after",
                code="invalid_value",
            )
        items = items[at + 1 :]
    page = items[: asked.limit]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": len(items) > len(page),
    }
