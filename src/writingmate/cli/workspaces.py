"""``writingmate workspaces``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from writingmate.cli import output, setup
from writingmate.cli.options import DataDir, Json, WhichUser

if TYPE_CHECKING:
    from writingmate.workspaces.store import Workspace

app = typer.Typer(help="Workspaces: what a plan and a bill belong to.", no_args_is_help=True)

WorkspaceId = Annotated[str, typer.Argument(metavar="ID", help="As `workspaces list` shows it.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="What people call it.")],
    user: WhichUser = None,
    plan: Annotated[str, typer.Option(help="Its plan.")] = "free",
    *,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Make a workspace that the user named, or else the first user, owns."""
    from writingmate.workspaces import store

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
    *,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Give a workspace another name."""
    from writingmate.workspaces import store

    with setup.opened(data_dir) as database, database.transaction() as connection:
        store.rename(connection, workspace, name, by=None)
        changed = store.get(connection, workspace)
    _show(changed, json=json)


@app.command("set-plan")
def set_plan(
    workspace: WorkspaceId,
    plan: Annotated[str, typer.Argument(help="The plan's name.")],
    *,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Put a workspace on a plan, from its next request on."""
    from writingmate.workspaces import store

    with setup.opened(data_dir) as database, database.transaction() as connection:
        store.set_plan(connection, workspace, plan)
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
