"""The ledger's statements on PostgreSQL: each takes a whole batch as one JSON text, in one round trip.

Rows that others may want too are always locked in the order of their keys (holds, then windows, then
counts), so that two nodes wait for each other and never deadlock. Leases go by the database's clock.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, get_type_hints

import msgspec
import psycopg

from writingmate.metering import tasks, turns
from writingmate.metering.claims import statements
from writingmate.metering.commands import Claim, Ending, EntryRow, HoldRow, Keep, QueuedRow, RequestKey, Task
from writingmate.metering.rates import NONE, Recent
from writingmate.metering.rows import Count, CountKey
from writingmate.metering.windows import WindowKey


def _columns(row: type[HoldRow | EntryRow]) -> str:
    """The elements of a JSON list as typed columns: ``(r->>0)::text, (r->>1)::bigint, …``."""
    kinds = {int: "bigint", float: "double precision"}
    types = get_type_hints(row)
    return ", ".join(
        f"(r->>{index})::{kinds.get(types[name], 'text')}" for index, name in enumerate(row._fields)
    )


def _insert(table: str, row: type[HoldRow | EntryRow]) -> str:
    names = ", ".join(row._fields)
    return f"INSERT INTO {table} ({names}) SELECT {_columns(row)} FROM jsonb_array_elements(%s::jsonb) AS r"  # noqa: S608  # names from our own types


_NOW: Final = "extract(epoch FROM clock_timestamp())::double precision"
_WINDOW_KEYS: Final = (
    "(SELECT r->>0 AS workspace_id, r->>1 AS subject, r->>2 AS meter, r->>3 AS period"
    " FROM jsonb_array_elements(%s::jsonb) AS r) AS wanted"
)

INSERT_HOLDS: Final = _insert("holds", HoldRow)
INSERT_ENTRIES: Final = _insert("entries", EntryRow)
DELETE_HOLDS: Final = (
    "DELETE FROM holds WHERE (workspace_id, request_id) IN"
    " (SELECT holds.workspace_id, holds.request_id FROM holds JOIN"
    " (SELECT r->>0 AS workspace_id, r->>1 AS request_id FROM jsonb_array_elements(%s::jsonb) AS r) AS wanted"
    " USING (workspace_id, request_id) ORDER BY 1, 2 FOR UPDATE OF holds)"
    " RETURNING workspace_id, request_id, messages"
)
SELECT_ENTRY: Final = (
    f"SELECT {', '.join(EntryRow._fields)} FROM entries WHERE workspace_id = %s AND request_id = %s"  # noqa: S608  # the same
)
MAKE_WINDOWS: Final = (
    "INSERT INTO windows (workspace_id, subject, meter, period, used, held)"  # noqa: S608  # our own text
    f" SELECT workspace_id, subject, meter, period, 0, 0 FROM {_WINDOW_KEYS} ON CONFLICT DO NOTHING"
)
LOCK_WINDOWS: Final = (
    "SELECT workspace_id, subject, meter, period, used, held FROM windows"  # noqa: S608  # our own text
    f" JOIN {_WINDOW_KEYS} USING (workspace_id, subject, meter, period)"
    " ORDER BY 1, 2, 3, 4 FOR UPDATE OF windows"
)
ADD_TO_WINDOWS: Final = (
    "UPDATE windows SET used = used + (r->>4)::bigint, held = held + (r->>5)::bigint"
    " FROM jsonb_array_elements(%s::jsonb) AS r WHERE workspace_id = r->>0 AND subject = r->>1"
    " AND meter = r->>2 AND period = r->>3"
)
ADD_COUNTS: Final = (
    "INSERT INTO daily_message_count AS before"
    " (workspace_id, day, user_id, model, count, input_tokens, output_tokens)"
    " SELECT r->>0, r->>1, r->>2, r->>3, (r->>4)::bigint, (r->>5)::bigint, (r->>6)::bigint"
    " FROM jsonb_array_elements(%s::jsonb) AS r ON CONFLICT (workspace_id, day, user_id, model) DO UPDATE SET"
    " count = before.count + excluded.count, input_tokens = before.input_tokens + excluded.input_tokens,"
    " output_tokens = before.output_tokens + excluded.output_tokens"
)
# Whose requests a window counts, by the first word of its subject.
RECENT: Final = {
    subject: "SELECT count(*), min(started_at) FROM ("  # noqa: S608  # our own text
    f"SELECT started_at FROM entries WHERE workspace_id = %(workspace)s AND started_at > %(since)s{theirs}"
    " UNION ALL "
    f"SELECT started_at FROM holds WHERE workspace_id = %(workspace)s AND started_at > %(since)s{theirs}"
    ") AS requests"
    for subject, theirs in {
        "workspace": "",
        "user": " AND user_id = %(subject)s",
        "key": " AND key_id = %(subject)s",
    }.items()
}
LOCK_CLAIM: Final = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
CLAIMS: Final = statements("%s")
TASKS: Final = tasks.statements("%s")
# Whoever has locked a row of a conversation is keeping it, or is rid of it: nobody waits for it.
TURNS: Final = turns.statements("%s", " FOR UPDATE OF responses SKIP LOCKED")
BEAT: Final = (
    f"INSERT INTO nodes (node_id, started_at, heartbeat_at, lease_seconds) SELECT %s, now, now, %s"  # noqa: S608  # our own text
    f" FROM (SELECT {_NOW} AS now) AS clock ON CONFLICT (node_id) DO UPDATE SET"
    " heartbeat_at = excluded.heartbeat_at, lease_seconds = excluded.lease_seconds"
)
LOST: Final = (
    f"SELECT {', '.join('holds.' + name for name in HoldRow._fields)} FROM holds"  # noqa: S608  # the same
    " LEFT JOIN nodes ON nodes.node_id = holds.node_id"
    f" WHERE nodes.node_id IS NULL OR nodes.heartbeat_at + nodes.lease_seconds < {_NOW} LIMIT %s"
)
FORGET: Final = (
    f"DELETE FROM nodes WHERE heartbeat_at + lease_seconds < {_NOW}"  # noqa: S608  # the same
    " AND NOT EXISTS (SELECT 1 FROM holds WHERE holds.node_id = nodes.node_id)"
)
LEAVE: Final = "DELETE FROM nodes WHERE node_id = %s AND NOT EXISTS (SELECT 1 FROM holds WHERE node_id = %s)"

_encode = msgspec.json.Encoder().encode


class PostgresRows:
    """See `Rows`."""

    def __init__(self, cursor: psycopg.Cursor[tuple[Any, ...]]) -> None:
        self._cursor = cursor

    def revision(self) -> int:
        """One look-up by key."""
        row = self._run("SELECT value FROM revisions WHERE name = 'identity'").fetchone()
        return row[0] if row else 0

    def delete_holds(self, keys: Sequence[RequestKey]) -> Mapping[RequestKey, int]:
        """Locked in the order of their keys first, should another node sweep them now."""
        return {row[:2]: row[2] for row in self._run(DELETE_HOLDS, _json(keys))}

    def windows(self, keys: Collection[WindowKey]) -> Mapping[WindowKey, tuple[int, int]]:
        """Rows are made where missing, because only what exists can be locked."""
        wanted = _json(sorted(keys))
        self._run(MAKE_WINDOWS, wanted)
        return {row[:4]: row[4:] for row in self._run(LOCK_WINDOWS, wanted)}

    def recent(self, keys: Collection[WindowKey], since: float) -> Mapping[WindowKey, Recent]:
        """Statements see what others committed before they let go of the windows' rows."""
        found = {}
        for window in keys:
            kind, _, subject = window[1].partition(":")
            values = {"workspace": window[0], "since": since, "subject": subject}
            row = self._cursor.execute(RECENT[kind].encode(), values).fetchone()
            found[window] = Recent(*row) if row and row[0] else NONE
        return found

    def take_claim(self, claim: Claim) -> bool:
        """Alone: who waited for another that took it sees that one's hold only in a statement of its own."""
        self._run(LOCK_CLAIM, "/".join(claim.key))
        return self._run(CLAIMS.take, *claim).fetchone() is not None

    def store_answer(self, claim: Claim, answer: bytes | None) -> None:
        """Nothing, should the key stand for another request by now."""
        if answer is None:
            self._run(CLAIMS.give_up, *claim.key, claim.request_id)
        else:
            self._run(CLAIMS.store, answer, *claim.key, claim.request_id)

    def queue(self, row: QueuedRow) -> None:
        """Two statements."""
        self._run(TASKS.queue, *tasks.queued(row))
        if row.events is not None:
            self._run(TASKS.event, row.workspace_id, row.response_id, row.events)

    def end(self, task: Task, ending: Ending) -> None:
        """In one statement."""
        self._run(TASKS.end, *tasks.ended(task, ending))

    def keep(self, keep: Keep) -> None:
        """A statement for each row that is written, and one for the conversation."""
        if keep.row is not None:
            self._run(TURNS.keep, *keep.row)
        for name in keep.named:
            self._run(TURNS.name, *turns.naming(name))
        if keep.renewal is not None:
            self._run(TURNS.renew, *turns.renewed(keep.renewal))

    def entry(self, key: RequestKey) -> EntryRow | None:
        """By its whole key."""
        row = self._run(SELECT_ENTRY, *key).fetchone()
        return EntryRow(*row) if row else None

    def insert_holds(self, rows: Sequence[HoldRow]) -> None:
        """As they are."""
        self._run(INSERT_HOLDS, _json(rows))

    def insert_entries(self, rows: Sequence[EntryRow]) -> None:
        """As they are."""
        self._run(INSERT_ENTRIES, _json(rows))

    def add_counts(self, counts: Mapping[CountKey, Count]) -> None:
        """Rows are made where missing."""
        self._run(ADD_COUNTS, _json(sorted(key + count for key, count in counts.items())))

    def add_to_windows(self, changes: Mapping[WindowKey, tuple[int, int]]) -> None:
        """`windows` has made and locked the rows."""
        self._run(ADD_TO_WINDOWS, _json([key + change for key, change in changes.items()]))

    def beat(self, node_id: str, lease_seconds: float, now: float) -> None:
        """By the database's clock, which every node shares."""
        del now  # the database's clock is the one that every node shares
        self._run(BEAT, node_id, lease_seconds)

    def leave(self, node_id: str) -> None:
        """In one statement, so that no hold slips in between."""
        self._run(LEAVE, node_id, node_id)

    def lost_holds(self, now: float, limit: int) -> Sequence[HoldRow]:
        """In no particular order."""
        del now
        return [HoldRow(*row) for row in self._run(LOST, limit)]

    def forget_nodes(self, now: float) -> None:
        """In one statement, so that no hold slips in between."""
        del now
        self._run(FORGET)

    def _run(self, statement: str, *values: str | float | bytes | None) -> psycopg.Cursor[tuple[Any, ...]]:
        return self._cursor.execute(statement.encode(), values)


def _json(rows: Collection[object]) -> str:
    return _encode(rows).decode()
