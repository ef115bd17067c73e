"""Reading large tables the way their keys lie: no sort, no more than a page in memory.

Each function is a few look-ups or pages in the order of an index, on either database, whatever the
planner believes of a table's size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    func,
    literal_column,
    select,
    tuple_,
)

PAGE: Final = 2_000

# As text, so that a prepared statement is planned for it and not for a page of any size.
_LIMIT: Final[ColumnElement[int]] = literal_column(str(PAGE))


def by_key(
    connection: Connection, table: Table, columns: Sequence[str] | None = None
) -> Iterator[Row[*tuple[Any, ...]]]:
    """Every row of ``table`` in the order of its primary key; ``connection`` must be one snapshot."""
    wanted = [table.c[name] for name in columns] if columns else list(table.c)
    page: Select[*tuple[Any, ...]] = paged(select(*wanted), table)
    after: Select[*tuple[Any, ...]] | None = page
    names = [wanted.index(column) for column in table.primary_key]
    while after is not None:
        rows = connection.execute(after).all()
        yield from rows
        after = page.where(beyond(table, [rows[-1][at] for at in names])) if len(rows) == PAGE else None


def paged(query: Select[*tuple[Any, ...]], table: Table) -> Select[*tuple[Any, ...]]:
    """The first `PAGE` rows of ``query`` in the order of the primary key of ``table``."""
    return query.order_by(*table.primary_key).limit(_LIMIT)


def beyond(table: Table, key: Sequence[object]) -> ColumnElement[bool]:
    """Rows whose primary key comes after ``key``."""
    return tuple_(*table.primary_key) > tuple_(*key)


def workspaces_in(table: Table) -> CTE:
    """The ids of the workspaces that ``table`` has rows of, as ``id``: one look-up each, not a scan."""
    own = table.c.workspace_id
    found = select(func.min(own).label("id")).cte(f"{table.name}_of", recursive=True)
    following = select(func.min(own)).where(own > found.c.id).scalar_subquery()
    return found.union_all(select(following).where(found.c.id.is_not(None)))
