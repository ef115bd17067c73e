"""``writingmate workspaces``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from writingmate.cli import invitations, members, output, setup
from writingmate.cli.options import Acting, DataDir, Json, WhichUser, WorkspaceId

if TYPE_CHECKING:
    from writingmate.workspaces.store import Workspace

app = typer.Typer(help="Workspaces: what a plan and a bill belong to.", no_args_is_help=True)


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What people call it.")],
    user: WhichUser = None,
    plan: Annotated[str, typer.Option(help="Its plan, as `plans list` shows it.")] = "free",
    *,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Make a workspace that the user named, or else the first user, owns."""
    from writingmate.workspaces import store

    setup.plan(data_dir, plan)
    with setup.opened(data_dir) as database, database.transaction() as connection:
        owner = setup.whom(connection, user)
        made = store.create(connection, name, owner_id=owner.user_id, plan=plan, now=time.time())
    _show(made, json=json)


@app.command("list")
def list_(*, user: WhichUser = None, data_dir: DataDir = None, json: Json = False) -> None:
    """List all workspaces, or those of one user."""
    from writingmate.workspaces import store

    with setup.opened(data_dir) as database, database.reading() as connection:
        member = setup.whom(connection, user).user_id if user else None
        found = store.list_all(connection, member_id=member)
    if json:
        output.document([_described(item) for item in found])
        return
    output.table(
        ("WORKSPACE", "NAME", "PLAN", "OWNER", "MEMBERS", "CREATED"),
        [
            (
                item.workspace_id,
                item.name,
                item.plan,
                item.owner_id,
                item.members,
                output.minute(item.created_at),
            )
            for item in found
        ],
        empty="There are no workspaces; `writingmate init` makes the first.",
    )


@app.command()
def rename(
    workspace: WorkspaceId,
    name: Annotated[str, typer.Argument(help="The new name.")],
    acting: Acting = None,
    *,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Give a workspace another name."""
    from writingmate.workspaces import store

    with setup.opened(data_dir) as database, database.transaction() as connection:
        store.rename(connection, workspace, name, by=setup.acting(connection, acting))
        changed = store.get(connection, workspace)
    _show(changed, json=json)


@app.command("set-plan")
def set_plan(
    workspace: WorkspaceId,
    plan: Annotated[str, typer.Argument(help="As `plans list` shows it.")],
    acting: Acting = None,
    *,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Put a workspace on a plan, from its next request on."""
    from writingmate.workspaces import store

    setup.plan(data_dir, plan)
    with setup.opened(data_dir) as database, database.transaction() as connection:
        store.set_plan(connection, workspace, plan, by=setup.acting(connection, acting))
        changed = store.get(connection, workspace)
    _show(changed, json=json)


@app.command()
def use(
    workspace: WorkspaceId,
    user: WhichUser = None,
    *,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Make a workspace the current one of the user named, or else of the first user."""
    from writingmate.workspaces import store

    with setup.opened(data_dir) as database, database.transaction() as connection:
        store.set_current(connection, setup.whom(connection, user).user_id, workspace)
        chosen = store.get(connection, workspace)
    _show(chosen, json=json)


@app.command()
def delete(
    workspace: WorkspaceId, acting: Acting = None, *, data_dir: DataDir = None, json: Json = False
) -> None:
    """Delete a workspace for good.

    Keys pinned to it are revoked, its members and invitations go, its books stay.
    """
    from writingmate.workspaces import store

    with setup.opened(data_dir) as database, database.transaction() as connection:
        by = setup.acting(connection, acting)
        revoked = store.remove(connection, workspace, by=by, now=time.time())
    if json:
        output.document({"workspace": workspace, "deleted": True, "keys_revoked": revoked})
    else:
        print(f"Workspace {workspace} is deleted. Keys revoked: {revoked}.")


members.add_to(app)
invitations.add_to(app)


def _show(workspace: Workspace, *, json: bool) -> None:
    if json:
        output.document(_described(workspace))
    else:
        print(f"Workspace {workspace.workspace_id}: {workspace.name}, plan {workspace.plan}.")


def _described(workspace: Workspace) -> dict[str, object]:
    return {
        "workspace": workspace.workspace_id,
        "name": workspace.name,
        "plan": workspace.plan,
        "owner": workspace.owner_id,
        "members": workspace.members,
        "created": output.moment(workspace.created_at),
    }
