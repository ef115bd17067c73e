"""Options that every command has."""

from __future__ import annotations

from contextvars import ContextVar
from pathlib import Path
from typing import Annotated

import typer

from writingmate import __version__

_data_dir: ContextVar[Path | None] = ContextVar("data_dir", default=None)


def _show_version(value: bool) -> None:  # noqa: FBT001  # called by the option
    if value:
        print(__version__)
        raise typer.Exit


DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", metavar="DIR", help="The data folder (WRITINGMATE_DATA_DIR, default ./data)."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]
Version = Annotated[
    bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
]
WhichUser = Annotated[
    str | None, typer.Option("--user", metavar="USER", help="E-mail address or id of a user.")
]
Themselves = Annotated[str, typer.Option("--user", metavar="USER", help="E-mail address or id: who does it.")]
Acting = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="USER",
        help="Act for this user, who may do what their role allows; else as the operator, above roles.",
    ),
]
WorkspaceId = Annotated[str, typer.Argument(metavar="ID", help="As `workspaces list` shows it.")]


def remember(data_dir: Path | None) -> None:
    """Keep what ``writingmate --data-dir DIR command`` said for the command."""
    _data_dir.set(data_dir)


def chosen(data_dir: Path | None) -> Path | None:
    """The folder named after the command, else before it, else None: the environment decides."""
    return data_dir or _data_dir.get()
