"""Where commands start: the settings, the database, and what a first run sets up."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from writingmate.cli.options import chosen
from writingmate.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from writingmate.identity.keys import MintedKey
    from writingmate.identity.records import User
    from writingmate.settings import Settings
    from writingmate.storage.engine import Database
    from writingmate.types import Plan
    from writingmate.workspaces.plans import Plans

FIRST_USER = "owner@localhost"
FIRST_PLAN = "self-hosted"


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a first run made; ``key`` is None where everything was there already."""

    key: MintedKey | None
    workspace_id: str | None


def read(data_dir: Path | None, **overrides: object) -> Settings:
    """The settings as the command line, the environment and the file give them."""
    from writingmate.settings import read_settings

    folder = chosen(data_dir)
    given = {"data_dir": None if folder is None else str(folder), **overrides}
    return read_settings(os.environ, overrides=given)


def plans(data_dir: Path | None) -> Plans:
    """The plans there are. Raises ConfigurationError for a wrong file, with each mistake."""
    from writingmate.workspaces.plans import Plans

    return Plans(read(data_dir).plans)


def plan(data_dir: Path | None, name: str) -> Plan:
    """The plan of that name. Raises InvalidRequest that names the nearest there is."""
    return plans(data_dir).require(name)


@contextmanager
def opened(data_dir: Path | None) -> Iterator[Database]:
    """The database that a command works on; it must have been set up."""
    from writingmate.storage import schema

    with reached(read(data_dir)) as database:
        schema.require(database)
        yield database


@contextmanager
def reached(settings: Settings) -> Iterator[Database]:
    """The database as it is, if there is one."""
    from writingmate.storage.engine import Database

    _refuse_missing(settings)
    database = Database.open(settings.database_url)
    try:
        yield database
    finally:
        database.close()


def prepare(settings: Settings) -> Prepared:
    """Set up what is not there yet: folder, schema, master key, signing key, first user, workspace and key.

    Any number of processes may do it at once; one of them makes the key. Raises ConfigurationError
    where that cannot be, or the plans file is wrong.
    """
    from writingmate.storage import schema
    from writingmate.storage.engine import Database
    from writingmate.workspaces.plans import Plans

    configured = Plans(settings.plans)
    prepare_folder(settings.data_dir)
    database = Database.open(settings.database_url)
    try:
        if schema.current(database) != schema.HEAD:
            from writingmate.storage import migrate

            migrate.upgrade(database)
        with database.reading() as connection:
            _prepare_vault(settings, connection)
            if _is_set_up(connection):
                return Prepared(None, None)
        if configured.get(FIRST_PLAN) is None:
            raise ConfigurationError(
                f"{settings.plans}: the first workspace gets the plan {FIRST_PLAN!r}: name it in `only`, at "
                "least until `writingmate workspaces set-plan` has put the workspace on another."
            )
        with database.transaction() as connection:
            return _first_rows(connection)
    finally:
        database.close()


def prepare_folder(folder: Path) -> None:
    """Make the data folder, for its owner only. Raises ConfigurationError where that is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigurationError(
            f"The data folder {folder} cannot be made: {error.strerror}. Choose another with --data-dir."
        ) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigurationError(
            f"The data folder {folder} cannot be written to. Make it writable for this user, "
            "or choose another with --data-dir."
        )


def whom(connection: Connection, given: str | None) -> User:
    """The user that was named, else the first. Raises ConfigurationError where there is none."""
    from writingmate.identity import store

    if given is not None:
        found = store.find_user(connection, given)
        if found is None:
            raise ConfigurationError(f"There is no user {given!r}; `writingmate users list` shows them.")
        return found
    users = store.list_users(connection)
    if not users:
        raise ConfigurationError("There is no user yet; run `writingmate init` first.")
    return users[0]


def _prepare_vault(settings: Settings, connection: Connection) -> None:
    """Make the first master key; not where the keys of what is stored are elsewhere or lost."""
    from writingmate.vault import store
    from writingmate.vault.keys import Keyring, keyring_file

    file = keyring_file(settings)
    if not file.exists() and not store.sealers(connection):
        Keyring(file).ensure()


def acting(connection: Connection, given: str | None) -> str | None:
    """The id of the user that a command acts for; None for the operator. Raises ConfigurationError."""
    return None if given is None else whom(connection, given).user_id


def _is_set_up(connection: Connection) -> bool:
    from writingmate.identity import store

    return bool(store.load_signing_keys(connection)) and bool(store.list_users(connection))


def _first_rows(connection: Connection) -> Prepared:
    from writingmate.identity import store
    from writingmate.identity.records import KeyOptions

    now = time.time()
    store.ensure_signing_key(connection, now=now)
    if store.list_users(connection):
        return Prepared(None, None)
    user = store.create_user(connection, FIRST_USER, plan=FIRST_PLAN, now=now)
    key = store.create_key(connection, user, KeyOptions(name="First key"), now=now)
    return Prepared(key, user.home_workspace_id)


def _refuse_missing(settings: Settings) -> None:
    """A command that only reads must not leave an empty database where the folder was mistyped."""
    prefix = "sqlite:///"
    url = settings.database_url
    if url.startswith(prefix) and not Path(url.removeprefix(prefix)).exists():
        raise ConfigurationError(
            f"There is no database {url.removeprefix(prefix)}. Run `writingmate init` to make it, "
            "or name the data folder with --data-dir."
        )
