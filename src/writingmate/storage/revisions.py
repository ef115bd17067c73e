"""Revisions: one number a subject, bumped in the transaction of every change to it.

A process that has read facts at a revision knows they still hold while the number is the same.
"""

from __future__ import annotations

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from writingmate.storage.tables import revisions


def read(connection: Connection, name: str) -> int:
    """The revision of ``name``; 0 as long as nothing was changed."""
    value = connection.execute(select(revisions.c.value).where(revisions.c.name == name)).scalar()
    return int(value or 0)


def bump(connection: Connection, name: str) -> None:
    """Count a change to ``name`` in the transaction that makes it.

    The row stays locked until then: a change that checks something first bumps first, and no
    other change to the same subject comes in between.
    """
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    first = insert(revisions).values(name=name, value=1)
    later = {"value": revisions.c.value + 1}
    connection.execute(first.on_conflict_do_update(index_elements=[revisions.c.name], set_=later))
