"""Alembic runs this for every command; the caller has opened the connection and its transaction."""  # noqa: INP001  # scripts that Alembic loads by path, not a package

from __future__ import annotations

from alembic import context

from writingmate.storage.schema import VERSION_TABLE
from writingmate.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,  # SQLite alters a table by copying it
)
with context.begin_transaction():
    context.run_migrations()
