"""``writingmate usage``."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from writingmate.cli import output, setup
from writingmate.cli.options import Acting, DataDir, Json
from writingmate.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import Connection


class By(StrEnum):
    """What `usage` adds up by."""

    day = "day"
    model = "model"
    key = "key"
    user = "user"


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(usage)


def usage(
    by: Annotated[By, typer.Option(help="What to add up by.")] = By.day,
    days: Annotated[int, typer.Option(min=1, max=36_500, help="How many UTC days, today included.")] = 30,
    workspace: Annotated[str | None, typer.Option(metavar="ID", help="Only this workspace.")] = None,
    acting: Acting = None,
    *,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Show the messages and tokens used.

    They are added up by UTC day, model, key or user.
    """
    from writingmate.metering.usage import Scope
    from writingmate.metering.usage import usage as read

    today = datetime.now(UTC).date()
    since = today - timedelta(days=days - 1)
    scope = Scope(workspace_id=workspace, since=since.isoformat(), until=today.isoformat())
    with setup.opened(data_dir) as database, database.reading() as connection:
        _require_sight(connection, workspace, acting)
        rows = read(connection, by.value, scope)
        names = _names(connection, by)
    if json:
        output.document([dataclasses.asdict(row) for row in rows])
        return
    output.table(
        (by.value.upper(), "MESSAGES", "INPUT TOKENS", "OUTPUT TOKENS"),
        [(names.get(row.name, row.name), row.messages, row.input_tokens, row.output_tokens) for row in rows],
        empty=f"Nothing was used since {since.isoformat()}.",
    )


def _require_sight(connection: Connection, workspace: str | None, acting: str | None) -> None:
    """A user sees what everyone used where they are an owner; the operator, everywhere."""
    from writingmate.workspaces import store

    by = setup.acting(connection, acting)
    if by is None:
        return
    if workspace is None:
        raise ConfigurationError("With --as, say with --workspace which workspace's usage is asked for.")
    store.require_sight(connection, workspace, of=None, by=by)


def _names(connection: Connection, by: By) -> dict[str, str]:
    """What people call the users or keys that rows name by id."""
    from writingmate.identity import store

    if by is By.user:
        return {user.user_id: user.email for user in store.list_users(connection)}
    if by is By.key:
        return {key.key_id: f"{key.key_id} ({key.name})" for key in store.list_keys(connection)}
    return {}
