"""A request with an Idempotency-Key, the server's end in the middle of it, and the retry after that."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import Row, select

from tests.chaos.processes import GatewayProcess, gateway_process, start, stop
from tests.fakes.openai_upstream import FakeOpenAI, Fault
from writingmate.metering.audit import audit
from writingmate.storage import tables
from writingmate.storage.engine import Database

MESSAGES = [{"role": "user", "content": "Reply with exactly: A B C"}]
WHOLE: dict[str, Any] = {"model": "fake/well", "messages": MESSAGES}
STREAM: dict[str, Any] = {**WHOLE, "stream": True}
SETTLEMENT = "settle.after_commit"


@pytest.fixture
async def fake() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI() as running:
        running.script(Fault(stall=2), model="stalls")
        yield running


@dataclass(frozen=True)
class Installation:
    """A data folder and how a gateway is started over it."""

    folder: Path
    environ: dict[str, str]
    fake: FakeOpenAI

    async def start(self, **environ: str) -> GatewayProcess:
        program = "tests.chaos.dying" if "DIES_AT" in environ else "writingmate"
        return await asyncio.to_thread(start, self.folder, program=program, **self.environ, **environ)

    def entries(self) -> list[Row[Any]]:
        """The ledger, in order; the books must agree."""
        with self._open() as database, database.reading() as connection:
            assert audit(connection).clean
            return list(connection.execute(select(tables.entries).order_by(tables.entries.c.started_at)))

    def under_way(self) -> int:
        with self._open() as database, database.reading() as connection:
            return len(connection.execute(select(tables.holds)).all())

    @contextmanager
    def _open(self) -> Iterator[Database]:
        database = Database.open(f"sqlite:///{self.folder / 'writingmate.db'}")
        try:
            yield database
        finally:
            database.close()


@pytest.fixture
def installation(fake: FakeOpenAI, tmp_path: Path) -> Installation:
    settings = tmp_path / "settings.toml"
    settings.write_text(f'[providers.fake]\nbase_url = "{fake.base_url}"\nmodels = ["well", "stalls"]\n')
    environ = {"WRITINGMATE_SETTINGS": str(settings), "WRITINGMATE_LEASE_SECONDS": "1"}
    return Installation(tmp_path / "data", environ, fake)


async def post(gateway: GatewayProcess, key: str, body: dict[str, Any]) -> httpx2.Response:
    headers = {"authorization": f"Bearer {key}", "idempotency-key": "once"}
    async with httpx2.AsyncClient(base_url=gateway.api, headers=headers, timeout=60) as client:
        return await client.post("/chat/completions", json=body)


async def retried(gateway: GatewayProcess, key: str, body: dict[str, Any]) -> httpx2.Response:
    """Ask until the key is free: until somebody has swept what a process left behind."""
    async with asyncio.timeout(60):
        while (answer := await post(gateway, key, body)).status_code == 409:
            assert answer.json()["error"]["code"] == "idempotency_key_in_use"
    assert answer.status_code == 200
    return answer


async def leave(gateway: GatewayProcess, key: str, body: dict[str, Any]) -> None:
    """Read the beginning of a stream and hang up."""
    headers = {"authorization": f"Bearer {key}", "idempotency-key": "once"}
    async with (
        httpx2.AsyncClient(base_url=gateway.api, headers=headers, timeout=60) as client,
        client.stream("POST", "/chat/completions", json=body) as answer,
    ):
        await anext(answer.aiter_bytes())


async def ended(gateway: GatewayProcess) -> int:
    """Wait until the process is over; its exit code."""
    code = await asyncio.to_thread(gateway.process.wait, 60)
    if gateway.process.stdout is not None:
        gateway.process.stdout.close()
    return code


async def killed(installation: Installation, step: str, body: dict[str, Any]) -> str:
    """Ask a gateway that dies at ``step``; the developer key."""
    gateway = await installation.start(DIES_AT=step)
    with pytest.raises(httpx2.HTTPError):
        await post(gateway, gateway.key, body)
    assert await ended(gateway) == -signal.SIGKILL
    return gateway.key


@pytest.mark.parametrize("body", [WHOLE, STREAM], ids=["whole", "stream"])
async def test_a_kill_after_the_settlement_loses_no_answer(
    installation: Installation, fake: FakeOpenAI, body: dict[str, Any]
) -> None:
    key = await killed(installation, SETTLEMENT, body)
    gateway = await installation.start()
    answer = await post(gateway, key, body)
    assert answer.status_code == 200
    assert answer.headers["idempotent-replayed"] == "true"
    assert "A" in answer.text
    if body is STREAM:
        assert answer.text.endswith("data: [DONE]\n\n")
    await asyncio.to_thread(stop, gateway)
    assert len(fake.calls) == 1
    assert [(entry.messages, entry.flags) for entry in installation.entries()] == [(1, "")]


async def test_a_kill_before_the_settlement_frees_the_key_once_it_is_swept(
    installation: Installation, fake: FakeOpenAI
) -> None:
    key = await killed(installation, "settle.before_commit", WHOLE)
    gateway = await installation.start()
    assert "idempotent-replayed" not in (await retried(gateway, key, WHOLE)).headers
    await asyncio.to_thread(stop, gateway)
    assert len(fake.calls) == 2
    flags = [entry.flags for entry in installation.entries()]
    assert flags == ["estimated interrupted", ""]


async def test_a_drain_waits_for_the_answer_of_a_client_that_left(
    installation: Installation, fake: FakeOpenAI
) -> None:
    body = {**STREAM, "model": "fake/stalls"}
    gateway = await installation.start()
    await leave(gateway, gateway.key, body)
    gateway.process.send_signal(signal.SIGTERM)
    await draining(installation.folder)
    assert gateway.process.poll() is None
    assert installation.under_way() == 1
    fake.release()
    assert await ended(gateway) == 0

    def again() -> None:
        with gateway_process(installation.folder, **installation.environ) as second:
            answer = asyncio.run(post(second, gateway.key, body))
            assert answer.headers["idempotent-replayed"] == "true"
            assert answer.text.endswith("data: [DONE]\n\n")

    await asyncio.to_thread(again)
    assert len(fake.calls) == 1
    assert [(entry.messages, entry.flags) for entry in installation.entries()] == [(1, "")]


async def test_a_drain_ends_it_when_its_time_is_over(installation: Installation, fake: FakeOpenAI) -> None:
    body = {**STREAM, "model": "fake/stalls"}
    gateway = await installation.start(WRITINGMATE_DRAIN_SECONDS="1")
    await leave(gateway, gateway.key, body)
    gateway.process.send_signal(signal.SIGTERM)
    assert await ended(gateway) == 0
    assert (await fake.called(1)).hung_up
    fake.release()
    second = await installation.start()
    assert "idempotent-replayed" not in (await retried(second, gateway.key, body)).headers
    await asyncio.to_thread(stop, second)
    assert len(fake.calls) == 2
    entries = installation.entries()
    assert [entry.messages for entry in entries] == [1, 1]
    assert ["estimated" in entry.flags for entry in entries] == [True, False]


async def draining(folder: Path) -> None:
    """Wait until the server has heard the signal, which its log tells."""
    async with asyncio.timeout(60):
        while '"event":"draining"' not in (folder / "log.jsonl").read_text():  # noqa: ASYNC110  a file tells nobody
            await asyncio.sleep(0)
