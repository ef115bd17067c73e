"""``writingmate workspaces members|leave|remove|set-role|transfer``: who is in a workspace."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from writingmate.cli import output, setup
from writingmate.cli.options import Acting, DataDir, Json, Themselves, WorkspaceId

if TYPE_CHECKING:
    from writingmate.identity.records import User
    from writingmate.workspaces.members import Member

Whom = Annotated[str, typer.Argument(metavar="USER", help="E-mail address or id of a member.")]
RoleName = Annotated[str, typer.Argument(metavar="ROLE", help="`owner` or `member`.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(members)
    app.command()(leave)
    app.command()(remove)
    app.command("set-role")(set_role)
    app.command()(transfer)


def members(
    workspace: WorkspaceId, acting: Acting = None, *, data_dir: DataDir = None, json: Json = False
) -> None:
    """List who is in a workspace, and who is invited and has an account."""
    from writingmate.workspaces import member_store

    with setup.opened(data_dir) as database, database.reading() as connection:
        by = setup.acting(connection, acting)
        found = member_store.list_members(connection, workspace, by=by, now=time.time())
    if json:
        output.document([_described(member) for member in found])
        return
    output.table(
        ("USER", "E-MAIL", "ROLE", "STATUS", "SINCE"),
        [
            (
                member.user_id,
                member.email,
                member.role.lower(),
                member.status.lower(),
                output.minute(member.since),
            )
            for member in found
        ],
        empty="Nobody is in it.",
    )


def leave(workspace: WorkspaceId, user: Themselves, *, data_dir: DataDir = None, json: Json = False) -> None:
    """Let a user leave a workspace; their keys no longer act there."""
    from writingmate.workspaces import member_store

    with setup.opened(data_dir) as database, database.transaction() as connection:
        goes = setup.whom(connection, user)
        member_store.leave(connection, workspace, goes.user_id, now=time.time())
    _say(workspace, goes, None, f"{goes.email} has left {workspace}.", json=json)


def remove(
    workspace: WorkspaceId,
    user: Whom,
    acting: Acting = None,
    *,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Remove a member from a workspace; their keys no longer act there."""
    from writingmate.workspaces import member_store

    with setup.opened(data_dir) as database, database.transaction() as connection:
        goes, by = setup.whom(connection, user), setup.acting(connection, acting)
        member_store.remove(connection, workspace, goes.user_id, by=by, now=time.time())
    _say(workspace, goes, None, f"{goes.email} is no longer in {workspace}.", json=json)


def set_role(
    workspace: WorkspaceId,
    user: Whom,
    role: RoleName,
    acting: Acting = None,
    *,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Make a member an owner, or an owner a member."""
    from writingmate.workspaces import member_store
    from writingmate.workspaces.members import role_named

    given = role_named(role)
    with setup.opened(data_dir) as database, database.transaction() as connection:
        member, by = setup.whom(connection, user), setup.acting(connection, acting)
        member_store.set_role(connection, workspace, member.user_id, given, by=by, now=time.time())
    _say(workspace, member, given, f"{member.email} is {given.lower()} of {workspace} now.", json=json)


def transfer(
    workspace: WorkspaceId,
    user: Whom,
    acting: Acting = None,
    *,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Hand ownership to another member.

    It goes from the user named with --as, else from the only owner, who stays as a member.
    """
    from writingmate.workspaces import member_store

    with setup.opened(data_dir) as database, database.transaction() as connection:
        taker, by = setup.whom(connection, user), setup.acting(connection, acting)
        member_store.transfer(connection, workspace, taker.user_id, by=by, now=time.time())
    _say(workspace, taker, "OWNER", f"{taker.email} owns {workspace} now.", json=json)


def _say(workspace: str, user: User, role: str | None, sentence: str, *, json: bool) -> None:
    if json:
        output.document({"workspace": workspace, "user": user.user_id, "email": user.email, "role": role})
    else:
        print(sentence)


def _described(member: Member) -> dict[str, object]:
    return {
        "user": member.user_id,
        "email": member.email,
        "role": member.role,
        "status": member.status,
        "since": output.moment(member.since),
        "home": member.home,
    }
