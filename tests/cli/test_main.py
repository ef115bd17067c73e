from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
import yaml

from tests.cli.commands import Commands
from writingmate import __version__
from writingmate.errors import Unavailable
from writingmate.storage import engine

# What opening a database, a web server or a table on a terminal needs, and asking for help does not.
SLOW = ("sqlalchemy", "alembic", "uvicorn", "rich", "asyncio", "psycopg")


def one_line(text: str) -> str:
    (line,) = text.splitlines()
    return line


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["keys", "--help"], ["serve", "--help"], ["keys", "create", "--help"], ["--version"]],
)
def test_help_loads_nothing_it_does_not_need(bare: Commands, arguments: list[str]) -> None:
    done = bare.process(*arguments, PYTHONPROFILEIMPORTTIME="1")
    assert done.returncode == 0
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "writingmate.cli" in loaded
    assert not loaded & set(SLOW)


def test_the_version_is_told(bare: Commands) -> None:
    assert bare.process("--version").stdout == f"{__version__}\n"


def test_a_configuration_error_is_one_line_and_status_2(bare: Commands) -> None:
    done = bare.process("keys", "list")
    assert (done.returncode, done.stdout) == (2, "")
    assert one_line(done.stderr).startswith("writingmate: There is no database")
    assert "writingmate init" in done.stderr
    assert not bare.data_dir.exists()


def test_what_is_not_there_is_one_line_and_status_2(commands: Commands) -> None:
    done = commands.process("workspaces", "set-plan", "ws_none", "free")
    assert (done.returncode, done.stdout) == (2, "")
    assert one_line(done.stderr) == (
        "writingmate: There is no workspace 'ws_none'; `writingmate workspaces list` shows them."
    )


def test_a_database_out_of_reach_says_which_and_what_to_do(bare: Commands) -> None:
    done = bare.process("init", WRITINGMATE_DATABASE_URL="postgresql://postgres:hunter22@127.0.0.1:1/none")
    assert done.returncode == 2
    line = one_line(done.stderr)
    assert "127.0.0.1:1" in line
    assert "WRITINGMATE_DATABASE_URL" in line
    assert "hunter22" not in line


def test_a_database_that_is_busy_beyond_patience_is_said_to_be(
    commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "BUSY_SECONDS", 0)
    holder = sqlite3.connect(tmp_path / "writingmate.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(Unavailable, match="database"):
        commands.run("workspaces", "create", "Team")
    holder.close()


def test_a_wrong_option_is_told_by_name(bare: Commands) -> None:
    done = bare.process("keys", "create", "--nmae", "x")
    assert done.returncode == 2
    assert "--nmae" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_description_is_printed_with_this_servers_address(bare: Commands) -> None:
    bare.environ["WRITINGMATE_PUBLIC_URL"] = "https://ai.example.org"
    text = bare.process("openapi").stdout
    document = json.loads(bare.process("openapi", "--json").stdout)
    assert document == yaml.safe_load(text)
    assert document["openapi"].startswith("3.1")
    assert document["servers"][0]["url"] == "https://ai.example.org/api/openai/v1"


def test_a_reader_that_leaves_early_is_no_error(commands: Commands) -> None:
    process = commands.started("openapi")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    process.wait(timeout=60)
    assert "Traceback" not in errors
