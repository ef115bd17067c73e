from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, insert, select, text

from tests.databases import (
    PostgresServer,
    end_postgres,
    launch_postgres,
    sqlite_url,
    start_postgres,
    stop_postgres,
)
from writingmate.errors import ConfigurationError, Unavailable
from writingmate.storage.engine import Database
from writingmate.storage.tables import revisions

ROW = {"name": "subject", "value": 1}


def rows(connection: Connection) -> int:
    return connection.scalar(select(func.count()).select_from(revisions)) or 0


def fail(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(insert(revisions), ROW | {"name": "other"})
        raise ZeroDivisionError


def test_a_transaction_is_kept_and_a_failed_one_leaves_nothing(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(insert(revisions), ROW)
    with pytest.raises(ZeroDivisionError):
        fail(database)
    with database.reading() as connection:
        assert rows(connection) == 1


def test_a_reading_is_one_snapshot(database: Database) -> None:
    with database.reading() as before:
        assert rows(before) == 0
        with database.transaction() as connection:
            connection.execute(insert(revisions), ROW)
        assert rows(before) == 0
    with database.reading() as after:
        assert rows(after) == 1


def test_a_reading_cannot_write(database: Database) -> None:
    with (
        pytest.raises(Exception, match=r"(?i)read-?only|reach its database"),
        database.reading() as connection,
    ):
        connection.execute(insert(revisions), ROW)
    with database.reading() as connection:
        assert rows(connection) == 0


async def test_queries_run_off_the_event_loop(database: Database) -> None:
    def change(connection: Connection) -> str:
        connection.execute(insert(revisions), ROW)
        return threading.current_thread().name

    assert (await database.write(change)).startswith("database")
    assert await database.read(rows) == 1


def test_sqlite_is_durable_and_waits_for_others(sqlite_file_url: str) -> None:
    database = Database.open(sqlite_file_url)
    wanted = {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 10_000, "foreign_keys": 1}
    with database.transaction() as connection:
        assert {name: connection.scalar(text(f"PRAGMA {name}")) for name in wanted} == wanted
    database.close()


def test_writers_of_one_sqlite_file_wait_for_each_other(sqlite_file_url: str) -> None:
    database = Database.open(sqlite_file_url)
    began = threading.Event()

    def increment() -> None:
        began.set()
        with database.transaction() as connection:
            value = connection.scalar(select(revisions.c.value)) or 0
            connection.execute(revisions.update().values(value=value + 1))

    with database.transaction() as connection:
        connection.execute(insert(revisions), ROW)
        thread = threading.Thread(target=increment)
        thread.start()
        assert began.wait(5)
        connection.execute(revisions.update().values(value=10))
    thread.join()
    with database.reading() as connection:
        assert connection.scalar(select(revisions.c.value)) == 11
    database.close()


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("mysql://root:hunter2@127.0.0.1/x", "PostgreSQL"),
        ("sqlite://", "SQLite file"),
        ("sqlite:///:memory:", "SQLite file"),
        ("not a url", "WRITINGMATE_DATABASE_URL"),
        ("postgresql://me:hunter2@127.0.0.1:1/x", "Check that PostgreSQL runs"),
        ("postgresql://me:hunter2@no-such-host.invalid/x", "Check that PostgreSQL runs"),
    ],
)
def test_a_database_out_of_reach_is_explained_without_its_password(url: str, advice: str) -> None:
    with pytest.raises(ConfigurationError, match=advice) as caught:
        Database.open(url)
    assert "hunter2" not in str(caught.value)


def test_a_folder_that_cannot_be_made_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="--data-dir"):
        Database.open(sqlite_url(tmp_path / "file" / "writingmate.db"))


def test_a_file_that_is_no_database_is_explained(tmp_path: Path) -> None:
    path = tmp_path / "writingmate.db"
    path.write_bytes(b"not a database " * 100)
    with pytest.raises(ConfigurationError, match="not a database"):
        Database.open(sqlite_url(path))


def test_a_server_that_goes_away_makes_requests_unavailable_until_it_is_back() -> None:
    server = start_postgres()
    try:
        database = Database.open(server.url("postgres"))
        end_postgres(server)
        with pytest.raises(Unavailable, match="Try again"), database.reading():
            pass
        server = launch_postgres(server.directory, server.port)
        with database.reading() as connection:
            assert connection.scalar(text("SELECT 1")) == 1
        database.close()
    finally:
        stop_postgres(server)


def test_the_unix_socket_of_a_server_works(postgres_server: PostgresServer) -> None:
    database = Database.open(postgres_server.socket_url("postgres"))
    with database.reading() as connection:
        assert connection.scalar(text("SELECT 1")) == 1
    database.close()
