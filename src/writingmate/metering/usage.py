"""What was used, by day, model, user or key: for reports, from the aggregate wherever it has the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from sqlalchemy import ColumnElement, Connection, Table, func, select

from writingmate.storage.tables import daily_message_count, entries

Grouping: TypeAlias = Literal["day", "model", "user", "key"]

# The column that each report is about. The aggregate does not know keys: that one reads the ledger.
GROUPINGS: Final[dict[Grouping, str]] = {"day": "day", "model": "model", "user": "user_id", "key": "key_id"}

_AGGREGATE: Final = ("count", "input_tokens", "output_tokens")
_LEDGER: Final = ("messages", "prompt_tokens", "completion_tokens")


@dataclass(frozen=True, slots=True)
class UsageRow:
    """Messages and tokens of one day, model, user or key (``name``)."""

    name: str
    messages: int
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Scope:
    """Which usage: of one workspace or all (None), from one UTC day to another, both included."""

    workspace_id: str | None = None
    since: str = "0000-01-01"
    until: str = "9999-12-31"


def usage(connection: Connection, by: Grouping, scope: Scope | None = None) -> list[UsageRow]:
    """The usage in ``scope``: days in their order, all else the largest first."""
    table, columns = (entries, _LEDGER) if by == "key" else (daily_message_count, _AGGREGATE)
    name = table.c[GROUPINGS[by]]
    sums = [func.sum(table.c[column]) for column in columns]
    order = [name] if by == "day" else [sums[0].desc(), name]
    query = select(name, *sums).where(*_within(table, scope or Scope())).group_by(name).order_by(*order)
    return [UsageRow(row[0], int(row[1]), int(row[2]), int(row[3])) for row in connection.execute(query)]


def _within(table: Table, scope: Scope) -> list[ColumnElement[bool]]:
    conditions = [table.c.day >= scope.since, table.c.day <= scope.until]
    if scope.workspace_id is not None:
        conditions.append(table.c.workspace_id == scope.workspace_id)
    return conditions
