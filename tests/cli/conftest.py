from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands import Commands, foreign_variables


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """The command line before anything was set up."""
    for name in foreign_variables():
        monkeypatch.delenv(name)
    return Commands(tmp_path / "data")


@pytest.fixture
def commands(bare: Commands, sqlite_file_url: str) -> Commands:
    """The command line after `init`, on a database that is migrated already."""
    bare.environ["WRITINGMATE_DATABASE_URL"] = sqlite_file_url
    bare.run("init")
    return bare
