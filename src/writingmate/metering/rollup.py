"""Old entries become sums: by day, user, key and model in `rollups`, by window in `rolled_windows`.

Every balance stays what it was, so the audit is clean before, during and after. A page of entries is
read, added to the sums and deleted in one transaction; on PostgreSQL other nodes pass over its rows, on
SQLite they wait, so each entry is added once. An entry that the audit would complain about stays, and so
does the complaint.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    bindparam,
    delete,
    func,
    literal_column,
    select,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite

from writingmate.metering.applied import applied
from writingmate.metering.checks import entry_faults
from writingmate.metering.commands import EntryRow
from writingmate.metering.scan import PAGE, beyond, paged, workspaces_in
from writingmate.metering.windows import WindowKey
from writingmate.storage.tables import entries, rolled_windows, rollups, windows

# Where a page of entries ended: when its last one began, and that one's id.
Place: TypeAlias = tuple[float, str]

START: Final[Place] = (float("-inf"), "")
_DAY_LENGTH: Final = len("2026-11-22")  # other periods are shorter: a month, `lifetime`


class Page(NamedTuple):
    """What one transaction did: entries rolled up, those left because they are wrong, where to go on."""

    rolled: int
    left: int
    after: Place | None


def workspaces_before(connection: Connection, second: float) -> list[str]:
    """The workspaces that have entries of requests which began before this UNIX second."""
    each = workspaces_in(entries)
    oldest = select(func.min(entries.c.started_at)).where(entries.c.workspace_id == each.c.id)
    return list(connection.scalars(select(each.c.id).where(oldest.scalar_subquery() < second)))


def roll_page(
    connection: Connection, workspace_id: str, second: float, after: Place = START, *, size: int = PAGE
) -> Page:
    """Roll up the next ``size`` of a workspace's entries of before ``second``; the caller's transaction."""
    place = (entries.c.started_at, entries.c.request_id)
    rows = connection.execute(
        select(*(entries.c[name] for name in EntryRow._fields))
        .where(entries.c.workspace_id == workspace_id, entries.c.started_at < second)
        .where(tuple_(*place) > tuple_(*after))
        .order_by(*place)
        .limit(literal_column(str(size)))
        .with_for_update(skip_locked=True)
    ).all()
    found = [EntryRow._make(row) for row in rows]
    right = [entry for entry in found if not any(entry_faults(entry, applied(entry.windows)))]
    if right:
        _delete(connection, right)
        _add(connection, rollups, _sums(right))
        _add(connection, rolled_windows, _used(right))
    last = (found[-1].started_at, found[-1].request_id) if len(found) == size else None
    return Page(len(right), len(found) - len(right), last)


def closed_windows(connection: Connection, day: str, after: WindowKey | None = None) -> list[WindowKey]:
    """The next page of windows of days before ``day`` that nothing but sums stands behind."""
    same = (
        mine == rolled for mine, rolled in zip(windows.primary_key, rolled_windows.primary_key, strict=True)
    )
    query = (
        select(*windows.primary_key)
        .select_from(windows.outerjoin(rolled_windows, and_(*same)))
        .where(func.length(windows.c.period) == _DAY_LENGTH, windows.c.period < day, windows.c.held == 0)
        .where(windows.c.used == func.coalesce(rolled_windows.c.used, 0))
    )
    if after is not None:
        query = query.where(beyond(windows, after))
    return [(row[0], row[1], row[2], row[3]) for row in connection.execute(paged(query, windows))]


def drop_windows(connection: Connection, keys: Sequence[WindowKey]) -> int:
    """Drop those of these windows that nothing was counted in since, and their sums; how many.

    The caller's transaction; all nodes go through the keys in the same order.
    """
    used = select(rolled_windows.c.used).where(*_named(rolled_windows)).scalar_subquery()
    closed = (windows.c.held == 0, windows.c.used == func.coalesce(used, 0))
    named = [{f"key_{at}": part for at, part in enumerate(key)} for key in keys]
    dropped = connection.execute(delete(windows).where(*_named(windows), *closed), named)
    gone = ~select(windows.c.used).where(*_named(windows)).exists()
    connection.execute(delete(rolled_windows).where(*_named(rolled_windows), gone), named)
    return dropped.rowcount


def _named(table: Table) -> list[ColumnElement[bool]]:
    """The row of one key, given as ``key_0`` to ``key_3``."""
    return [column == bindparam(f"key_{at}") for at, column in enumerate(table.primary_key)]


def _delete(connection: Connection, page: Sequence[EntryRow]) -> None:
    gone = delete(entries).where(
        entries.c.workspace_id == page[0].workspace_id,
        entries.c.request_id.in_([entry.request_id for entry in page]),
    )
    if connection.execute(gone).rowcount != len(page):
        raise RuntimeError("Entries were deleted under a lock; nothing is rolled up.")


def _add(connection: Connection, table: Table, sums: Mapping[tuple[str, ...], Sequence[int]]) -> None:
    """In the order of the keys, so that nodes wait for each other and never deadlock."""
    insert = (sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert)(table)
    grown = {
        column.name: column + insert.excluded[column.name] for column in table.c if not column.primary_key
    }
    rows = [dict(zip(table.c.keys(), (*key, *figures), strict=True)) for key, figures in sorted(sums.items())]
    if rows:
        connection.execute(
            insert.on_conflict_do_update(index_elements=list(table.primary_key), set_=grown), rows
        )


def _sums(page: Iterable[EntryRow]) -> dict[tuple[str, ...], list[int]]:
    sums: dict[tuple[str, ...], list[int]] = {}
    for entry in page:
        key = (entry.workspace_id, entry.day, entry.user_id, entry.key_id, entry.model)
        tokens = (entry.prompt_tokens, entry.completion_tokens, entry.cached_tokens, entry.reasoning_tokens)
        _grow(sums, key, (1, entry.messages, *tokens))
    return sums


def _used(page: Iterable[EntryRow]) -> dict[tuple[str, ...], list[int]]:
    sums: dict[tuple[str, ...], list[int]] = {}
    for entry in page:
        for limit in applied(entry.windows) or ():
            _grow(sums, limit.key(entry.workspace_id), (entry.messages,))
    return sums


def _grow(sums: dict[tuple[str, ...], list[int]], key: tuple[str, ...], by: Sequence[int]) -> None:
    before = sums.get(key)
    sums[key] = [*by] if before is None else [old + new for old, new in zip(before, by, strict=True)]
