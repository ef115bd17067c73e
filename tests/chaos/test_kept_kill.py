"""``kill -9`` while responses are answered: each is kept with its settlement, or neither is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from tests.chaos.processes import GatewayProcess, kill, start
from tests.chaos.test_background_kill import client_of, environ_of
from tests.fakes.openai_upstream import FakeOpenAI, Fault
from writingmate.metering.audit import audit
from writingmate.storage import tables
from writingmate.storage.engine import Database

ANSWERED = 25
LINES = 8


@pytest.fixture
async def fake() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI() as running:
        yield running


async def conversation(
    api: httpx2.AsyncClient, answered: list[dict[str, Any]], enough: asyncio.Event
) -> None:
    """Turn after turn, until the gateway is gone; every other one is streamed."""
    previous = None
    for number in range(1_000):
        body = {
            "model": "fake/m",
            "input": f"Reply with exactly: {number}",
            "previous_response_id": previous,
            "stream": number % 2 == 1,
        }
        answer = await api.post("/responses", json=body)
        if answer.status_code != 200 or (body["stream"] and not answer.text.endswith("data: [DONE]\n\n")):
            return
        identity = f"resp_{answer.headers['x-request-id'].removeprefix('req_')}"
        answered.append({"id": identity, "previous": previous})
        previous = identity
        if len(answered) >= ANSWERED:
            enough.set()


async def test_what_was_answered_is_there_and_what_was_not_settled_is_not(
    fake: FakeOpenAI, tmp_path: Path, database_url: str
) -> None:
    fake.script(Fault(pace=0.02))
    environ = environ_of(fake, tmp_path, database_url)
    first = await asyncio.to_thread(start, tmp_path / "data", **environ)
    answered: list[dict[str, Any]] = []
    enough = asyncio.Event()
    async with client_of(first, first.key) as api:
        lines = [asyncio.create_task(conversation(api, answered, enough)) for _ in range(LINES)]
        await enough.wait()
        await asyncio.to_thread(kill, first)
        await asyncio.gather(*lines, return_exceptions=True)
    second = await asyncio.to_thread(start, tmp_path / "data", **environ)
    try:
        await _there(second, first.key, answered)
    finally:
        await asyncio.to_thread(_settled, database_url)
        await asyncio.to_thread(kill, second)


async def _there(gateway: GatewayProcess, key: str, answered: list[dict[str, Any]]) -> None:
    async with client_of(gateway, key) as api:
        for each in answered:
            response = (await api.get(f"/responses/{each['id']}")).raise_for_status().json()
            assert (response["status"], response["previous_response_id"]) == ("completed", each["previous"])
        body = {"model": "fake/m", "input": "and?", "previous_response_id": answered[-1]["id"]}
        assert (await api.post("/responses", json=body)).status_code == 200


def _settled(database_url: str) -> None:
    """Once nothing is held, what is kept is what was settled by who answered it."""
    database = Database.open(database_url)
    held = True
    while held:
        with database.reading() as connection:
            held = bool(connection.execute(select(tables.holds)).all())
    with database.reading() as connection:
        assert audit(connection).clean
        entries = connection.execute(select(tables.entries)).all()
        kept = {row.request_id for row in connection.execute(select(tables.responses))}
    database.close()
    assert kept == {entry.request_id for entry in entries if not entry.flags}
    assert {entry.flags for entry in entries} <= {"", "estimated interrupted"}
