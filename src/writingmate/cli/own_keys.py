"""``writingmate openrouter-key``."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import typer

from writingmate.cli import output, setup
from writingmate.cli.options import DataDir, Json, WhichUser

if TYPE_CHECKING:
    from writingmate.identity.records import User
    from writingmate.operations.own_keys import OwnKeys, Standing
    from writingmate.vault.store import Credential

app = typer.Typer(help="A user's own OpenRouter key.", no_args_is_help=True)

T = TypeVar("T")


@app.command("set")
def set_(*, user: WhichUser = None, data_dir: DataDir = None, json: Json = False) -> None:
    """Store a user's own OpenRouter key, once OpenRouter has accepted it.

    The key is asked for without being shown, or read from standard input.
    """
    key = _typed()
    owner, (credential, standing) = _run(user, data_dir, lambda own, owner: own.set(owner.user_id, key))
    if json:
        output.document(_described(credential) | _figures(standing))
        return
    print(f"OpenRouter accepts the key …{credential.hint}; {owner.email} uses it from the next request on.")
    _print(standing)


@app.command("test")
def check(*, user: WhichUser = None, data_dir: DataDir = None, json: Json = False) -> None:
    """Ask OpenRouter whether it still accepts the stored key."""
    owner, standing = _run(user, data_dir, lambda own, owner: own.test(owner.user_id))
    if json:
        output.document({"user": owner.user_id, "accepted": True} | _figures(standing))
        return
    print(f"OpenRouter accepts the key of {owner.email}.")
    _print(standing)


@app.command()
def remove(*, user: WhichUser = None, data_dir: DataDir = None, json: Json = False) -> None:
    """Forget the stored key, at once; this server's own providers serve the user again."""
    owner, removed = _run(user, data_dir, lambda own, owner: own.remove(owner.user_id))
    if json:
        output.document({"user": owner.user_id, "removed": removed})
    else:
        print(f"The key of {owner.email} is removed." if removed else f"{owner.email} has no key.")


@app.command()
def show(*, user: WhichUser = None, data_dir: DataDir = None, json: Json = False) -> None:
    """Show the stored key's last characters and when OpenRouter last accepted it."""
    owner, credential = _run(user, data_dir, lambda own, owner: own.show(owner.user_id))
    if json:
        output.document(_described(credential) if credential else None)
    elif credential is None:
        print(f"{owner.email} has no OpenRouter key; `writingmate openrouter-key set` stores one.")
    else:
        created, checked = output.minute(credential.created_at), output.minute(credential.checked_at)
        print(f"…{credential.hint} of {owner.email}, set {created}, last accepted {checked}")


def _typed() -> str:
    """The key, from a hidden prompt or a pipe; it must not be among the arguments, which others can see."""
    if not sys.stdin.isatty():
        return sys.stdin.readline()
    import getpass

    return getpass.getpass("OpenRouter key: ")


def _run(user: WhichUser, data_dir: DataDir, act: Callable[[OwnKeys, User], Awaitable[T]]) -> tuple[User, T]:
    import asyncio

    from writingmate.operations.own_keys import OwnKeys
    from writingmate.providers import for_own_keys
    from writingmate.upstream.client import HttpClient
    from writingmate.vault.box import Box
    from writingmate.vault.keys import Keyring, keyring_file

    settings = setup.read(data_dir)
    box = Box(Keyring(keyring_file(settings)))

    async def acted() -> T:
        network = HttpClient()
        try:
            return await act(OwnKeys(database, box, network, for_own_keys(settings)), owner)
        finally:
            await network.close()

    with setup.opened(data_dir) as database:
        with database.reading() as connection:
            owner = setup.whom(connection, user)
        return owner, asyncio.run(acted())


def _print(standing: Standing) -> None:
    left = "no limit" if standing.limit_remaining is None else f"${standing.limit_remaining:g} left"
    used = "" if standing.usage is None else f", ${standing.usage:g} used"
    print(f"The key's own limit: {left}{used}.")


def _described(credential: Credential) -> dict[str, object]:
    return {
        "user": credential.user_id,
        "provider": credential.provider,
        "hint": credential.hint,
        "created": output.moment(credential.created_at),
        "checked": output.moment(credential.checked_at),
    }


def _figures(standing: Standing) -> dict[str, object]:
    return {
        "usage": standing.usage,
        "limit": standing.limit,
        "limit_remaining": standing.limit_remaining,
        "free_tier": standing.free_tier,
        "expires": standing.expires_at,
    }
