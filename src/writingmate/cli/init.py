"""``writingmate init``."""

from __future__ import annotations

import typer

from writingmate.cli import output, setup
from writingmate.cli.options import DataDir, Json


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(init)


def init(*, data_dir: DataDir = None, json: Json = False) -> None:
    """Set up data folder, database, user and key.

    It may be repeated: what is there stays as it is.
    """
    settings = setup.read(data_dir)
    prepared = setup.prepare(settings)
    if json:
        output.document(_described(prepared, str(settings.data_dir)))
    elif prepared.key is None:
        print(f"{settings.data_dir} is set up already. `writingmate keys create` makes another key.")
    else:
        print(f"Set up in {settings.data_dir}: user {setup.FIRST_USER}, workspace {prepared.workspace_id}.")
        print(f"\nDeveloper key (shown only now): {prepared.key.key}\n")
        print("Start the server with `writingmate serve`.")


def _described(prepared: setup.Prepared, folder: str) -> dict[str, str | None]:
    key = prepared.key
    return {
        "data_dir": folder,
        "key": key.key if key else None,
        "key_id": key.key_id if key else None,
        "workspace": prepared.workspace_id,
    }
