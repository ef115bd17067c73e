"""Conversations in their table: a turn and all before it, items by their names, and what is deleted.

What has expired is not there any more, whether or not it has been deleted yet. Everything raises
Unavailable when the database is out of reach.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, and_, delete, func, literal, or_, select, union

from writingmate.memory.queue_store import LONGEST, OPEN, ResponseKey, is_name
from writingmate.storage.engine import Database
from writingmate.storage.tables import entries, response_events, response_items, responses

LONGEST_NAME: Final = 128
"""Characters of an item's id."""
MOST_TURNS: Final = 10_000
"""Of one conversation that are read."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One turn; ``items`` and ``response`` are sealed. ``provider`` answered it, None if nobody knows."""

    key: ResponseKey
    previous: str | None
    status: str
    expires_at: float
    provider: str | None
    items: bytes = field(repr=False)
    response: bytes = field(repr=False)


class ConversationStore:
    """The conversations of one database; ``now`` gives UNIX seconds."""

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now

    async def chain(self, key: ResponseKey, most_bytes: int) -> Sequence[Kept]:
        """A turn and those before it, the newest first, as far as they are there; one query.

        No further than `MOST_TURNS`, nor than it takes to hold ``most_bytes`` as they are sealed.
        """
        if not key.possible:
            return []
        return await self._database.read(partial(_chain, key=key, now=self._now(), most=most_bytes))

    async def turns(
        self, workspace_id: str, response_ids: Collection[str], item_ids: Collection[str]
    ) -> Sequence[Kept]:
        """The turns of these ids, and those whose output has a provider's item of these ids."""
        ids = [each for each in response_ids if is_name(each, LONGEST)]
        named = [each for each in item_ids if is_name(each, LONGEST_NAME)]
        if not ids and not named:
            return []
        query = partial(_turns, workspace_id=workspace_id, ids=ids, item_ids=named, now=self._now())
        return await self._database.read(query)

    async def delete(self, key: ResponseKey) -> bool:
        """Delete a response with its events, whatever it is at; False if it is not there."""
        return key.possible and await self._database.write(partial(_delete, key=key, now=self._now()))


def _there(now: float) -> Any:  # noqa: ANN401  # a condition
    return or_(responses.c.expires_at > now, responses.c.status.in_(OPEN))


def _chain(connection: Connection, key: ResponseKey, now: float, most: int) -> list[Kept]:
    size = func.length(responses.c["items"]) + func.length(responses.c.response)
    chain = (
        select(
            responses.c.response_id,
            responses.c.previous_response_id,
            literal(0).label("depth"),
            size.label("size"),
        )
        .where(responses.c.workspace_id == key[0], responses.c.response_id == key[1], _there(now))
        .cte("chain", recursive=True)
    )
    earlier = (
        select(
            responses.c.response_id, responses.c.previous_response_id, chain.c.depth + 1, chain.c.size + size
        )
        .select_from(chain)
        .join(responses, responses.c.response_id == chain.c.previous_response_id)
        .where(
            responses.c.workspace_id == key[0],
            _there(now),
            chain.c.depth < MOST_TURNS,
            chain.c.size < most,
        )
    )
    chain = chain.union_all(earlier)
    query = (
        _select()
        .join(chain, chain.c.response_id == responses.c.response_id)
        .where(responses.c.workspace_id == key[0])
        .order_by(chain.c.depth)
    )
    return [_kept(row) for row in connection.execute(query)]


def _turns(
    connection: Connection, workspace_id: str, ids: Collection[str], item_ids: Collection[str], now: float
) -> list[Kept]:
    table = response_items.c
    named = select(table.response_id).where(table.workspace_id == workspace_id, table.item_id.in_(item_ids))
    known = select(responses.c.response_id).where(
        responses.c.workspace_id == workspace_id, responses.c.response_id.in_(ids)
    )
    query = _select().where(
        responses.c.workspace_id == workspace_id,
        responses.c.response_id.in_(union(known, named)),
        _there(now),
    )
    return [_kept(row) for row in connection.execute(query)]


def _select() -> Any:  # noqa: ANN401  # a Select of eight columns
    same = and_(
        entries.c.workspace_id == responses.c.workspace_id, entries.c.request_id == responses.c.request_id
    )
    return select(
        responses.c.workspace_id,
        responses.c.response_id,
        responses.c.previous_response_id,
        responses.c.status,
        responses.c.expires_at,
        entries.c.provider,
        responses.c["items"],
        responses.c.response,
    ).select_from(responses.outerjoin(entries, same))


def _kept(row: Any) -> Kept:  # noqa: ANN401  # a row of `_select`
    return Kept(ResponseKey(row[0], row[1]), *row[2:])


def _delete(connection: Connection, key: ResponseKey, now: float) -> bool:
    for table in (response_events, response_items):
        connection.execute(delete(table).where(table.c.workspace_id == key[0], table.c.response_id == key[1]))
    gone = delete(responses).where(
        responses.c.workspace_id == key[0], responses.c.response_id == key[1], _there(now)
    )
    return connection.execute(gone).rowcount == 1
