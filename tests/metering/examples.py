"""Values that the metering tests share, and looks into the books."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table, func, select, update

from writingmate.metering.audit import audit
from writingmate.storage.engine import Database
from writingmate.storage.tables import entries, holds, nodes, windows
from writingmate.types import Estimate, Limit, Principal, Window

WORKSPACE = "ws_one"
MIDDAY = 1_795_348_800.0  # 2026-11-22 12:00 UTC
MIDNIGHT = 1_795_392_000  # the next one


def principal(*, user: str = "user_one", workspace: str = WORKSPACE, revision: int = 0) -> Principal:
    return Principal(user, workspace, "key_one", "self-hosted", revision)


def limit(allowed: int, *, meter: str = "messages:pro", period: str = "2026-11-22") -> Limit:
    return Limit(Window(WORKSPACE, "workspace", meter, period), allowed, MIDNIGHT)


def estimate(messages: int = 1, *limits: Limit, completion: int = 0) -> Estimate:
    """An estimate of so many messages, all of them prompt unless ``completion`` tokens are part."""
    return Estimate(
        "openai/gpt-5-mini",
        "openai",
        "gpt-5-mini",
        "chat.completions",
        messages * 16_000 - completion,
        completion,
        limits,
    )


def entry_values(number: int) -> dict[str, Any]:
    """A right row of `entries`, one a second, of three workspaces in turn."""
    return {
        "workspace_id": f"ws_{number % 3}",
        "request_id": f"req_{number:06}",
        "user_id": "u",
        "key_id": "k",
        "model": "m",
        "provider": "p",
        "upstream_model": "m",
        "endpoint": "chat.completions",
        "prompt_tokens": 1,
        "completion_tokens": 1,
        "cached_tokens": 0,
        "reasoning_tokens": 0,
        "messages": 1,
        "held_messages": 1,
        "windows": "[]",
        "flags": "",
        "day": "2026-11-22",
        "started_at": 1_795_348_800.0 + number,
        "settled_at": 1_795_348_801.0 + number,
    }


def count(database: Database, table: Table) -> int:
    with database.reading() as connection:
        return connection.scalar(select(func.count()).select_from(table)) or 0


def window(database: Database, limit: Limit) -> tuple[int, int]:
    """Used and held."""
    with database.reading() as connection:
        row = connection.execute(
            select(windows.c.used, windows.c.held).where(
                windows.c.workspace_id == limit.window.workspace_id,
                windows.c.subject == limit.window.subject,
                windows.c.meter == limit.window.meter,
                windows.c.period == limit.window.period,
            )
        ).first()
    return (row.used, row.held) if row else (0, 0)


def settled(database: Database) -> dict[str, tuple[int, str]]:
    """Messages and flags of every entry."""
    with database.reading() as connection:
        rows = connection.execute(select(entries.c.request_id, entries.c.messages, entries.c.flags))
        return {row.request_id: (row.messages, row.flags) for row in rows}


def held(database: Database) -> set[str]:
    with database.reading() as connection:
        return set(connection.scalars(select(holds.c.request_id)))


def end_leases(database: Database) -> None:
    """As if every node had been silent for longer than its lease."""
    with database.transaction() as connection:
        connection.execute(update(nodes).values(heartbeat_at=0.0))


def assert_clean(database: Database) -> None:
    with database.reading() as connection:
        report = audit(connection)
    assert report.clean, "\n".join(map(str, report.shown))
