"""Responses of the background in their table: who runs which, how they end, and their events.

A row belongs to an attempt, which is named by its ``request_id``; whatever an attempt writes is written
only while the row is still its own. So an attempt that was taken over changes nothing any more, however
late it comes. Everything raises Unavailable when the database is out of reach.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    update,
)

from writingmate.storage.engine import Database
from writingmate.storage.tables import nodes, response_events, response_items, responses

OPEN: Final = ("queued", "in_progress")
"""Statuses of a response that is still to come."""
LONGEST: Final = 64
"""Characters of a response's id."""
PAGE: Final = 100
"""Responses that are deleted in one transaction, so that requests never wait long behind it."""
BATCHES: Final = 32
"""Rows of events that are read at once."""


class ResponseKey(NamedTuple):
    """The primary key of `responses`."""

    workspace_id: str
    response_id: str

    @property
    def possible(self) -> bool:
        """Whether there can be such a row: an id may be whatever somebody sends."""
        return is_name(self.response_id, LONGEST)


def is_name(text: str, longest: int) -> bool:
    """Whether a text can be the id of something, and may be asked a database for."""
    return 0 < len(text) <= longest and text.isascii() and text.isprintable()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A response that was claimed for an attempt; ``attempts`` counts this one. Columns are sealed."""

    key: ResponseKey
    request_id: str
    key_id: str
    attempts: int
    request: bytes = field(repr=False)
    response: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Events:
    """The number of the first of some events, and they themselves, sealed."""

    first: int
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Page:
    """What there is of a response, in one snapshot."""

    background: bool
    status: str
    response: bytes = field(repr=False)
    events: Sequence[Events] = field(repr=False)


class QueueStore:
    """The background of one database; ``now`` gives UNIX seconds, where that has no clock of its own."""

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now

    async def claim(self, node_id: str, request_id: str) -> Waiting | None:
        """The oldest response that no living node runs, for an attempt of ``node_id``; None if there is none.

        Of several who claim the same row one gets it.
        """
        now = self._clock()
        if not await self._database.read(partial(_any_free, now=now)):
            return None
        return await self._database.write(partial(_claim, node_id=node_id, request_id=request_id, now=now))

    async def begin(self, key: ResponseKey, request_id: str, response: bytes) -> bool:
        """From queued to in progress; False if the row is not this attempt's or was cancelled."""
        return await self._change(key, request_id, status="in_progress", response=response)

    async def end(self, key: ResponseKey, request_id: str, status: str, response: bytes) -> bool:
        """End it; False if the row is not this attempt's, or has ended."""
        return await self._change(
            key, request_id, status=status, response=response, request=None, node_id=None
        )

    async def give_back(self, key: ResponseKey, request_id: str, response: bytes) -> bool:
        """Back to the queue, as if this attempt had not been; False if the row is not its own."""
        return await self._change(
            key,
            request_id,
            status="queued",
            response=response,
            node_id=None,
            attempts=responses.c.attempts - 1,
        )

    async def let_go(self, key: ResponseKey, request_id: str) -> bool:
        """Leave it to whoever claims it; the attempt counts."""
        return await self._change(key, request_id, node_id=None)

    async def forget(self, key: ResponseKey, request_id: str) -> None:
        """Delete it with its events, if it still waits for this attempt."""
        await self._database.write(partial(_forget, key=key, request_id=request_id))

    async def cancel(self, key: ResponseKey, response: bytes) -> bool:
        """Cancel whatever attempt it is at, for good; False if it has ended."""
        change = partial(
            _update,
            where=and_(_of(key), responses.c.background.is_(True), responses.c.status.in_(OPEN)),
            values={
                "status": "cancelled",
                "response": response,
                "request": None,
                "node_id": None,
                "cancelled_at": self._now(),
            },
        )
        return await self._database.write(change)

    async def add(self, key: ResponseKey, request_id: str, events: Events) -> bool:
        """Write events behind those that are there; False if the row is not this attempt's any more."""
        return await self._database.write(partial(_add, key=key, request_id=request_id, events=events))

    async def last(self, key: ResponseKey) -> Events | None:
        """The newest events; None for a response that has none."""
        return await self._database.read(partial(_last, key=key))

    async def page(self, key: ResponseKey, number: int) -> Page | None:
        """A response and its events from the one of ``number`` on, at most some rows; None if there is none.

        What the row of that one holds before it comes too. What has expired is not there any more.
        """
        if not key.possible:
            return None
        return await self._database.read(partial(_page, key=key, number=number, now=self._now()))

    async def delete_expired(self) -> int:
        """Delete what has ended and is kept no longer, page by page; how many."""
        now = self._now()
        total = 0
        while True:
            found = await self._database.write(partial(_delete_page, now=now))
            total += found
            if found < PAGE:
                return total

    async def running(self, node_id: str) -> set[tuple[ResponseKey, str]]:
        """Every response that is the node's, with the attempt that it is at."""
        return await self._database.read(partial(_running, node_id=node_id))

    async def _change(self, key: ResponseKey, request_id: str, **values: Any) -> bool:  # noqa: ANN401  # of columns
        where = and_(_mine(key, request_id), responses.c.status.in_(OPEN))
        return await self._database.write(partial(_update, where=where, values=values))

    def _clock(self) -> ColumnElement[Any]:
        """The clock that leases go by."""
        if self._database.dialect == "postgresql":
            return func.extract("epoch", func.clock_timestamp())
        return literal(self._now())


