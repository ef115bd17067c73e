from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.api.raw import ask
from tests.api.served import Served, served
from writingmate.api import probes
from writingmate.api.probes import schema_check
from writingmate.errors import Unavailable
from writingmate.storage.engine import Database
from writingmate.storage.migrate import upgrade


async def test_the_process_is_alive(api: Served) -> None:
    reply = await ask(api.port, "GET", "/healthz")
    assert (reply.status, reply.json()) == (200, {"status": "alive"})
    assert reply.headers["cache-control"] == "no-store"


async def test_ready_without_anything_missing(api: Served) -> None:
    reply = await ask(api.port, "GET", "/readyz")
    assert (reply.status, reply.json()) == (200, {"status": "ready"})


async def test_what_is_missing_is_said() -> None:
    async def missing() -> str | None:
        return "The moon is missing."

    async with served(checks=[missing]) as api:
        reply = await ask(api.port, "GET", "/readyz")
        assert reply.status == 503
        assert reply.error == {
            "message": "The moon is missing.",
            "type": "server_error",
            "param": None,
            "code": "not_ready",
        }


async def test_a_check_that_cannot_tell_is_not_ready() -> None:
    async def check() -> str | None:
        raise Unavailable("The database cannot be reached.")

    async with served(checks=[check]) as api:
        assert (await ask(api.port, "GET", "/readyz")).status == 503


async def test_a_check_that_hangs_is_asked_once_and_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "CHECK_SECONDS", 0.05)
    asked = 0
    done = asyncio.Event()

    async def check() -> str | None:
        nonlocal asked
        asked += 1
        await done.wait()
        return None

    async with served(checks=[check]) as api:
        for _ in range(3):
            assert (await ask(api.port, "GET", "/readyz")).status == 503
        assert asked == 1
        done.set()
        await asyncio.sleep(0)
        assert (await ask(api.port, "GET", "/readyz")).status == 200


async def test_the_database_must_have_the_schema(tmp_path: Path) -> None:
    database = Database.open(f"sqlite:///{tmp_path / 'x.db'}")
    try:
        check = schema_check(database)
        assert "db upgrade" in (await check() or "")
        await asyncio.to_thread(upgrade, database)
        assert await check() is None
    finally:
        database.close()


async def test_metrics_are_in_prometheus_text(api: Served) -> None:
    await ask(api.port, "GET", "/nowhere")
    reply = await ask(api.port, "GET", "/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=")
    assert b'writingmate_requests_total{endpoint="unknown",status="404"}' in reply.body
