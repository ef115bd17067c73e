"""``writingmate users``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from writingmate.cli import output, setup
from writingmate.cli.options import DataDir, Json

if TYPE_CHECKING:
    from writingmate.identity.records import User

app = typer.Typer(help="People.", no_args_is_help=True)


@app.command()
def create(
    email: Annotated[str, typer.Argument(help="Their e-mail address.")],
    plan: Annotated[str, typer.Option(help="The plan of their home workspace.")] = "free",
    *,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Add a user, with a home workspace of their own."""
    from writingmate.identity import store

    setup.plan(data_dir, plan)
    with setup.opened(data_dir) as database, database.transaction() as connection:
        user = store.create_user(connection, email, plan=plan, now=time.time())
    if json:
        output.document(_described(user))
    else:
        print(f"User {user.email} ({user.user_id}), home workspace {user.home_workspace_id}.")
        print(f"`writingmate keys create --user {user.email}` makes a key for them.")


@app.command("list")
def list_(*, data_dir: DataDir = None, json: Json = False) -> None:
    """List users."""
    from writingmate.identity import store

    with setup.opened(data_dir) as database, database.reading() as connection:
        found = store.list_users(connection)
    if json:
        output.document([_described(user) for user in found])
        return
    output.table(
        ("USER", "E-MAIL", "HOME WORKSPACE", "CURRENT WORKSPACE", "CREATED"),
        [
            (
                user.user_id,
                user.email,
                user.home_workspace_id,
                user.current_workspace_id,
                output.minute(user.created_at),
            )
            for user in found
        ],
        empty="There are no users; `writingmate init` makes the first.",
    )


def _described(user: User) -> dict[str, object]:
    return {
        "user_id": user.user_id,
        "email": user.email,
        "home_workspace": user.home_workspace_id,
        "current_workspace": user.current_workspace_id,
        "created": output.moment(user.created_at),
    }
