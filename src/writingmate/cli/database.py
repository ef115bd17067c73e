"""``writingmate db``."""

from __future__ import annotations

import typer

from writingmate.cli import output, setup
from writingmate.cli.options import DataDir, Json

app = typer.Typer(help="The database's schema.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keep `upgrade` a word of its own although it is the only one."""


@app.command()
def upgrade(*, data_dir: DataDir = None, json: Json = False) -> None:
    """Bring the database to this version's schema.

    An empty one gets its tables; it may be repeated.
    """
    from writingmate.storage import migrate, schema
    from writingmate.storage.engine import Database

    settings = setup.read(data_dir)
    setup.prepare_folder(settings.data_dir)
    database = Database.open(settings.database_url)
    try:
        before = schema.current(database)
        migrate.upgrade(database)
    finally:
        database.close()
    if json:
        output.document({"from": before, "to": schema.HEAD})
    elif before == schema.HEAD:
        print(f"The database is at revision {schema.HEAD} already.")
    else:
        print(f"The database is now at revision {schema.HEAD} (before: {before or 'empty'}).")
