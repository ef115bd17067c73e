"""Comma-separated values (RFC 4180), line by line, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

# A spreadsheet takes a cell that begins so for a formula, and runs it.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def csv_lines(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """The header and a line for each row, each with its line end; read as they are asked for.

    None is an empty cell. Text that a spreadsheet would run begins with an apostrophe instead.
    """
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(columns)
    yield _taken(written)
    for row in rows:
        writer.writerow([_inert(cell) for cell in row])
        yield _taken(written)


def _inert(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


def _taken(written: io.StringIO) -> str:
    line = written.getvalue()
    written.seek(0)
    written.truncate()
    return line
