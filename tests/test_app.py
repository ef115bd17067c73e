"""What the application does by itself, beside requests."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select

from tests.metering.examples import estimate, principal
from writingmate import app
from writingmate.metering.ledger import Ledger
from writingmate.settings import Settings
from writingmate.storage.engine import Database
from writingmate.storage.tables import entries, rollups
from writingmate.types import Usage


def rows(connection: Connection) -> tuple[int, int]:
    """Entries, and requests in roll-ups."""
    kept = connection.scalar(select(func.count()).select_from(entries)) or 0
    return kept, connection.scalar(select(func.coalesce(func.sum(rollups.c.requests), 0))) or 0


async def test_old_entries_are_rolled_up(
    sqlite_file_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "ROLL_UP_SECONDS", 0.001)
    database = Database.open(sqlite_file_url)
    for days in (0, 9, 12, 13):
        ledger = Ledger(database, now=lambda days=days: time.time() - days * 86_400)  # type: ignore[misc]  # bound
        await ledger.start()
        async with ledger.hold(f"r{days}", principal(), estimate(1)) as hold:
            hold.observe(Usage(1, 1))
        await ledger.close()
    gateway = app.Gateway(
        Settings(data_dir=tmp_path, database_url=sqlite_file_url, local=False, retention_days=10)
    )
    await gateway.start()
    async with asyncio.timeout(30):
        while await database.read(rows) != (2, 2):
            pass
    await gateway.close()
    database.close()
