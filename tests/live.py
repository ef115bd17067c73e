"""A real gateway on loopback: uvicorn as in production, in a thread of the test's process.

Every answer passes `openapi_check`, so that each test that talks to it is a test of the API's
description as well.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select
from uvicorn.server import Server

from tests.openapi_check import Checked
from writingmate.api.openapi import Description
from writingmate.api.server import configure, listen
from writingmate.app import Gateway
from writingmate.identity import store
from writingmate.identity.keys import MintedKey
from writingmate.identity.records import KeyOptions, User
from writingmate.metering.audit import audit
from writingmate.settings import Settings
from writingmate.storage import tables
from writingmate.storage.engine import Database
from writingmate.storage.migrate import upgrade

START_SECONDS = 20


@dataclass(frozen=True)
class Live:
    """A running gateway: where it is, and a key that works."""

    url: str
    key: str = field(repr=False)
    key_id: str
    user: User
    database: Database
    gateway: Gateway

    @property
    def api(self) -> str:
        return f"{self.url}/api/openai/v1"

    def mint(self, *, daily_cap: int | None = None, allowed_models: tuple[str, ...] | None = None) -> str:
        """One more key of the same user."""
        options = KeyOptions(name="test", daily_cap=daily_cap, allowed_models=allowed_models)
        with self.database.transaction() as connection:
            return store.create_key(connection, self.user, options, now=time.time()).key


@contextmanager
def serving(settings: Settings) -> Iterator[Live]:
    """Set up the database if it is new, start the gateway, stop it at the end and check its books."""
    database = Database.open(settings.database_url)
    upgrade(database)
    user, minted = _owner(database)
    gateway = Gateway(settings)
    checked = Checked(gateway, Description(settings.public_url).document)
    listener = listen(settings)
    host, port = listener.getsockname()[:2]
    server = Server(configure(settings, checked))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="gateway")
    thread.start()
    try:
        _wait_until(lambda: server.started or not thread.is_alive())
        assert server.started, "the gateway did not start"
        yield Live(f"http://{host}:{port}", minted.key, minted.key_id, user, database, gateway)
    finally:
        server.should_exit = True
        thread.join(START_SECONDS)
        listener.close()
        database.close()
    assert not thread.is_alive(), "the gateway did not stop"
    assert not checked.failures, checked.failures


def check_books(live: Live) -> None:
    """Nothing is held any more, and the audit is clean."""
    with live.database.reading() as connection:
        report = audit(connection)
        assert report.clean, report
        assert not connection.execute(select(tables.holds)).all()


def settings_for(folder: Path, **fields: object) -> Settings:
    """Settings of a gateway whose data is in ``folder``, on a free port, without the embedded models."""
    defaults: dict[str, object] = {"port": 0, "data_dir": folder, "local": False}
    return Settings(**{**defaults, **fields})  # type: ignore[arg-type]  # fields pass through


def _owner(database: Database) -> tuple[User, MintedKey]:
    now = time.time()
    with database.transaction() as connection:
        store.ensure_signing_key(connection, now=now)
        user = store.find_user(connection, "owner@localhost")
        if user is None:
            user = store.create_user(connection, "owner@localhost", plan="self-hosted", now=now)
        return user, store.create_key(connection, user, KeyOptions(name="test"), now=now)


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    pause = threading.Event()
    while not condition() and time.monotonic() < deadline:
        pause.wait(0.005)
