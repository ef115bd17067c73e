"""``kill -9`` of the gateway with requests under way: the next one settles each of them, once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.chaos.clients import ask
from tests.chaos.processes import gateway_process, kill, start
from tests.fakes.openai_upstream import FakeOpenAI, Fault
from writingmate.metering.audit import audit
from writingmate.storage import tables
from writingmate.storage.engine import Database

UNDER_WAY = 20


@pytest.fixture
async def fake() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI() as running:
        running.script(Fault(stall=2), model="stalls")
        running.script(Fault(silent=True), model="silent")
        yield running


async def test_what_was_under_way_is_settled_once_by_the_next_process(
    fake: FakeOpenAI, tmp_path: Path
) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text(
        f'[providers.fake]\nbase_url = "{fake.base_url}"\nmodels = ["well", "stalls", "silent"]\n'
    )
    environ = {"WRITINGMATE_SETTINGS": str(settings), "WRITINGMATE_LEASE_SECONDS": "1"}
    folder = tmp_path / "data"
    first = await asyncio.to_thread(start, folder, **environ)
    messages = [{"role": "user", "content": "Reply with exactly: A"}]
    finished = await ask(first.api, first.key, {"model": "fake/well", "messages": messages})
    assert finished.status == 200
    asked = [
        asyncio.create_task(
            ask(first.api, first.key, {"model": f"fake/{model}", "messages": messages, "stream": True})
        )
        for model in ("stalls", "silent")
        for _ in range(UNDER_WAY)
    ]
    await fake.called(1 + 2 * UNDER_WAY)
    await asyncio.to_thread(kill, first)
    await asyncio.gather(*asked, return_exceptions=True)

    def second() -> None:
        with gateway_process(folder, **environ) as gateway:
            assert gateway.key == "", "a second start must not make keys"
            _wait_for_no_holds(database)

    database = Database.open(f"sqlite:///{folder / 'writingmate.db'}")
    await asyncio.to_thread(second)
    with database.reading() as connection:
        assert audit(connection).clean
        entries = {entry.request_id: entry for entry in connection.execute(select(tables.entries))}
    database.close()
    called = [call.headers["x-client-request-id"] for call in fake.calls]
    assert sorted(called) == sorted(entries)
    interrupted = [entry for entry in entries.values() if "interrupted" in entry.flags]
    assert len(interrupted) == 2 * UNDER_WAY
    assert {entry.messages for entry in entries.values()} == {1}


def _wait_for_no_holds(database: Database) -> None:
    """The sweep of the next process comes when the dead one's lease has run out."""
    while True:
        with database.reading() as connection:
            if not connection.execute(select(tables.holds)).all():
                return
