"""Bring a database to the newest schema: offline, once, whoever asks first.

Apart from `schema`, because Alembic takes longer to import than a start may take.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from writingmate.errors import ConfigurationError
from writingmate.storage import schema
from writingmate.storage.engine import Database, locked_file

SCRIPTS: Final = Path(__file__).parent / "migrations"

_ADVISORY_LOCK: Final = 7_946_521_180


def upgrade(database: Database) -> None:
    """Apply what is missing, all of it or nothing. Any number of processes may call it at once.

    Raises ConfigurationError for a database that a newer version made, or that refuses a change.
    """
    with _exclusive(database) as connection:
        try:
            command.upgrade(configuration(connection), "head")
        except CommandError as error:
            raise ConfigurationError(
                "The database was made by a newer version of writingmate; this one knows revisions up to "
                f"{schema.HEAD}. Install the newer version again, or point to another database."
            ) from error
        except DBAPIError as error:
            raise ConfigurationError(
                f"The database could not be upgraded to revision {schema.HEAD}: {error.orig} "
                "It was left as it was. Put that right, then run `writingmate db upgrade`."
            ) from error


def configuration(connection: Connection) -> Config:
    """Alembic's configuration for the scripts shipped here, on an open connection."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


@contextmanager
def _exclusive(database: Database) -> Iterator[Connection]:
    if database.path is not None:
        with locked_file(database.path), database.transaction() as connection:
            yield connection
        return
    with database.transaction() as connection:
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
        yield connection
