"""Which revision of the schema a database has; cheap enough to ask at every start."""

from __future__ import annotations

from typing import Final

from sqlalchemy import column, inspect, select, table

from writingmate.errors import ConfigurationError
from writingmate.storage.engine import Database

HEAD: Final = "0004"
VERSION_TABLE: Final = "schema_revision"

_version = table(VERSION_TABLE, column("version_num"))


def current(database: Database) -> str | None:
    """The revision that the database is at, None if it is empty."""
    with database.reading() as connection:
        if not inspect(connection).has_table(VERSION_TABLE):
            return None
        return connection.scalar(select(_version.c.version_num))


def require(database: Database) -> None:
    """Raise ConfigurationError unless the database is at the revision this version works with."""
    found = current(database)
    if found == HEAD:
        return
    if found is None:
        raise ConfigurationError(
            "The database is empty. Run `writingmate init`, or `writingmate db upgrade`."
        )
    raise ConfigurationError(
        f"The database is at schema revision {found}, this version of writingmate needs {HEAD}. "
        "Run `writingmate db upgrade`, or use the version that made it."
    )
