"""``kill -9`` in the middle of background responses: another process, or the next, finishes each of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from tests.chaos.processes import GatewayProcess, gateway_process, kill, start
from tests.fakes.openai_upstream import FakeOpenAI, Fault
from writingmate.metering.audit import audit
from writingmate.storage import tables
from writingmate.storage.engine import Database
from writingmate.wire import sse

MANY = 6
ASKED = {"model": "fake/m", "input": "Reply with exactly: A B C", "background": True}


@pytest.fixture
async def fake() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI() as running:
        yield running


def environ_of(fake: FakeOpenAI, folder: Path, database_url: str) -> dict[str, str]:
    settings = folder / "settings.toml"
    settings.write_text(f'[providers.fake]\nbase_url = "{fake.base_url}"\nmodels = ["m"]\n')
    return {
        "WRITINGMATE_SETTINGS": str(settings),
        "WRITINGMATE_LEASE_SECONDS": "1",
        "WRITINGMATE_DATABASE_URL": database_url,
    }


def client_of(gateway: GatewayProcess, key: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=gateway.api, headers={"authorization": f"Bearer {key}"}, timeout=60)


async def ended(api: httpx2.AsyncClient, identity: str) -> dict[str, Any]:
    while True:
        response: dict[str, Any] = (await api.get(f"/responses/{identity}")).raise_for_status().json()
        if response["status"] not in {"queued", "in_progress"}:
            return response
        await asyncio.sleep(0.05)


async def test_the_next_process_finishes_what_a_killed_one_ran(
    fake: FakeOpenAI, tmp_path: Path, database_url: str
) -> None:
    """Some plain, some with a stream of which some events are out already."""
    fake.script(Fault(stall=2), times=MANY)
    environ = environ_of(fake, tmp_path, database_url)
    first = await asyncio.to_thread(start, tmp_path / "data", **environ)
    async with client_of(first, first.key) as api:
        plain = [(await api.post("/responses", json=ASKED)).json()["id"] for _ in range(MANY // 2)]
        streams = [
            asyncio.create_task(api.post("/responses", json={**ASKED, "stream": True}))
            for _ in range(MANY // 2)
        ]
        await fake.called(MANY)
        database = Database.open(database_url)
        await asyncio.to_thread(_wait_for_events, database)
        await asyncio.to_thread(kill, first)
        await asyncio.gather(*streams, return_exceptions=True)
    with database.reading() as connection:
        rows = connection.execute(select(tables.responses)).all()
    assert {row.status for row in rows} == {"in_progress"}
    second = await asyncio.to_thread(start, tmp_path / "data", **environ)
    async with client_of(second, first.key) as api:
        for row in rows:
            response = await asyncio.wait_for(ended(api, row.response_id), 60)
            assert response["status"] == "completed"
            assert response["output"][0]["content"][0]["text"] == "A B C"
            if row.response_id not in plain:
                told = await api.get(f"/responses/{row.response_id}?stream=true")
                frames = [each for each in sse.Splitter().feed(told.content) if sse.name(each)]
                numbers = [json.loads(sse.data(frame))["sequence_number"] for frame in frames]
                assert numbers == list(range(len(frames)))
                assert [sse.name(frame) for frame in frames].count(b"response.queued") == 2
                assert sse.name(frames[-1]) == b"response.completed"
    await asyncio.to_thread(_wait_for_no_holds, database)
    await asyncio.to_thread(kill, second)
    _check(database, fake)


async def test_of_two_that_live_one_finishes_what_the_third_ran(
    fake: FakeOpenAI, tmp_path: Path, database_url: str
) -> None:
    fake.script(Fault(stall=2), times=1)
    environ = environ_of(fake, tmp_path, database_url)
    first = await asyncio.to_thread(start, tmp_path / "data", **environ)
    async with client_of(first, first.key) as api:
        identity = (await api.post("/responses", json=ASKED)).json()["id"]
        await fake.called(1)

    def others() -> None:
        with (
            gateway_process(tmp_path / "data", **environ) as second,
            gateway_process(tmp_path / "data", **environ) as third,
        ):
            kill(first)
            asyncio.run(finish(second, third))

    async def finish(second: GatewayProcess, third: GatewayProcess) -> None:
        async with client_of(second, first.key) as one, client_of(third, first.key) as two:
            responses = await asyncio.gather(ended(one, identity), ended(two, identity))
            assert responses[0] == responses[1]
            assert responses[0]["status"] == "completed"
        await asyncio.to_thread(_wait_for_no_holds, database)

    database = Database.open(database_url)
    await asyncio.to_thread(others)
    assert len(fake.calls) == 2
    _check(database, fake)


def _check(database: Database, fake: FakeOpenAI) -> None:
    """Every call is an entry of its own; what was cut off is charged by the rule."""
    with database.reading() as connection:
        assert audit(connection).clean
        entries = {entry.request_id: entry for entry in connection.execute(select(tables.entries))}
        rows = connection.execute(select(tables.responses)).all()
    database.close()
    called = [call.headers["x-client-request-id"] for call in fake.calls]
    assert sorted(called) == sorted(entries)
    interrupted = [entry for entry in entries.values() if "interrupted" in entry.flags]
    assert len(interrupted) == len(entries) // 2 == len(rows)
    assert {row.request_id for row in rows} == set(entries) - {entry.request_id for entry in interrupted}


def _wait_for_no_holds(database: Database) -> None:
    """The sweep of those that live comes when the dead one's lease has run out."""
    while True:
        with database.reading() as connection:
            if not connection.execute(select(tables.holds)).all():
                return


def _wait_for_events(database: Database) -> None:
    """Until every stream has an event of its output in the database, and nothing waits."""
    while True:
        with database.reading() as connection:
            events = connection.execute(select(tables.response_events.c.first)).all()
            waiting = connection.execute(
                select(tables.responses.c.status).where(tables.responses.c.status == "queued")
            ).all()
        if len([row for row in events if row.first > 0]) >= MANY // 2 and not waiting:
            return
