"""The statements of `answers`, which both databases read alike but for the mark of a value."""

from __future__ import annotations

from dataclasses import dataclass

from writingmate.metering.commands import Claim


@dataclass(frozen=True, slots=True)
class ClaimStatements:
    """SQL with ``mark`` for each value: ``?`` or ``%s``.

    ``take`` has a `Claim` as its values and returns a row if that now has the key: nobody had it, or
    who had it has neither an open hold nor an answer that still counts. ``store`` (the answer, the
    claim's key, its request) and ``give_up`` (the key, the request) change nothing where the key
    stands for another request by now.
    """

    take: str
    store: str
    give_up: str


def statements(mark: str) -> ClaimStatements:
    """The three statements."""
    names, marks = ", ".join(Claim._fields), ", ".join(mark for _ in Claim._fields)
    claimed = (
        f"WHERE workspace_id = {mark} AND user_id = {mark} AND idempotency_key = {mark}"
        f" AND request_id = {mark}"
    )
    take = (
        f"INSERT INTO answers ({names}) VALUES ({marks})"  # noqa: S608  # names from our own types
        " ON CONFLICT (workspace_id, user_id, idempotency_key) DO UPDATE SET"
        " request_hash = excluded.request_hash, request_id = excluded.request_id,"
        " created_at = excluded.created_at, expires_at = excluded.expires_at, answer = NULL"
        " WHERE (answers.answer IS NULL OR answers.expires_at <= excluded.created_at)"
        " AND NOT EXISTS (SELECT 1 FROM holds WHERE holds.workspace_id = answers.workspace_id"
        " AND holds.request_id = answers.request_id)"
        " RETURNING request_id"
    )
    store = f"UPDATE answers SET answer = {mark} {claimed}"  # noqa: S608  # our own text
    give_up = f"DELETE FROM answers {claimed} AND answer IS NULL"  # noqa: S608  # the same
    return ClaimStatements(take, store, give_up)
