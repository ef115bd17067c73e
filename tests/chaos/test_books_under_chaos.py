"""Ten thousand requests in which clients leave and providers die: the books equal the provider's own log."""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Row, select

from tests.chaos.clients import Heard, ask
from tests.chaos.processes import GatewayProcess, gateway_process
from tests.fakes.openai_upstream import FakeOpenAI, Fault, RecordedCall
from writingmate.metering.audit import audit
from writingmate.storage import tables
from writingmate.storage.engine import Database
from writingmate.upstream.budget import MOST, PER_SECOND, SHARE

REQUESTS = 10_000
AT_ONCE = 64
STREAMS = 1_000
FAULTS = {
    "well": Fault(),
    "refuses": Fault(status=500),
    "cut-head": Fault(cut=30),
    "cut-early": Fault(cut=500, reset=True),
    "cut-late": Fault(cut=900),
    "error-frame": Fault(error_after=2),
    "no-usage": Fault(usage=False),
    "no-done": Fault(done=False),
}
MODELS = {**FAULTS, "stalls": Fault(stall=2)}


@dataclass(frozen=True)
class Running:
    """A gateway process, the provider behind it, and the gateway's database."""

    gateway: GatewayProcess
    fake: FakeOpenAI
    database: Database

    async def ask(self, model: str, **options: Any) -> Heard:
        leave_after = options.pop("leave_after", None)
        body = {
            "model": f"fake/{model}",
            "messages": [{"role": "user", "content": "Reply with exactly: A B"}],
        }
        return await ask(self.gateway.api, self.gateway.key, body | options, leave_after=leave_after)

    async def holds(self) -> list[Row[Any]]:
        """The requests under way."""
        return list(
            await self.database.read(lambda connection: connection.execute(select(tables.holds)).all())
        )

    async def entries(self) -> list[Row[Any]]:
        """The ledger, once nothing is under way."""
        while await self.holds():  # noqa: ASYNC110  # another process's database has no event to wait for
            await asyncio.sleep(0.01)
        return list(
            await self.database.read(lambda connection: connection.execute(select(tables.entries)).all())
        )


@pytest.fixture
async def fake() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI() as running:
        for model, fault in MODELS.items():
            running.script(fault, model=model)
        yield running


@pytest.fixture
def running(fake: FakeOpenAI, tmp_path: Path) -> Iterator[Running]:
    names = ", ".join(f'"{name}"' for name in MODELS)
    settings = tmp_path / "settings.toml"
    settings.write_text(f'[providers.fake]\nbase_url = "{fake.base_url}"\nmodels = [{names}]\n')
    with gateway_process(tmp_path / "data", WRITINGMATE_SETTINGS=str(settings)) as gateway:
        database = Database.open(f"sqlite:///{tmp_path / 'data' / 'writingmate.db'}")
        yield Running(gateway, fake, database)
        with database.reading() as connection:
            assert audit(connection).clean
        database.close()


async def test_ledger_equals_the_providers_log(running: Running) -> None:
    chance = random.Random(7)
    gate = asyncio.Semaphore(AT_ONCE)

    async def one() -> Heard:
        async with gate:
            leave_after = chance.choice([None, None, None, 0, 1, 400, 900])
            return await running.ask(
                chance.choice(list(FAULTS)), stream=chance.random() < 0.5, leave_after=leave_after
            )

    began = time.monotonic()
    heard = await asyncio.gather(*(one() for _ in range(REQUESTS)))
    entries = {entry.request_id: entry for entry in await running.entries()}
    budget = SHARE * REQUESTS + MOST + PER_SECOND * (time.monotonic() - began)
    calls: dict[str, list[RecordedCall]] = defaultdict(list)
    for call in running.fake.calls:
        calls[call.headers["x-client-request-id"]].append(call)
    assert len(calls) < len(running.fake.calls) <= len(calls) + budget, "too many tries, or none"
    assert calls.keys() <= entries.keys()
    for request_id, (*failed, last) in calls.items():
        assert_agrees(entries[request_id], last)
        assert len(failed) <= 1
        assert all(call.model not in {"well", "no-usage"} for call in failed), "it had been answered"
    for request_id in entries.keys() - calls.keys():
        assert "cancelled" in entries[request_id].flags or entries[request_id].messages == 0
    assert {answer.status for answer in heard} <= {0, 200, 502}
    assert len(entries) <= REQUESTS
    assert sum(entry.messages > 0 for entry in entries.values()) >= sum(
        answer.status == 200 and answer.complete for answer in heard
    )


def assert_agrees(entry: Row[Any], call: RecordedCall) -> None:
    """An unmarked entry is what the provider reported to the token; every other one says why not."""
    flags = set(entry.flags.split())
    assert flags <= {"broken", "cancelled", "estimated", "failed"}
    if "failed" in flags:
        assert (entry.messages, entry.prompt_tokens, entry.completion_tokens) == (0, 0, 0)
        assert not call.finished or call.status == 500 or call.model in FAULTS
    elif "estimated" in flags:
        assert entry.messages == 1
        assert call.usage is None or flags & {"broken", "cancelled"}
    else:
        assert call.usage is not None
        assert entry.messages == 1
        assert entry.prompt_tokens == call.usage["prompt_tokens"]
        assert entry.completion_tokens == call.usage["completion_tokens"]


async def test_a_thousand_streams_at_once(running: Running) -> None:
    asked = [asyncio.create_task(running.ask("stalls", stream=True)) for _ in range(STREAMS)]
    await running.fake.called(STREAMS)
    assert len(await running.holds()) == STREAMS
    running.fake.release()
    heard = await asyncio.gather(*asked)
    assert all(b"data: [DONE]" in answer.text for answer in heard)
    entries = await running.entries()
    assert len(entries) == STREAMS
    assert {(entry.messages, entry.flags) for entry in entries} == {(1, "")}
