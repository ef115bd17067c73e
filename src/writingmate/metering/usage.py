"""What was used, by day, model, user or key: added up by the database, from entries and roll-ups alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal, TypeAlias

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Select,
    String,
    func,
    literal,
    literal_column,
    select,
    union_all,
)

from writingmate.metering.scan import PAGE, workspaces_in
from writingmate.storage.tables import developer_keys, entries, rollups, users

Grouping: TypeAlias = Literal["day", "model", "user", "key"]

# The column that each report is about.
GROUPINGS: Final[dict[Grouping, str]] = {"day": "day", "model": "model", "user": "user_id", "key": "key_id"}

FIRST_DAY: Final = "0001-01-01"
LAST_DAY: Final = "9999-12-31"

_SUMS: Final = ("messages", "prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")
_EPOCH: Final = date(1970, 1, 1).toordinal()
_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class UsageRow:
    """What one day, model, user or key used.

    ``name`` is its id, ``label`` what people call it: a user's e-mail address, a key's name, else empty.
    ``input_tokens`` include the cached ones, ``output_tokens`` the reasoning ones.
    """

    name: str
    label: str
    requests: int
    messages: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int


@dataclass(frozen=True, slots=True)
class Scope:
    """Which usage: of one workspace or all (None), from one UTC day to another, both included."""

    workspace_id: str | None = None
    since: str = FIRST_DAY
    until: str = LAST_DAY


def usage(connection: Connection, by: Grouping, scope: Scope | None = None) -> Iterator[UsageRow]:
    """The usage in ``scope``: days in their order, all else the largest first; read as it is asked for."""
    scope = scope or Scope()
    column = GROUPINGS[by]
    both = union_all(_of_entries(column, scope), _of_rollups(column, scope)).subquery("both")
    sums = [func.sum(both.c[name]).label(name) for name in ("requests", *_SUMS)]
    total = select(both.c.name, *sums).group_by(both.c.name).subquery("total")
    label, source = _labelled(by, total)
    order = [total.c.name] if by == "day" else [total.c.messages.desc(), total.c.name]
    query = select(total.c.name, label, *list(total.c)[1:]).select_from(source).order_by(*order)
    for name, called, *figures in connection.execution_options(yield_per=PAGE).execute(query):
        yield UsageRow(name, called, *map(int, figures))


def midnight(day: str) -> int:
    """The UNIX second in which the UTC day of this ISO date begins. Raises ValueError for no date."""
    return (date.fromisoformat(day).toordinal() - _EPOCH) * _DAY


def _of_entries(column: str, scope: Scope) -> Select[*tuple[Any, ...]]:
    """By the index on workspace and time: of one workspace, or of each in turn."""
    started = entries.c.started_at
    query = select(
        entries.c[column].label("name"),
        func.count(literal_column("*")).label("requests"),
        *(func.sum(entries.c[name]).label(name) for name in _SUMS),
    ).group_by(entries.c[column])
    if scope.since != FIRST_DAY:
        query = query.where(started >= midnight(scope.since))
    if scope.until != LAST_DAY:
        query = query.where(started < midnight(scope.until) + _DAY)
    if scope.workspace_id is not None:
        return query.where(entries.c.workspace_id == scope.workspace_id)
    if scope.since == FIRST_DAY:
        return query
    each = workspaces_in(entries)
    return query.select_from(each.join(entries, entries.c.workspace_id == each.c.id))


def _of_rollups(column: str, scope: Scope) -> Select[*tuple[Any, ...]]:
    query = (
        select(
            rollups.c[column].label("name"),
            *(func.sum(rollups.c[name]).label(name) for name in ("requests", *_SUMS)),
        )
        .where(rollups.c.day >= scope.since, rollups.c.day <= scope.until)
        .group_by(rollups.c[column])
    )
    return query if scope.workspace_id is None else query.where(rollups.c.workspace_id == scope.workspace_id)


def _labelled(by: Grouping, total: FromClause) -> tuple[ColumnElement[str], FromClause]:
    """What people call the ids in ``total``, and where that is to be read."""
    if by == "user":
        called, own = users.c.email, users.c.user_id
    elif by == "key":
        called, own = developer_keys.c.name, developer_keys.c.key_id
    else:
        return literal("", String).label("label"), total
    source = total.outerjoin(own.table, own == total.c.name)
    return func.coalesce(called, "").label("label"), source
