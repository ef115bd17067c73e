from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.cli.commands import Commands
from writingmate.errors import ConfigurationError
from writingmate.identity import keys


def test_the_first_init_makes_everything_and_later_ones_nothing(bare: Commands) -> None:
    made = bare.json("init")
    assert set(made) == {"data_dir", "key", "key_id", "workspace"}
    parsed = keys.parse(made["key"])
    assert parsed is not None
    assert parsed.key_id == made["key_id"]
    assert bare.json("init") == {
        "data_dir": str(bare.data_dir),
        "key": None,
        "key_id": None,
        "workspace": None,
    }
    assert [user["email"] for user in bare.json("users", "list")] == ["owner@localhost"]
    (workspace,) = bare.json("workspaces", "list")
    assert (workspace["workspace"], workspace["plan"]) == (made["workspace"], "self-hosted")
    (key,) = bare.json("keys", "list")
    assert (key["key_id"], key["status"], key["workspace"]) == (made["key_id"], "active", None)


def test_it_says_what_to_do_next_and_shows_the_key_once(bare: Commands) -> None:
    first = bare.run("init")
    assert "wm_v2." in first
    assert "writingmate serve" in first
    assert "wm_v2." not in bare.run("init")


def test_the_key_is_in_no_file_that_is_left_behind(bare: Commands) -> None:
    key = bare.json("init")["key"]
    bare.run("keys", "list")
    _, _, secret, signature = key.split(".")
    files = [path for path in bare.data_dir.rglob("*") if path.is_file()]
    assert files
    for path in files:
        content = path.read_bytes()
        assert secret.encode() not in content
        assert signature.encode() not in content


def test_what_is_made_belongs_to_its_owner_only(bare: Commands) -> None:
    assert bare.process("init").returncode == 0
    for path in (bare.data_dir, *bare.data_dir.rglob("*")):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


def test_several_at_once_make_one_key(bare: Commands, database_url: str) -> None:
    bare.environ["WRITINGMATE_DATABASE_URL"] = database_url
    processes = [bare.started("init", "--json") for _ in range(3)]
    answers = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], answers
    assert sum('"key":"wm_v2.' in out for out, _ in answers) == 1
    assert len(bare.json("keys", "list")) == len(bare.json("users", "list")) == 1


@pytest.mark.parametrize("before", [True, False])
def test_the_folder_named_on_the_command_line_wins(bare: Commands, tmp_path: Path, *, before: bool) -> None:
    folder = tmp_path / "elsewhere"
    named = ["--data-dir", str(folder)]
    bare.run(*([*named, "init"] if before else ["init", *named]))
    assert (folder / "writingmate.db").exists()
    assert not bare.data_dir.exists()
    assert bare.json("keys", "list", *named)
    with pytest.raises(ConfigurationError):
        bare.run("keys", "list")


def test_a_folder_that_cannot_be_made_says_what_to_do(bare: Commands, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigurationError, match=r"cannot be made.*--data-dir"):
        bare.run("init", "--data-dir", str(tmp_path / "file" / "data"))


def test_a_folder_that_cannot_be_written_to_says_what_to_do(
    bare: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare.data_dir.mkdir()
    # Tests may run as root, whom no file mode stops.
    monkeypatch.setattr("writingmate.cli.setup.os.access", lambda *_: False)
    with pytest.raises(ConfigurationError, match=r"cannot be written to.*--data-dir"):
        bare.run("init")


def test_db_upgrade_makes_the_schema_and_may_be_repeated(bare: Commands) -> None:
    assert bare.json("db", "upgrade") == {"from": None, "to": "0004"}
    assert bare.json("db", "upgrade") == {"from": "0004", "to": "0004"}
    assert "already" in bare.run("db", "upgrade")
    with pytest.raises(ConfigurationError, match="writingmate init"):
        bare.run("keys", "create")
    assert bare.json("init")["key"]
