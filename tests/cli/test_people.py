from __future__ import annotations

import pytest

from tests.cli.commands import Commands
from writingmate.errors import InvalidRequest, NotFound


def test_a_user_is_added_with_a_home_workspace(commands: Commands) -> None:
    made = commands.json("users", "create", "Ada@example.org", "--plan", "premium")
    assert made["email"] == "ada@example.org"
    assert made["home_workspace"] == made["current_workspace"]
    assert commands.json("users", "list")[1] == made
    (home,) = commands.json("workspaces", "list", "--user", "ada@example.org")
    assert (home["workspace"], home["plan"], home["owner"]) == (
        made["home_workspace"],
        "premium",
        made["user_id"],
    )
    with pytest.raises(InvalidRequest, match="already"):
        commands.run("users", "create", "ada@example.org")


def test_a_workspace_is_made_renamed_and_put_on_a_plan(commands: Commands) -> None:
    (owner,) = commands.json("users", "list")
    made = commands.json("workspaces", "create", "Team", "--plan", "free")
    assert (made["name"], made["plan"], made["owner"], made["members"]) == (
        "Team",
        "free",
        owner["user_id"],
        1,
    )
    assert commands.json("workspaces", "rename", made["workspace"], "Crew")["name"] == "Crew"
    assert commands.json("workspaces", "set-plan", made["workspace"], "ultimate")["plan"] == "ultimate"
    assert "Crew" in commands.run("workspaces", "list")
    with pytest.raises(NotFound):
        commands.run("workspaces", "rename", "ws_none", "Name")


def test_a_user_may_make_another_workspace_current(commands: Commands) -> None:
    team = commands.json("workspaces", "create", "Team")["workspace"]
    commands.run("workspaces", "use", team)
    assert commands.json("users", "list")[0]["current_workspace"] == team
    assert commands.json("keys", "create")["workspace"] == team
    ada = commands.json("users", "create", "ada@example.org")
    with pytest.raises(NotFound):
        commands.run("workspaces", "use", ada["home_workspace"])


def test_tables_in_a_pipe_have_no_colours_and_are_never_wrapped(commands: Commands) -> None:
    long = "A name that is far longer than any terminal is wide, " * 3
    commands.run("workspaces", "create", long)
    done = commands.process("workspaces", "list", COLUMNS="40", FORCE_COLOR="1", TERM="xterm-256color")
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    assert lines[0].split() == ["WORKSPACE", "NAME", "PLAN", "OWNER", "MEMBERS", "CREATED"]
    assert long.strip() in lines[2]
    assert "\x1b" not in done.stdout
