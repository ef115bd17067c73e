"""Revisions: one number a subject, bumped in the transaction of every change to it.

A process that has read facts at a revision knows they still hold while the number is the same.
"""

from __future__ import annotations

from sqlalchemy import Connection, select, text

from writingmate.storage.tables import revisions

# Both databases read it; the expression language would load every driver of PostgreSQL's dialect.
_BUMP = text(
    "INSERT INTO revisions (name, value) VALUES (:name, 1) "
    "ON CONFLICT (name) DO UPDATE SET value = revisions.value + 1"
)


def read(connection: Connection, name: str) -> int:
    """The revision of ``name``; 0 as long as nothing was changed."""
    value = connection.execute(select(revisions.c.value).where(revisions.c.name == name)).scalar()
    return int(value or 0)


def bump(connection: Connection, name: str) -> None:
    """Count a change to ``name`` in the transaction that makes it.

    The row stays locked until then: a change that checks something first bumps first, and no
    other change to the same subject comes in between.
    """
    connection.execute(_BUMP, {"name": name})
