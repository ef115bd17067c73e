"""Derive every balance again from the ledger, and fail on any difference (PRODUCT §4).

It reads one snapshot as a stream, so it may run beside a server under load and over millions of rows;
what it keeps in memory is a figure for each day, user and model, and for each window.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, select

from writingmate.metering.commands import EntryRow, HoldRow, utc_day, windows_keys
from writingmate.metering.counting import counted_messages
from writingmate.metering.rows import CountKey
from writingmate.metering.windows import WindowKey
from writingmate.storage.tables import daily_message_count, entries, holds, windows
from writingmate.types import Usage

PAGE: Final = 2_000
SHOWN: Final = 100


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
        self.messages: Counter[CountKey] = Counter()
        self.input_tokens: Counter[CountKey] = Counter()
        self.output_tokens: Counter[CountKey] = Counter()
        self.used: Counter[WindowKey] = Counter()
        self.held: Counter[WindowKey] = Counter()

    def add_entry(self, entry: EntryRow) -> None:
        count = (entry.workspace_id, entry.day, entry.user_id, entry.model)
        self.messages[count] += entry.messages
        self.input_tokens[count] += entry.prompt_tokens
        self.output_tokens[count] += entry.completion_tokens
        for window in windows_keys(entry.workspace_id, entry.windows):
            self.used[window] += entry.messages

    def add_hold(self, hold: HoldRow) -> None:
        for window in windows_keys(hold.workspace_id, hold.windows):
            self.held[window] += hold.messages


def audit(connection: Connection) -> Report:
    """Audit the books that ``connection`` sees; it must be one snapshot (`Database.reading`)."""
    report = Report()
    books = _Books()
    _read_entries(connection, report, books)
    _read_holds(connection, report, books)
    _compare_counts(connection, report, books)
    _compare_windows(connection, report, books)
    return report


def _read_entries(connection: Connection, report: Report, books: _Books) -> None:
    for row in _stream(connection, select(entries).order_by(entries.c.workspace_id, entries.c.started_at)):
        entry = EntryRow(*row)
        report.entries += 1
        _check_entry(report, entry)
        books.add_entry(entry)


def _check_entry(report: Report, entry: EntryRow) -> None:
    row = (entry.workspace_id, entry.request_id)
    flags = set(entry.flags.split())
    failed = "failed" in flags
    expected = 0 if failed else counted_messages(entry.usage)
    report.expect("entries", row, "messages", entry.messages, expected)
    if failed:
        report.expect("entries", row, "tokens", entry.usage, Usage())
    report.expect("entries", row, "overrun", "overrun" in flags, entry.messages > entry.held_messages)
    report.expect("entries", row, "day", entry.day, utc_day(entry.started_at))


def _read_holds(connection: Connection, report: Report, books: _Books) -> None:
    settled = select(holds, entries.c.request_id.label("entry")).outerjoin(
        entries,
        (entries.c.workspace_id == holds.c.workspace_id) & (entries.c.request_id == holds.c.request_id),
    )
    for *columns, entry in _stream(connection, settled):
        hold = HoldRow(*columns)
        row = (hold.workspace_id, hold.request_id)
        report.holds += 1
        bound = counted_messages(Usage(hold.prompt_tokens, hold.completion_tokens))
        report.expect("holds", row, "messages", hold.messages, bound)
        report.expect("holds", row, "settled entry", entry, None)
        books.add_hold(hold)


def _compare_counts(connection: Connection, report: Report, books: _Books) -> None:
    derived = {
        "count": books.messages,
        "input_tokens": books.input_tokens,
        "output_tokens": books.output_tokens,
    }
    for row in _stream(connection, select(daily_message_count)):
        key = (row.workspace_id, row.day, row.user_id, row.model)
        report.counts += 1
        for column, balances in derived.items():
            report.expect("daily_message_count", key, column, row._mapping[column], balances.pop(key, 0))  # noqa: SLF001  # SQLAlchemy's public name; `count` is a method of rows
    for column, balances in derived.items():
        _expect_no_more(report, "daily_message_count", column, balances)


def _compare_windows(connection: Connection, report: Report, books: _Books) -> None:
    derived = {"used": books.used, "held": books.held}
    for row in _stream(connection, select(windows)):
        key = (row.workspace_id, row.subject, row.meter, row.period)
        report.windows += 1
        for column, balances in derived.items():
            report.expect("windows", key, column, getattr(row, column), balances.pop(key, 0))
    for column, balances in derived.items():
        _expect_no_more(report, "windows", column, balances)


def _expect_no_more(
    report: Report, table: str, column: str, balances: Counter[tuple[str, str, str, str]]
) -> None:
    for key, balance in sorted(balances.items()):
        report.expect(table, key, column, 0, balance)


def _stream(connection: Connection, query: Select[*tuple[Any, ...]]) -> Iterator[Row[*tuple[Any, ...]]]:
    yield from connection.execution_options(yield_per=PAGE).execute(query)
