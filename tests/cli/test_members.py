from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert

from tests.cli.commands import Commands
from tests.metering.examples import entry_values
from writingmate.errors import ConfigurationError, Conflict, Gone, InvalidRequest, NotFound, PermissionDenied
from writingmate.storage.engine import Database
from writingmate.storage.tables import entries

ADA, BOB = "ada@example.org", "bob@example.org"


@pytest.fixture
def team(commands: Commands) -> str:
    """A workspace that Ada owns; Bob has an account."""
    for email in (ADA, BOB):
        commands.run("users", "create", email)
    made: dict[str, Any] = commands.json("workspaces", "create", "Team", "--user", ADA)
    workspace: str = made["workspace"]
    return workspace


def invited(commands: Commands, team: str, *options: str) -> dict[str, Any]:
    made: dict[str, Any] = commands.json("workspaces", "invite", team, BOB, "--by", ADA, *options)
    return made


def join(commands: Commands, team: str, *options: str) -> None:
    link = invited(commands, team, *options)["link"]
    commands.run("workspaces", "accept", link, "--user", BOB)


def roles(commands: Commands, team: str) -> dict[str, str]:
    return {
        member["email"]: f"{member['role']} {member['status']}"
        for member in commands.json("workspaces", "members", team)
    }


def test_an_invitation_is_a_link_and_accepting_it_makes_a_member(commands: Commands, team: str) -> None:
    commands.environ["WRITINGMATE_PUBLIC_URL"] = "https://gateway.example/"
    ids = {user["email"]: user["user_id"] for user in commands.json("users", "list")}
    made = invited(commands, team, "--days", "3")
    assert made["link"].startswith("https://gateway.example/invitations/wm_inv_")
    assert (made["status"], made["role"], made["invited_by"]) == ("open", "MEMBER", ids[ADA])
    assert made["has_account"]
    assert roles(commands, team) == {ADA: "OWNER ACTIVE", BOB: "MEMBER INVITED"}
    joined = commands.json("workspaces", "accept", made["link"], "--user", BOB)
    assert joined == {"workspace": team, "name": "Team", "role": "MEMBER", "user": ids[BOB]}
    assert roles(commands, team)[BOB] == "MEMBER ACTIVE"
    (kept,) = commands.json("workspaces", "invitations", team)
    assert (kept["status"], kept["accepted_by"]) == ("accepted", ids[BOB])
    with pytest.raises(Gone, match="used once"):
        commands.run("workspaces", "accept", made["link"], "--user", BOB)


def test_the_link_is_shown_once_and_the_code_alone_will_do(commands: Commands, team: str) -> None:
    printed = commands.run("workspaces", "invite", team, BOB)
    code = printed.split("/invitations/")[1].strip()
    shown = commands.run("workspaces", "invitations", team)
    assert code not in shown + str(commands.json("workspaces", "invitations", team))
    assert "(operator)" in shown
    assert "is member of" in commands.run("workspaces", "accept", code, "--user", BOB)
    assert BOB in commands.run("workspaces", "members", team, "--as", BOB)


def test_who_has_no_account_needs_one(commands: Commands, team: str) -> None:
    assert "users create dan@example.org" in commands.run("workspaces", "invite", team, "dan@example.org")
    assert "users create" not in commands.run("workspaces", "invite", team, BOB)


def test_an_invitation_is_withdrawn(commands: Commands, team: str) -> None:
    made = invited(commands, team)
    withdraw = ["workspaces", "withdraw", team, made["invitation"]]
    assert commands.json(*withdraw, "--as", ADA) == {"invitation": made["invitation"], "withdrawn": True}
    assert "not open any more" in commands.run(*withdraw)
    with pytest.raises(Gone, match="withdrawn"):
        commands.run("workspaces", "accept", made["link"], "--user", BOB)


def test_roles_change_ownership_is_handed_over_and_members_go(commands: Commands, team: str) -> None:
    join(commands, team)
    assert commands.json("workspaces", "set-role", team, BOB, "owner", "--as", ADA)["role"] == "OWNER"
    commands.run("workspaces", "set-role", team, BOB, "member")
    assert commands.json("workspaces", "transfer", team, BOB)["email"] == BOB
    assert roles(commands, team) == {ADA: "MEMBER ACTIVE", BOB: "OWNER ACTIVE"}
    commands.run("workspaces", "leave", team, "--user", ADA)
    assert roles(commands, team) == {BOB: "OWNER ACTIVE"}
    with pytest.raises(Conflict, match="only owner"):
        commands.run("workspaces", "leave", team, "--user", BOB)


