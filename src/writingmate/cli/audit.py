"""``writingmate audit``."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING

import typer

from writingmate.cli import output, setup
from writingmate.cli.options import DataDir, Json

if TYPE_CHECKING:
    from writingmate.metering.audit import Report


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(audit)


def audit(*, data_dir: DataDir = None, json: Json = False) -> None:
    """Check every balance against the ledger.

    Each is derived again from the ledger's rows; any difference makes the exit status 1.
    """
    from writingmate.metering.audit import audit as read

    with setup.opened(data_dir) as database, database.reading() as connection:
        report = read(connection)
    if json:
        output.document(_described(report))
    else:
        _print(report)
    if not report.clean:
        raise typer.Exit(1)


def _print(report: Report) -> None:
    for difference in report.shown:
        print(difference, file=sys.stderr)
    found = "no difference" if report.clean else f"differences: {report.differences}"
    print(
        f"Read {report.entries} entries, sums of {report.rolled_up} more, {report.holds} open holds, "
        f"{report.counts} daily counts and {report.windows} windows: {found}."
    )


def _described(report: Report) -> dict[str, object]:
    return {
        "clean": report.clean,
        "entries": report.entries,
        "rolled_up": report.rolled_up,
        "holds": report.holds,
        "counts": report.counts,
        "windows": report.windows,
        "differences": report.differences,
        "shown": [dataclasses.asdict(difference) for difference in report.shown],
    }
