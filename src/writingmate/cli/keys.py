"""``writingmate keys``."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from writingmate.cli import output, setup
from writingmate.cli.options import DataDir, Json, WhichUser
from writingmate.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from writingmate.identity.records import DeveloperKey, User

app = typer.Typer(help="Developer keys.", no_args_is_help=True)

_PERIOD = re.compile(r"(\d{1,6})([hdwy])")
_SECONDS = {"h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}
_KEY_ID = re.compile(r"(?:wm_v2\.)?([a-z2-7]{16})(?:\..*)?")


@app.command()
def create(  # noqa: PLR0913  # each is an option
    *,
    workspace: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Pin the key to this workspace; else it follows its user."),
    ] = None,
    name: Annotated[str, typer.Option(help="What it is for.")] = "Developer key",
    user: WhichUser = None,
    expires: Annotated[
        str | None, typer.Option(metavar="WHEN", help="In 12h, 30d, 4w or 1y, or on a date: 2027-01-31.")
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(metavar="SLUG", help="Allow only this model; may be repeated.")
    ] = None,
    daily_cap: Annotated[
        int | None, typer.Option(metavar="MESSAGES", help="At most this many messages a day.")
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Create a developer key and show it, once."""
    from writingmate.identity import store
    from writingmate.identity.records import KeyOptions

    now = time.time()
    options = KeyOptions(name, workspace, _expiry(expires, now), tuple(model) if model else None, daily_cap)
    with setup.opened(data_dir) as database, database.transaction() as connection:
        owner = _owner(connection, user, workspace)
        minted = store.create_key(connection, owner, options, now=now)
    acts_in = workspace or owner.current_workspace_id
    if json:
        output.document({"key": minted.key, "key_id": minted.key_id, "workspace": acts_in})
        return
    print(f"Key {minted.key_id} of {owner.email}, acting in workspace {acts_in}. Shown only now:\n")
    print(minted.key)


@app.command("list")
def list_(*, user: WhichUser = None, data_dir: DataDir = None, json: Json = False) -> None:
    """List developer keys, revoked ones included."""
    from writingmate.identity import store

    with setup.opened(data_dir) as database, database.reading() as connection:
        of = setup.whom(connection, user).user_id if user else None
        found = store.list_keys(connection, user_id=of)
        emails = {item.user_id: item.email for item in store.list_users(connection)}
    now = time.time()
    if json:
        output.document([_described(key, now) for key in found])
        return
    output.table(
        ("KEY", "NAME", "USER", "STATUS", "WORKSPACE", "CREATED", "LAST USED", "EXPIRES"),
        [(*_shown(key, emails, now), output.minute(key.expires_at)) for key in found],
        empty="There are no keys; `writingmate keys create` makes one.",
    )


@app.command()
def revoke(
    key: Annotated[
        str, typer.Argument(metavar="KEY_ID", help="As `keys list` shows it, with or without `wm_v2.`")
    ],
    *,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Revoke a key, at once and for good."""
    from writingmate.identity import store

    key_id = _key_id(key)
    with setup.opened(data_dir) as database, database.transaction() as connection:
        changed = store.revoke_key(connection, key_id, now=time.time())
    if json:
        output.document({"key_id": key_id, "revoked": True})
    else:
        print(f"Key {key_id} is revoked." if changed else f"Key {key_id} was revoked before.")


@app.command("rotate-signing")
def rotate_signing(
    *,
    retire: Annotated[
        bool, typer.Option("--retire", help="Instead, stop accepting keys that older signing keys signed.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Retire although keys in use stop working.")] = False,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Begin to sign developer keys with a new signing key; those signed before stay good."""
    from writingmate.identity import store

    now = time.time()
    with setup.opened(data_dir) as database, database.transaction() as connection:
        if not retire:
            fresh = store.rotate_signing_key(connection, now=now)
            said: dict[str, object] = {"signing_key_id": fresh.signing_key_id}
            said["signs_from"] = output.moment(fresh.signs_from)
        else:
            ended = store.signed_by_superseded(connection, now=now)
            if ended and not yes:
                raise ConfigurationError(
                    f"{ended} developer keys in use would stop working; add --yes to do it."
                )
            said = {"retired": store.retire_signing_keys(connection, now=now), "keys_ended": ended}
    if json:
        output.document(said)
    elif retire:
        print(f"Signing keys retired: {said['retired']}. Developer keys ended: {said['keys_ended']}.")
    else:
        print(f"Signing key {said['signing_key_id']} signs new developer keys from {said['signs_from']} on.")


def _owner(connection: Connection, user: str | None, workspace: str | None) -> User:
    """Whose key it will be: the user named, else the owner of the workspace named, else the first user."""
    from writingmate.workspaces import store

    if user is None and workspace is not None:
        return setup.whom(connection, store.get(connection, workspace).owner_id)
    return setup.whom(connection, user)


def _expiry(text: str | None, now: float) -> float | None:
    if text is None:
        return None
    period = _PERIOD.fullmatch(text)
    if period:
        return now + int(period[1]) * _SECONDS[period[2]]
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"--expires {text}: write 12h, 30d, 4w, 1y or a date such as 2027-01-31."
        ) from None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()


def _key_id(text: str) -> str:
    """The id in what was given; a whole key is accepted and never repeated."""
    match = _KEY_ID.fullmatch(text)
    if match is None:
        raise ConfigurationError("That is not the id of a key; `writingmate keys list` shows them.")
    return match[1]


def _shown(key: DeveloperKey, emails: dict[str, str], now: float) -> tuple[object, ...]:
    return (
        key.prefix,
        key.name,
        emails.get(key.user_id, key.user_id),
        key.status(now),
        key.workspace_id or "(current)",
        output.minute(key.created_at),
        output.minute(key.last_used_at),
    )


def _described(key: DeveloperKey, now: float) -> dict[str, object]:
    return {
        "key_id": key.key_id,
        "prefix": key.prefix,
        "name": key.name,
        "user": key.user_id,
        "workspace": key.workspace_id,
        "status": key.status(now),
        "models": key.allowed_models,
        "daily_cap": key.daily_cap,
        "created": output.moment(key.created_at),
        "last_used": output.moment(key.last_used_at),
        "expires": output.moment(key.expires_at),
        "revoked": output.moment(key.revoked_at),
    }
