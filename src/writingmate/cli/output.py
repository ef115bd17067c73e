"""What commands print: tables for people, JSON for scripts, plain text where nobody looks.

On a terminal, tables are drawn by Rich; into a pipe go bare columns, without colours and never wrapped.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime


def document(value: object) -> None:
    """One JSON document on one line."""
    import msgspec

    print(msgspec.json.encode(value).decode())


def documents(values: Iterable[object]) -> None:
    """One JSON list, an element a line, written as they come."""
    import msgspec

    between = "["
    for value in values:
        print(between + msgspec.json.encode(value).decode(), end="")
        between = ",\n "
    print("[]" if between == "[" else "]")


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> None:
    """Rows under their columns; ``empty`` is said where there are none. Numbers go to the right."""
    if not rows:
        print(empty, file=sys.stderr)
        return
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    numeric = [all(isinstance(row[at], int) for row in rows) for at in range(len(columns))]
    if sys.stdout.isatty():
        _drawn(columns, cells, numeric)
    else:
        _bare(columns, cells, numeric)


def moment(at: float | None) -> str | None:
    """UNIX seconds as ISO 8601 in UTC, to the second."""
    return None if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def minute(at: float | None) -> str:
    """UNIX seconds for people, in UTC."""
    return "never" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")


def _drawn(columns: Sequence[str], cells: Sequence[Sequence[str]], numeric: Sequence[bool]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, right in zip(columns, numeric, strict=True):
        drawn.add_column(name, justify="right" if right else "left", overflow="fold")
    for row in cells:
        drawn.add_row(*map(Text, row))
    Console().print(drawn)


def _bare(columns: Sequence[str], cells: Sequence[Sequence[str]], numeric: Sequence[bool]) -> None:
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    for row in (columns, *cells):
        padded = (
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        )
        print("  ".join(padded).rstrip())
