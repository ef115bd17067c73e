"""Two hundred requests at once where three messages are left: three are answered, whoever decides."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.chaos.clients import Heard, ask
from tests.chaos.processes import gateway_process
from tests.databases import empty
from tests.fakes.openai_upstream import FakeOpenAI
from tests.live import serving, settings_for
from writingmate.identity import store
from writingmate.identity.records import KeyOptions
from writingmate.metering.audit import audit
from writingmate.settings import ProviderSection
from writingmate.storage.engine import Database
from writingmate.storage.tables import entries, windows

REQUESTS = 200
CAP = 5
SPENT = 2
PROCESSES = 4
DAY = 86_400


@pytest.fixture
async def fake() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI() as running:
        yield running


async def test_one_process(fake: FakeOpenAI, database_url: str, tmp_path: Path) -> None:
    providers = {"fake": ProviderSection(base_url=fake.base_url, models=("m",))}
    with serving(settings_for(tmp_path, database_url=database_url, providers=providers)) as live:
        await rush([live.api], live.mint(daily_cap=CAP), fake)
        assert_three_were_counted(live.database)


async def test_four_processes_on_one_postgresql(fake: FakeOpenAI, postgres_url: str, tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text(f'[providers.fake]\nbase_url = "{fake.base_url}"\nmodels = ["m"]\n')
    environ = {"WRITINGMATE_SETTINGS": str(settings), "WRITINGMATE_DATABASE_URL": postgres_url}
    empty(postgres_url)
    with ExitStack() as stack, ThreadPoolExecutor(PROCESSES) as starting:
        contexts = [gateway_process(tmp_path / f"data{number}", **environ) for number in range(PROCESSES)]
        entering = [asyncio.wrap_future(starting.submit(stack.enter_context, each)) for each in contexts]
        running = await asyncio.gather(*entering)
        database = Database.open(postgres_url)
        stack.callback(database.close)
        await rush([gateway.api for gateway in running], capped_key(database), fake)
        assert_three_were_counted(database)


async def rush(apis: Sequence[str], key: str, fake: FakeOpenAI) -> None:
    """Spend what is spent before, then ask for everything at once, in turn of each process."""
    for _ in range(SPENT):
        assert (await one(apis[0], key, stream=False)).status == 200
    heard = await asyncio.gather(
        *(one(apis[number % len(apis)], key, stream=number % 3 == 0) for number in range(REQUESTS))
    )
    answered = [each for each in heard if each.status == 200]
    assert len(answered) == CAP - SPENT
    assert len(fake.calls) == CAP
    for each in heard:
        if each.status != 200:
            assert_refused(each)


async def one(api: str, key: str, *, stream: bool) -> Heard:
    messages = [{"role": "user", "content": "Reply with exactly: A"}]
    return await ask(api, key, {"model": "fake/m", "max_tokens": 10, "stream": stream, "messages": messages})


def assert_refused(heard: Heard) -> None:
    head, _, body = heard.text.partition(b"\r\n\r\n")
    lines = [line.partition(": ") for line in head.decode().lower().split("\r\n")[1:]]
    headers = {name: value for name, _, value in lines}
    error = json.loads(body)["error"]
    assert (heard.status, error["type"], error["code"]) == (429, "insufficient_quota", "daily_limit_reached")
    assert 0 < int(headers["retry-after"]) <= DAY
    assert headers["x-should-retry"] == "false"


def assert_three_were_counted(database: Database) -> None:
    with database.reading() as connection:
        assert [row.messages for row in connection.execute(select(entries))] == [1] * CAP
        counted = connection.execute(select(windows).where(windows.c.subject.startswith("key:"))).one()
        assert (counted.used, counted.held) == (CAP, 0)
        assert audit(connection).clean


def capped_key(database: Database) -> str:
    with database.transaction() as connection:
        owner = store.find_user(connection, "owner@localhost")
        assert owner is not None
        return store.create_key(connection, owner, KeyOptions(daily_cap=CAP), now=time.time()).key
