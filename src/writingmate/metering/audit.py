"""Derive every balance again from the ledger, and fail on any difference (PRODUCT §4).

It reads one snapshot, page after page in the order of the keys, so it may run beside a server under load
and over millions of rows; what it keeps in memory is the figures of each day, user and model, and of each
window.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from sqlalchemy import Connection, Table, select

from writingmate.metering.applied import applied
from writingmate.metering.checks import entry_faults, hold_faults
from writingmate.metering.commands import EntryRow, HoldRow
from writingmate.metering.scan import by_key
from writingmate.storage.tables import daily_message_count, entries, holds, rolled_windows, rollups, windows

SHOWN: Final = 100

_Key: TypeAlias = tuple[str, str, str, str]
_Balances: TypeAlias = dict[_Key, list[int]]

_COUNTED: Final = ("count", "input_tokens", "output_tokens")
_FILLED: Final = ("used", "held")
_AMOUNTS: Final = ("messages", "prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that is not what the ledger says it should be."""

    table: str
    row: tuple[str, ...]
    column: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.table} {'/'.join(self.row)}: {self.column} is {self.found}, must be {self.expected}"


@dataclass(slots=True)
class Report:
    """What was read, and the first differences in the order of reading."""

    entries: int = 0
    rolled_up: int = 0
    holds: int = 0
    counts: int = 0
    windows: int = 0
    differences: int = 0
    shown: list[Difference] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Every balance is what the ledger says."""
        return self.differences == 0

    @property
    def first(self) -> Difference | None:
        """The first bad row."""
        return self.shown[0] if self.shown else None

    def expect(self, table: str, row: tuple[str, ...], column: str, found: object, expected: object) -> None:
        """Note a difference, if there is one."""
        if found == expected:
            return
        self.differences += 1
        if len(self.shown) < SHOWN:
            self.shown.append(Difference(table, row, column, str(found), str(expected)))


class _Books:
    """The balances as the rows read so far make them."""

    def __init__(self) -> None:
        self.counts: _Balances = {}
        self.windows: _Balances = {}

    def count(self, key: _Key, messages: int, input_tokens: int, output_tokens: int) -> None:
        """Add to a day's count of a user and a model."""
        figures = self.counts.get(key)
        if figures is None:
            self.counts[key] = [messages, input_tokens, output_tokens]
            return
        figures[0] += messages
        figures[1] += input_tokens
        figures[2] += output_tokens

    def fill(self, key: _Key, used: int, held: int) -> None:
        """Add to a window."""
        figures = self.windows.setdefault(key, [0, 0])
        figures[0] += used
        figures[1] += held


def audit(connection: Connection) -> Report:
    """Audit the books that ``connection`` sees; it must be one snapshot (`Database.reading`)."""
    report = Report()
    books = _Books()
    _read_entries(connection, report, books)
    _read_rollups(connection, report, books)
    _read_rolled_windows(connection, report, books)
    _read_holds(connection, report, books)
    report.counts = _compare(connection, report, daily_message_count, _COUNTED, books.counts)
    report.windows = _compare(connection, report, windows, _FILLED, books.windows)
    return report


def _read_entries(connection: Connection, report: Report, books: _Books) -> None:
    for row in by_key(connection, entries, EntryRow._fields):
        entry = EntryRow._make(row)
        report.entries += 1
        limits = applied(entry.windows)
        for fault in entry_faults(entry, limits):
            report.expect("entries", (entry.workspace_id, entry.request_id), *fault)
        key = (entry.workspace_id, entry.day, entry.user_id, entry.model)
        books.count(key, entry.messages, entry.prompt_tokens, entry.completion_tokens)
        for limit in limits or ():
            books.fill(limit.key(entry.workspace_id), entry.messages, 0)


def _read_rollups(connection: Connection, report: Report, books: _Books) -> None:
    for row in by_key(connection, rollups):
        report.rolled_up += row.requests
        key = (row.workspace_id, row.day, row.user_id, row.key_id, row.model)
        report.expect("rollups", key, "requests", row.requests, max(1, row.requests))
        for column in _AMOUNTS:
            _expect_some(report, "rollups", key, column, getattr(row, column))
        books.count((*key[:3], row.model), row.messages, row.prompt_tokens, row.completion_tokens)


def _read_rolled_windows(connection: Connection, report: Report, books: _Books) -> None:
    for workspace_id, subject, meter, period, used in by_key(connection, rolled_windows):
        key = (workspace_id, subject, meter, period)
        _expect_some(report, "rolled_windows", key, "used", used)
        books.fill(key, used, 0)


def _read_holds(connection: Connection, report: Report, books: _Books) -> None:
    for row in by_key(connection, holds, HoldRow._fields):
        hold = HoldRow._make(row)
        report.holds += 1
        limits = applied(hold.windows)
        for fault in hold_faults(hold, limits):
            report.expect("holds", (hold.workspace_id, hold.request_id), *fault)
        for limit in limits or ():
            books.fill(limit.key(hold.workspace_id), 0, hold.messages)
    settled = select(holds.c.workspace_id, holds.c.request_id).join(
        entries,
        (entries.c.workspace_id == holds.c.workspace_id) & (entries.c.request_id == holds.c.request_id),
    )
    for workspace_id, request_id in connection.execute(settled.order_by(*settled.selected_columns)):
        report.expect("holds", (workspace_id, request_id), "settled entry", request_id, None)


def _compare(
    connection: Connection, report: Report, table: Table, columns: tuple[str, ...], derived: _Balances
) -> int:
    """Hold every row of ``table`` against what was derived, and the other way round; how many rows."""
    rows, name = 0, str(table.name)
    nothing = [0] * len(columns)
    for row in by_key(connection, table, [*(column.name for column in table.primary_key), *columns]):
        rows += 1
        key = (row[0], row[1], row[2], row[3])
        for column, found, expected in zip(columns, row[4:], derived.pop(key, nothing), strict=True):
            report.expect(name, key, column, found, expected)
    _expect_no_more(report, name, columns, derived)
    return rows


def _expect_no_more(
    report: Report, table: str, columns: tuple[str, ...], derived: Mapping[_Key, list[int]]
) -> None:
    for key, figures in sorted(derived.items()):
        for column, expected in zip(columns, figures, strict=True):
            report.expect(table, key, column, 0, expected)


def _expect_some(report: Report, table: str, row: tuple[str, ...], column: str, found: int) -> None:
    """A sum of what was used is never below 0."""
    if found < 0:
        report.expect(table, row, column, found, "at least 0")
