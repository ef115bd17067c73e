from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from tests.databases import PostgresServer, sqlite_url
from writingmate.errors import ConfigurationError
from writingmate.storage import migrate, schema
from writingmate.storage.engine import Database
from writingmate.storage.tables import metadata

UPGRADE = """
import sys
from writingmate.storage import migrate
from writingmate.storage.engine import Database

database = Database.open(sys.argv[1])
sys.stdin.read(1)
migrate.upgrade(database)
database.close()
"""


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield sqlite_url(tmp_path / "new folder" / "writingmate.db")
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = f"empty_{tmp_path.parent.name}_{tmp_path.name}".replace("-", "_").lower()[-60:]
    yield server.create(name)
    server.drop(name)


@pytest.fixture
def empty_database(empty_url: str) -> Iterator[Database]:
    database = Database.open(empty_url)
    yield database
    database.close()


def test_the_migrations_make_what_the_tables_say(database: Database) -> None:
    with database.transaction() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "version_table": schema.VERSION_TABLE}
        )
        assert compare_metadata(context, metadata) == []
        primary = {
            name: inspect(connection).get_pk_constraint(name)["constrained_columns"]
            for name in inspect(connection).get_table_names()
            if name != schema.VERSION_TABLE
        }
    assert primary == {
        table.name: [column.name for column in table.primary_key] for table in metadata.sorted_tables
    }


def test_the_known_head_is_the_last_script() -> None:
    assert ScriptDirectory(str(migrate.SCRIPTS)).get_heads() == [schema.HEAD]


def test_an_empty_database_has_no_revision_and_is_refused(empty_database: Database) -> None:
    assert schema.current(empty_database) is None
    with pytest.raises(ConfigurationError, match="writingmate init"):
        schema.require(empty_database)


def test_upgrading_twice_changes_nothing(empty_database: Database) -> None:
    migrate.upgrade(empty_database)
    migrate.upgrade(empty_database)
    assert schema.current(empty_database) == schema.HEAD
    schema.require(empty_database)


def test_a_newer_database_is_refused_with_advice(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(text(f"UPDATE {schema.VERSION_TABLE} SET version_num = '9999'"))  # noqa: S608  # our constant
    try:
        with pytest.raises(ConfigurationError, match="db upgrade"):
            schema.require(database)
        with pytest.raises(ConfigurationError, match="newer version"):
            migrate.upgrade(database)
    finally:
        with database.transaction() as connection:
            connection.execute(text(f"UPDATE {schema.VERSION_TABLE} SET version_num = '{schema.HEAD}'"))  # noqa: S608  # our constant


def test_a_failed_upgrade_leaves_nothing_behind(empty_database: Database) -> None:
    with empty_database.transaction() as connection:
        connection.execute(text("CREATE TABLE windows (workspace_id INTEGER)"))
    with pytest.raises(ConfigurationError, match=r"windows[\s\S]*left as it was"):
        migrate.upgrade(empty_database)
    with empty_database.reading() as connection:
        assert inspect(connection).get_table_names() == ["windows"]
    assert schema.current(empty_database) is None


def test_processes_that_start_together_upgrade_once(empty_url: str) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", UPGRADE, empty_url], stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"x")
        process.stdin.flush()
    failures = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], failures
    database = Database.open(empty_url)
    schema.require(database)
    database.close()


def test_asking_for_the_revision_does_not_import_alembic(sqlite_file_url: str) -> None:
    program = (
        "import sys; from writingmate.storage import schema; from writingmate.storage.engine import Database;"
        "database = Database.open(sys.argv[1]); schema.require(database); database.close();"
        "assert not any(name.split('.')[0] == 'alembic' for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program, sqlite_file_url], check=True)
