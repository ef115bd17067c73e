"""Fixtures that every room may use."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.databases import PostgresServer, empty, migrated, shared_postgres, sqlite_url
from writingmate.storage.engine import Database

# Both of these measure by the clock on the wall, which says what else the machine does at that moment.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")

WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """A real PostgreSQL, one for all workers of the run."""
    base = tmp_path_factory.getbasetemp()
    with shared_postgres(base.parent if WORKER else base) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_url(postgres_server: PostgresServer) -> str:
    """This worker's own database, migrated."""
    return migrated(postgres_server.create(f"writingmate_{WORKER or 'alone'}"))


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty SQLite file to copy."""
    path = tmp_path_factory.mktemp("template") / "writingmate.db"
    migrated(sqlite_url(path))
    return path


@pytest.fixture
def sqlite_file_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated, empty SQLite database of this test's own."""
    return sqlite_url(Path(shutil.copy(sqlite_template, tmp_path / "writingmate.db")))


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated, empty database: every test that asks runs on both kinds."""
    if request.param == "sqlite":
        url: str = request.getfixturevalue("sqlite_file_url")
        return url
    url = request.getfixturevalue("postgres_url")
    empty(url)
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The same, open."""
    opened = Database.open(database_url)
    yield opened
    opened.close()
