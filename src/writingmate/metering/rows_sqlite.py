"""The ledger's statements on SQLite. ``BEGIN IMMEDIATE`` has locked everything already."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain, groupby
from operator import itemgetter
from typing import Final, TypeVar

from writingmate.metering import tasks, turns
from writingmate.metering.claims import statements
from writingmate.metering.commands import Claim, Ending, EntryRow, HoldRow, Keep, QueuedRow, RequestKey, Task
from writingmate.metering.rates import NONE, Recent
from writingmate.metering.rows import Count, CountKey
from writingmate.metering.windows import WindowKey

_Item = TypeVar("_Item")

# Rows of one statement: half the cost of a row each, and the GIL is let go once instead of each time.
CHUNKS: Final = (32, 16, 8, 4, 2, 1)


def _insert(table: str, columns: Sequence[str]) -> Mapping[int, str]:
    """The statement for each number of rows."""
    row = f"({', '.join('?' for _ in columns)})"
    names = ", ".join(columns)
    return {size: f"INSERT INTO {table} ({names}) VALUES {', '.join([row] * size)}" for size in CHUNKS}  # noqa: S608  # names from our own types


# Sorted keys of one workspace; what was there comes back.
DELETE_HOLDS: Final = {
    size: f"DELETE FROM holds WHERE workspace_id = ? AND request_id IN ({', '.join('?' * size)})"  # noqa: S608  # marks only
    " RETURNING request_id, messages"
    for size in CHUNKS
}
INSERT_HOLDS: Final = _insert("holds", HoldRow._fields)
INSERT_ENTRIES: Final = _insert("entries", EntryRow._fields)
SELECT_ENTRY: Final = (
    f"SELECT {', '.join(EntryRow._fields)} FROM entries WHERE workspace_id = ? AND request_id = ?"  # noqa: S608  # the same
)
ADD_COUNT: Final = (
    "INSERT INTO daily_message_count (workspace_id, day, user_id, model, count, input_tokens, output_tokens)"
    " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (workspace_id, day, user_id, model) DO UPDATE SET"
    " count = count + excluded.count, input_tokens = input_tokens + excluded.input_tokens,"
    " output_tokens = output_tokens + excluded.output_tokens"
)
ADD_TO_WINDOW: Final = (
    "INSERT INTO windows (workspace_id, subject, meter, period, used, held) VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (workspace_id, subject, meter, period) DO UPDATE SET"
    " used = used + excluded.used, held = held + excluded.held"
)
SELECT_WINDOW: Final = (
    "SELECT used, held FROM windows WHERE workspace_id = ? AND subject = ? AND meter = ? AND period = ?"
)
# Whose requests a window counts, by the first word of its subject.
RECENT: Final = {
    subject: "SELECT count(*), min(started_at) FROM ("  # noqa: S608  # our own text
    f"SELECT started_at FROM entries WHERE workspace_id = ?1 AND started_at > ?2{theirs} UNION ALL "
    f"SELECT started_at FROM holds WHERE workspace_id = ?1 AND started_at > ?2{theirs})"
    for subject, theirs in {"workspace": "", "user": " AND user_id = ?3", "key": " AND key_id = ?3"}.items()
}
CLAIMS: Final = statements("?")
TASKS: Final = tasks.statements("?")
TURNS: Final = turns.statements("?")
BEAT: Final = (
    "INSERT INTO nodes (node_id, started_at, heartbeat_at, lease_seconds) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (node_id) DO UPDATE SET"
    " heartbeat_at = excluded.heartbeat_at, lease_seconds = excluded.lease_seconds"
)
LOST: Final = (
    f"SELECT {', '.join('holds.' + name for name in HoldRow._fields)} FROM holds"  # noqa: S608  # the same
    " LEFT JOIN nodes ON nodes.node_id = holds.node_id"
    " WHERE nodes.node_id IS NULL OR nodes.heartbeat_at + nodes.lease_seconds < ? LIMIT ?"
)
LEAVE: Final = "DELETE FROM nodes WHERE node_id = ? AND NOT EXISTS (SELECT 1 FROM holds WHERE node_id = ?)"
FORGET: Final = (
    "DELETE FROM nodes WHERE heartbeat_at + lease_seconds < ?"
    " AND NOT EXISTS (SELECT 1 FROM holds WHERE holds.node_id = nodes.node_id)"
)


class SqliteRows:
    """See `Rows`."""

    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor

    def revision(self) -> int:
        """One look-up by key."""
        row = self._cursor.execute("SELECT value FROM revisions WHERE name = 'identity'").fetchone()
        return row[0] if row else 0

    def delete_holds(self, keys: Sequence[RequestKey]) -> Mapping[RequestKey, int]:
        """Workspace by workspace, which uses the key's index; a list of row values would scan the table."""
        held = {}
        for workspace_id, group in groupby(keys, itemgetter(0)):
            for ids in _chunked([request_id for _, request_id in group]):
                for request_id, messages in self._cursor.execute(
                    DELETE_HOLDS[len(ids)], (workspace_id, *ids)
                ):
                    held[workspace_id, request_id] = messages
        return held

    def windows(self, keys: Collection[WindowKey]) -> Mapping[WindowKey, tuple[int, int]]:
        """Nothing to lock: whoever began the transaction writes alone."""
        found = ((key, self._cursor.execute(SELECT_WINDOW, key).fetchone()) for key in keys)
        return {key: row for key, row in found if row is not None}

    def recent(self, keys: Collection[WindowKey], since: float) -> Mapping[WindowKey, Recent]:
        """Entries by an index, holds by their workspace: what it costs grows with the limit alone."""
        found = {}
        for window in keys:
            kind, _, subject = window[1].partition(":")
            values = (window[0], since, subject)[: 3 if subject else 2]
            count, oldest = self._cursor.execute(RECENT[kind], values).fetchone()
            found[window] = Recent(count, oldest) if count else NONE
        return found

    def take_claim(self, claim: Claim) -> bool:
        """In one statement."""
        return self._cursor.execute(CLAIMS.take, claim).fetchone() is not None

    def store_answer(self, claim: Claim, answer: bytes | None) -> None:
        """Nothing, should the key stand for another request by now."""
        if answer is None:
            self._cursor.execute(CLAIMS.give_up, (*claim.key, claim.request_id))
        else:
            self._cursor.execute(CLAIMS.store, (answer, *claim.key, claim.request_id))

    def queue(self, row: QueuedRow) -> None:
        """Two statements."""
        self._cursor.execute(TASKS.queue, tasks.queued(row))
        if row.events is not None:
            self._cursor.execute(TASKS.event, (row.workspace_id, row.response_id, row.events))

    def end(self, task: Task, ending: Ending) -> None:
        """In one statement."""
        self._cursor.execute(TASKS.end, tasks.ended(task, ending))

    def keep(self, keep: Keep) -> None:
        """A statement for each row that is written, and one for the conversation."""
        if keep.row is not None:
            self._cursor.execute(TURNS.keep, keep.row)
        for name in keep.named:
            self._cursor.execute(TURNS.name, turns.naming(name))
        if keep.renewal is not None:
            self._cursor.execute(TURNS.renew, turns.renewed(keep.renewal))

    def entry(self, key: RequestKey) -> EntryRow | None:
        """By its whole key."""
        row = self._cursor.execute(SELECT_ENTRY, key).fetchone()
        return EntryRow(*row) if row else None

    def insert_holds(self, rows: Sequence[HoldRow]) -> None:
        """As they are."""
        self._insert(INSERT_HOLDS, rows)

    def insert_entries(self, rows: Sequence[EntryRow]) -> None:
        """As they are."""
        self._insert(INSERT_ENTRIES, rows)

    def add_counts(self, counts: Mapping[CountKey, Count]) -> None:
        """Rows are made where missing."""
        self._cursor.executemany(ADD_COUNT, [key + count for key, count in counts.items()])

    def add_to_windows(self, changes: Mapping[WindowKey, tuple[int, int]]) -> None:
        """Rows are made where missing."""
        self._cursor.executemany(ADD_TO_WINDOW, [key + change for key, change in changes.items()])

    def beat(self, node_id: str, lease_seconds: float, now: float) -> None:
        """By this machine's clock, which every process of a SQLite database shares."""
        self._cursor.execute(BEAT, (node_id, now, now, lease_seconds))

    def leave(self, node_id: str) -> None:
        """In one statement, so that no hold slips in between."""
        self._cursor.execute(LEAVE, (node_id, node_id))

    def lost_holds(self, now: float, limit: int) -> Sequence[HoldRow]:
        """In no particular order."""
        return [HoldRow(*row) for row in self._cursor.execute(LOST, (now, limit))]

    def forget_nodes(self, now: float) -> None:
        """In one statement, so that no hold slips in between."""
        self._cursor.execute(FORGET, (now,))

    def _insert(self, statements: Mapping[int, str], rows: Sequence[tuple[object, ...]]) -> None:
        for chunk in _chunked(rows):
            self._cursor.execute(statements[len(chunk)], list(chain.from_iterable(chunk)))


def _chunked(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    """As few runs as there are statements for."""
    start = 0
    while left := len(items) - start:
        size = min(CHUNKS[0], 1 << (left.bit_length() - 1))
        yield items[start : start + size]
        start += size