def test_the_operator_removes_whom_an_owner_could(commands: Commands, team: str) -> None:
    join(commands, team)
    assert commands.json("workspaces", "remove", team, BOB)["role"] is None
    assert roles(commands, team) == {ADA: "OWNER ACTIVE"}


@pytest.mark.parametrize(
    "command",
    [
        ["invite", "{team}", "dan@example.org", "--by", BOB],
        ["invitations", "{team}", "--as", BOB],
        ["remove", "{team}", ADA, "--as", BOB],
        ["set-role", "{team}", BOB, "owner", "--as", BOB],
        ["transfer", "{team}", BOB, "--as", BOB],
        ["rename", "{team}", "Mine", "--as", BOB],
        ["set-plan", "{team}", "premium", "--as", BOB],
        ["delete", "{team}", "--as", BOB],
    ],
    ids=lambda command: command[0],
)
def test_for_a_named_user_their_role_counts(commands: Commands, team: str, command: list[str]) -> None:
    join(commands, team)
    arguments = [word.format(team=team) for word in command]
    with pytest.raises(PermissionDenied, match="Only an owner"):
        commands.run("workspaces", *arguments)
    done = commands.process("workspaces", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("writingmate: Only an owner")


def test_what_others_used_is_shown_to_owners(commands: Commands, team: str) -> None:
    join(commands, team)
    assert commands.json("usage", "--workspace", team, "--as", ADA) == []
    with pytest.raises(PermissionDenied, match="Only an owner"):
        commands.run("usage", "--workspace", team, "--as", BOB)
    with pytest.raises(ConfigurationError, match="--workspace"):
        commands.run("usage", "--as", ADA)


def test_a_request_is_explained_to_who_sent_it_and_to_owners(commands: Commands, team: str) -> None:
    join(commands, team)
    users = {user["email"]: user["user_id"] for user in commands.json("users", "list")}
    database = Database.open(commands.environ["WRITINGMATE_DATABASE_URL"])
    with database.transaction() as connection:
        for name in (ADA, BOB):
            row = {
                **entry_values(0),
                "workspace_id": team,
                "request_id": f"req_{name}",
                "user_id": users[name],
            }
            connection.execute(insert(entries), [row])
    database.close()

    def explained(request: str, who: str) -> str:
        said = commands.json("usage", "explain", f"req_{request}", "--workspace", team, "--as", who)
        return str(said["user_id"])

    assert explained(ADA, ADA) == users[ADA]
    assert explained(BOB, ADA) == explained(BOB, BOB) == users[BOB]
    for request in (ADA, "none"):
        with pytest.raises(PermissionDenied, match="Only an owner"):
            explained(request, BOB)
    with pytest.raises(ConfigurationError, match="--workspace"):
        commands.run("usage", "explain", f"req_{ADA}", "--as", ADA)


def test_a_deleted_workspace_takes_its_pinned_keys_along(commands: Commands, team: str) -> None:
    pinned = commands.json("keys", "create", "--workspace", team)
    assert commands.json("workspaces", "delete", team, "--as", ADA) == {
        "workspace": team,
        "deleted": True,
        "keys_revoked": 1,
    }
    status = {key["key_id"]: key["status"] for key in commands.json("keys", "list")}
    assert status[pinned["key_id"]] == "revoked"
    with pytest.raises(NotFound):
        commands.run("workspaces", "delete", team)
    home = commands.json("users", "list")[0]["home_workspace"]
    with pytest.raises(Conflict, match="home workspace"):
        commands.run("workspaces", "delete", home)


def test_wrong_words_are_refused(commands: Commands, team: str) -> None:
    for arguments, error in (
        (["invite", team, BOB, "--role", "admin"], InvalidRequest),
        (["invite", team, BOB, "--days", "91"], InvalidRequest),
        (["invite", team, "bob"], InvalidRequest),
        (["invite", team, BOB, "--by", "nobody"], ConfigurationError),
        (["set-role", team, ADA, "admin"], InvalidRequest),
        (["remove", team, BOB], NotFound),
        (["members", "ws_none"], NotFound),
        (["withdraw", team, "inv_none"], NotFound),
        (["accept", "nonsense", "--user", BOB], NotFound),
    ):
        with pytest.raises(error):
            commands.run("workspaces", *arguments)
