from __future__ import annotations

import time
from datetime import datetime

import pytest

from tests.cli.commands import Commands
from writingmate.errors import ConfigurationError, InvalidRequest, NotFound
from writingmate.identity import keys, store
from writingmate.storage.engine import Database
from writingmate.storage.tables import signing_keys


def test_create_prints_exactly_what_scripts_rely_on(commands: Commands) -> None:
    made = commands.json("keys", "create")
    (workspace,) = commands.json("workspaces", "list")
    assert list(made) == ["key", "key_id", "workspace"]
    assert made["workspace"] == workspace["workspace"]
    assert made["key"].startswith(f"wm_v2.{made['key_id']}.")


def test_created_keys_verify_against_the_stored_signing_keys(commands: Commands) -> None:
    text = commands.run("keys", "create").splitlines()[-1]
    database = Database.open(commands.environ["WRITINGMATE_DATABASE_URL"])
    with database.reading() as connection:
        assert keys.verify(text, store.load_signing_keys(connection))
    database.close()


def test_options_are_kept(commands: Commands) -> None:
    team = commands.json("workspaces", "create", "Team")["workspace"]
    options = ["--workspace", team, "--name", "CI", "--expires", "30d", "--daily-cap", "7"]
    made = commands.json("keys", "create", *options, "--model", "b/two", "--model", "a/one")
    assert made["workspace"] == team
    key = next(key for key in commands.json("keys", "list") if key["key_id"] == made["key_id"])
    assert (key["name"], key["workspace"], key["daily_cap"]) == ("CI", team, 7)
    assert key["models"] == ["a/one", "b/two"]
    expires = datetime.fromisoformat(key["expires"]).timestamp()
    assert expires == pytest.approx(time.time() + 30 * 86400, abs=60)


def test_a_date_is_the_start_of_that_day_in_utc(commands: Commands) -> None:
    commands.run("keys", "create", "--expires", "2100-01-31")
    assert commands.json("keys", "list")[-1]["expires"] == "2100-01-31T00:00:00Z"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--expires", "soon"], ConfigurationError),
        (["--expires", "2001-01-01"], InvalidRequest),
        (["--workspace", "ws_none"], NotFound),
        (["--user", "nobody@example.org"], ConfigurationError),
        (["--daily-cap", "0"], InvalidRequest),
    ],
)
def test_wrong_options_are_refused(commands: Commands, arguments: list[str], error: type[Exception]) -> None:
    with pytest.raises(error):
        commands.run("keys", "create", *arguments)
    assert len(commands.json("keys", "list")) == 1


def test_a_key_for_a_workspace_is_its_owners(commands: Commands) -> None:
    ada = commands.json("users", "create", "ada@example.org")
    made = commands.json("keys", "create", "--workspace", ada["home_workspace"])
    (key,) = commands.json("keys", "list", "--user", "ada@example.org")
    assert (key["key_id"], key["user"]) == (made["key_id"], ada["user_id"])


def test_list_shows_prefixes_and_never_a_key(commands: Commands) -> None:
    made = commands.json("keys", "create", "--name", "CI")
    shown = commands.run("keys", "list")
    assert f"wm_v2.{made['key_id']}" in shown
    assert made["key"].split(".")[2] not in shown + str(commands.json("keys", "list"))


@pytest.mark.parametrize("shape", ["{id}", "wm_v2.{id}", "{key}"])
def test_a_key_is_revoked_by_its_id_its_prefix_or_itself(commands: Commands, shape: str) -> None:
    made = commands.json("keys", "create")
    text = shape.format(id=made["key_id"], key=made["key"])
    assert commands.json("keys", "revoke", text) == {"key_id": made["key_id"], "revoked": True}
    assert commands.json("keys", "list")[-1]["status"] == "revoked"
    assert "before" in commands.run("keys", "revoke", text)


def test_what_is_no_id_is_not_repeated(commands: Commands) -> None:
    secret = commands.json("keys", "create")["key"].split(".")[2]
    with pytest.raises(ConfigurationError) as caught:
        commands.run("keys", "revoke", "--", secret)
    assert secret not in str(caught.value)
    with pytest.raises(NotFound):
        commands.run("keys", "revoke", "a" * 16)


def test_signing_keys_are_rotated_and_retired(commands: Commands) -> None:
    rotated = commands.json("keys", "rotate-signing")
    signs_from = datetime.fromisoformat(rotated["signs_from"]).timestamp()
    assert signs_from == pytest.approx(time.time() + 60, abs=20)
    assert commands.json("keys", "rotate-signing", "--retire") == {"retired": 0, "keys_ended": 0}
    _age_signing_keys(commands)
    with pytest.raises(ConfigurationError, match="1 developer keys in use would stop working; add --yes"):
        commands.run("keys", "rotate-signing", "--retire")
    assert commands.json("keys", "rotate-signing", "--retire", "--yes") == {"retired": 1, "keys_ended": 1}


def _age_signing_keys(commands: Commands) -> None:
    """Let the minute pass until the new signing key signs."""
    now = time.time()
    database = Database.open(commands.environ["WRITINGMATE_DATABASE_URL"])
    with database.transaction() as connection:
        connection.execute(
            signing_keys.update().where(signing_keys.c.signs_from > now).values(signs_from=now)
        )
    database.close()
