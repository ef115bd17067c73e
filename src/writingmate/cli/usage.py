"""``writingmate usage``."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import typer

from writingmate.cli import output, setup
from writingmate.cli.explain import show
from writingmate.cli.options import Acting, DataDir, Json
from writingmate.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from writingmate.metering.usage import Grouping, Scope, UsageRow

app = typer.Typer(help="Messages and tokens used.", invoke_without_command=True)

Workspace = Annotated[str | None, typer.Option(metavar="ID", help="Only this workspace.")]

_FIGURES: Final = (
    "requests", "messages", "input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens"
)  # fmt: skip


class By(StrEnum):
    """What `usage` adds up by; a member is a user of the workspace."""

    day = "day"
    model = "model"
    key = "key"
    user = "user"
    member = "member"


@app.callback()
def usage(  # noqa: PLR0913  # each is an option
    context: typer.Context,
    by: Annotated[By, typer.Option(help="What to add up by.")] = By.day,
    days: Annotated[
        int, typer.Option(min=1, max=36_500, help="How many UTC days, the last one included.")
    ] = 30,
    since: Annotated[
        str | None, typer.Option(metavar="DAY", help="From this UTC day on, instead of --days.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="DAY", help="Up to this UTC day, itself included; else today.")
    ] = None,
    workspace: Workspace = None,
    acting: Acting = None,
    *,
    csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")] = False,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Show the messages and tokens used.

    They are added up by UTC day, model, key or user.
    """
    from writingmate.metering.usage import usage as read

    if context.invoked_subcommand is not None:
        return
    if csv and json:
        raise ConfigurationError("Choose one of --csv and --json.")
    scope = _scope(workspace, days, since, until)
    grouping: Grouping = "user" if by is By.member else by.value  # type: ignore[assignment]  # one of them
    with setup.opened(data_dir) as database, database.reading() as connection:
        _require_sight(connection, workspace, acting)
        rows = read(connection, grouping, scope)
        if json:
            output.documents(dataclasses.asdict(row) for row in rows)
        elif csv:
            _comma_separated(by, rows)
        else:
            _tabled(by, rows, scope)


@app.command()
def explain(
    request_id: Annotated[str, typer.Argument(help="As in the header x-request-id.")],
    workspace: Workspace = None,
    acting: Acting = None,
    *,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Show how the messages of one request were counted, step by step."""
    from writingmate.metering.commands import HoldRow
    from writingmate.metering.receipts import explained, find

    with setup.opened(data_dir) as database, database.reading() as connection:
        found = find(connection, request_id, workspace)
        _require_sight(connection, workspace, acting, of=found.user_id if found else None)
    if found is None:
        raise ConfigurationError(
            f"There is no request {request_id}{f' in workspace {workspace}' if workspace else ''}. A request "
            "that was refused before it reached a provider has no entry, and one older than "
            "`retention_days` is kept only in sums."
        )
    if isinstance(found, HoldRow):
        raise ConfigurationError(
            f"Request {request_id} is still under way and holds {found.messages} messages."
        )
    explanation = explained(found)
    if json:
        output.document(explanation)
    else:
        print(show(explanation))


@app.command("roll-up")
def roll_up(
    before: Annotated[
        str | None,
        typer.Option(
            metavar="DAY", help="Entries of UTC days before this one; else as `retention_days` says."
        ),
    ] = None,
    *,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Make sums of old entries.

    Usage by day, key, user and model stays, and so does every balance; single requests can no longer be
    explained.
    """
    import asyncio

    from writingmate.metering import retention

    now = time.time()
    days = setup.read(data_dir).retention_days
    if before is None and days == 0:
        raise ConfigurationError("`retention_days` is 0, which keeps every entry; name a day with --before.")
    day = retention.oldest_kept(days, now) if before is None else _day("--before", before).isoformat()
    if day > (yesterday := retention.oldest_kept(1, now)):
        raise ConfigurationError(f"--before {day}: entries of the last two days stay; at most {yesterday}.")
    with setup.opened(data_dir) as database:
        done = asyncio.run(retention.roll_up(database, day))
    if json:
        output.document({"before": day, **dataclasses.asdict(done)})
        return
    print(f"Rolled up {done.entries} entries of before {day} and dropped {done.windows} windows.")
    if done.left:
        print(
            f"{done.left} entries are wrong and were left; `writingmate audit` names them.", file=sys.stderr
        )


def _scope(workspace: str | None, days: int, since: str | None, until: str | None) -> Scope:
    from writingmate.metering.usage import Scope

    last = _day("--until", until) if until else _today()
    first = _day("--since", since) if since else last - timedelta(days=days - 1)
    if first > last:
        raise ConfigurationError(f"--since {first} is after --until {last}.")
    return Scope(workspace, first.isoformat(), last.isoformat())


def _day(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(f"{option} {text}: write a date such as 2026-01-31.") from None


def _today() -> date:
    return datetime.now(UTC).date()


def _comma_separated(by: By, rows: Iterable[UsageRow]) -> None:
    from writingmate.metering.export import csv_lines

    cells = ((row.name, row.label, *_figures(row)) for row in rows)
    for line in csv_lines((by.value, "label", *_FIGURES), cells):
        sys.stdout.write(line)


def _tabled(by: By, rows: Iterable[UsageRow], scope: Scope) -> None:
    output.table(
        (by.value.upper(), *(name.replace("_", " ").upper() for name in _FIGURES)),
        [(_called(by, row), *_figures(row)) for row in rows],
        empty=f"Nothing was used from {scope.since} to {scope.until}.",
    )


def _require_sight(
    connection: Connection, workspace: str | None, acting: str | None, *, of: str | None = None
) -> None:
    """A user sees what they used, and what everyone did where they are an owner; the operator, all."""
    from writingmate.workspaces import store

    by = setup.acting(connection, acting)
    if by is None:
        return
    if workspace is None:
        raise ConfigurationError("With --as, say with --workspace which workspace's usage is asked for.")
    store.require_sight(connection, workspace, of=of, by=by)


def _called(by: By, row: UsageRow) -> str:
    if not row.label:
        return row.name
    return f"{row.name} ({row.label})" if by is By.key else row.label


def _figures(row: UsageRow) -> tuple[int, ...]:
    return tuple(getattr(row, name) for name in _FIGURES)