def _of(key: ResponseKey) -> ColumnElement[bool]:
    return and_(responses.c.workspace_id == key[0], responses.c.response_id == key[1])


def _mine(key: ResponseKey, request_id: str) -> ColumnElement[bool]:
    return and_(_of(key), responses.c.request_id == request_id)


def _free(now: ColumnElement[Any]) -> ColumnElement[bool]:
    """To be run, and by no living node."""
    alive = exists().where(
        nodes.c.node_id == responses.c.node_id, nodes.c.heartbeat_at + nodes.c.lease_seconds >= now
    )
    nobody = or_(responses.c.node_id.is_(None), ~alive)
    return and_(responses.c.background.is_(True), responses.c.status.in_(OPEN), nobody)


def _any_free(connection: Connection, now: ColumnElement[Any]) -> bool:
    """What can be told without a lock, for most of the time nothing waits."""
    return connection.execute(select(literal(1)).where(exists().where(_free(now)))).first() is not None


def _claim(connection: Connection, node_id: str, request_id: str, now: ColumnElement[Any]) -> Waiting | None:
    found = connection.execute(
        select(responses.c.workspace_id, responses.c.response_id, responses.c.request_id)
        .where(_free(now))
        .order_by(responses.c.created_at)
        .limit(1)
        .with_for_update(of=responses, skip_locked=True)
    ).first()
    if found is None:
        return None
    key = ResponseKey(found.workspace_id, found.response_id)
    row = connection.execute(
        update(responses)
        .where(_mine(key, found.request_id), _free(now))
        .values(node_id=node_id, request_id=request_id, attempts=responses.c.attempts + 1)
        .returning(responses.c.key_id, responses.c.attempts, responses.c.request, responses.c.response)
    ).first()
    return (
        None if row is None else Waiting(key, request_id, row.key_id, row.attempts, row.request, row.response)
    )


def _update(connection: Connection, where: ColumnElement[bool], values: dict[str, Any]) -> bool:
    return connection.execute(update(responses).where(where).values(values)).rowcount == 1


def _forget(connection: Connection, key: ResponseKey, request_id: str) -> None:
    gone = delete(responses).where(_mine(key, request_id), responses.c.status == "queued")
    if connection.execute(gone).rowcount:
        connection.execute(delete(response_events).where(_events_of(key)))


def _add(connection: Connection, key: ResponseKey, request_id: str, events: Events) -> bool:
    """The row is locked by changing nothing, so that nobody takes it over before these are written."""
    where = and_(_mine(key, request_id), responses.c.status != "cancelled")
    if not _update(connection, where, {"request_id": request_id}):
        return False
    connection.execute(
        insert(response_events).values(
            workspace_id=key[0], response_id=key[1], first=events.first, sealed=events.sealed
        )
    )
    return True


def _events_of(key: ResponseKey) -> ColumnElement[bool]:
    return and_(response_events.c.workspace_id == key[0], response_events.c.response_id == key[1])


def _last(connection: Connection, key: ResponseKey) -> Events | None:
    table = response_events.c
    query = select(table.first, table.sealed).where(_events_of(key)).order_by(table.first.desc()).limit(1)
    row = connection.execute(query).first()
    return None if row is None else Events(row.first, row.sealed)


def _page(connection: Connection, key: ResponseKey, number: int, now: float) -> Page | None:
    row = connection.execute(
        select(
            responses.c.background, responses.c.status, responses.c.response, responses.c.expires_at
        ).where(_of(key))
    ).first()
    if row is None or (row.expires_at <= now and row.status not in OPEN):
        return None
    table = response_events.c
    start = select(func.max(table.first)).where(_events_of(key), table.first <= number).scalar_subquery()
    query = (
        select(table.first, table.sealed)
        .where(_events_of(key), table.first >= func.coalesce(start, 0))
        .order_by(table.first)
        .limit(BATCHES)
    )
    events = [Events(each.first, each.sealed) for each in connection.execute(query)]
    return Page(bool(row.background), row.status, row.response, events)


def _running(connection: Connection, node_id: str) -> set[tuple[ResponseKey, str]]:
    rows = connection.execute(
        select(responses.c.workspace_id, responses.c.response_id, responses.c.request_id).where(
            responses.c.background.is_(True), responses.c.status.in_(OPEN), responses.c.node_id == node_id
        )
    )
    return {(ResponseKey(row.workspace_id, row.response_id), row.request_id) for row in rows}


def _delete_page(connection: Connection, now: float) -> int:
    page = connection.execute(
        select(responses.c.workspace_id, responses.c.response_id)
        .where(responses.c.expires_at <= now, responses.c.status.not_in(OPEN))
        .order_by(responses.c.expires_at)
        .limit(PAGE)
    ).all()
    for row in page:
        key = ResponseKey(row.workspace_id, row.response_id)
        connection.execute(delete(response_events).where(_events_of(key)))
        names = response_items.c
        connection.execute(
            delete(response_items).where(names.workspace_id == key[0], names.response_id == key[1])
        )
        connection.execute(delete(responses).where(_of(key)))
    return len(page)
