"""Stored answers, read back and forgotten; the ledger writes them (`commands.Claim`)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, bindparam, case, delete, exists, select

from writingmate.errors import StalePrincipal
from writingmate.metering.commands import ClaimKey
from writingmate.storage import revisions
from writingmate.storage.engine import Database
from writingmate.storage.tables import answers, entries, holds

# Answers deleted in one transaction, so that requests never wait long behind it.
PAGE: Final = 100

_HELD: Final = exists().where(
    holds.c.workspace_id == answers.c.workspace_id, holds.c.request_id == answers.c.request_id
)
_EXPIRED: Final = (answers.c.expires_at <= bindparam("now")) & ~_HELD
_KEY: Final = (answers.c.workspace_id, answers.c.user_id, answers.c.idempotency_key)


@dataclass(frozen=True, slots=True)
class Earlier:
    """The request that an idempotency key stands for.

    Args:
        request_id: its id, which is its entry's.
        same: it asked for the same.
        answer: what was stored of it, if it is the same; None while it runs.
        messages: what it was charged; None while it runs, or where its entry is no longer kept.
    """

    request_id: str
    same: bool
    answer: bytes | None = field(repr=False)
    messages: int | None


class Answers:
    """The stored answers of one database; ``now`` gives UNIX seconds.

    Everything raises Unavailable when the database is out of reach.
    """

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database = database
        self._now = now

    async def find(self, key: ClaimKey, request_hash: bytes, revision: int) -> Earlier | None:
        """What has ``key``: a request under way, or one whose answer has not expired.

        Raises StalePrincipal if identities have changed since ``revision``: no hold will check it.
        """
        now = self._now()
        query = partial(_find, key=key, request_hash=request_hash, revision=revision, now=now)
        return await self._database.read(query)

    async def delete_expired(self) -> int:
        """Delete what has expired, page by page; how many."""
        now = self._now()
        total = 0
        while True:
            found = await self._database.write(partial(_delete_page, now=now))
            total += found
            if found < PAGE:
                return total


def _find(
    connection: Connection, key: ClaimKey, request_hash: bytes, revision: int, now: float
) -> Earlier | None:
    if revisions.read(connection, "identity") != revision:
        raise StalePrincipal("The principal was read before the last change of identities.")
    row = connection.execute(_query(key, request_hash)).first()
    if row is None or (row.held is None and (not row.answered or row.expires_at <= now)):
        return None
    return Earlier(row.request_id, row.request_hash == request_hash, row.answer, row.messages)


def _query(key: ClaimKey, request_hash: bytes) -> Any:  # noqa: ANN401  # a Select of seven columns
    """The answer itself is fetched only where it is asked for by the same request."""
    held, entry = (
        (table.c.workspace_id == answers.c.workspace_id) & (table.c.request_id == answers.c.request_id)
        for table in (holds, entries)
    )
    return (
        select(
            answers.c.request_id,
            answers.c.request_hash,
            answers.c.expires_at,
            answers.c.answer.is_not(None).label("answered"),
            case((answers.c.request_hash == request_hash, answers.c.answer)).label("answer"),
            holds.c.request_id.label("held"),
            entries.c.messages,
        )
        .select_from(answers.outerjoin(holds, held).outerjoin(entries, entry))
        .where(*(column == value for column, value in zip(_KEY, key, strict=True)))
    )


def _delete_page(connection: Connection, now: float) -> int:
    """By whole keys, and only what is still expired by then: a key may have been taken anew."""
    page = connection.execute(
        select(*_KEY).where(_EXPIRED).order_by(answers.c.expires_at).limit(PAGE), {"now": now}
    ).all()
    if page:
        names = [f"of_{column.name}" for column in _KEY]
        these = [column == bindparam(name) for column, name in zip(_KEY, names, strict=True)]
        rows = [{"now": now, **dict(zip(names, key, strict=True))} for key in page]
        connection.execute(delete(answers).where(_EXPIRED, *these), rows)
    return len(page)
