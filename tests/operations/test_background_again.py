"""What is run again is run as things stand then, and not for ever; the official SDK drives all of it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import httpx2
from openai import AsyncOpenAI
from sqlalchemy import update

from tests.fakes.openai_upstream import FakeOpenAI, Fault
from tests.live import Live
from tests.operations.test_background import (
    ASKED,
    STREAM,
    api,
    ended_from,
    events,
    fake,
    gateway,
    rows,
    settled,
    until,
)
from writingmate.identity import store
from writingmate.storage import tables

__all__ = ["api", "fake", "gateway"]


def abandon(live: Live, **columns: Any) -> None:
    """As if the process that runs the only response had died."""
    with live.database.transaction() as connection:
        connection.execute(update(tables.responses).values(node_id="dead", **columns))


async def test_a_key_that_was_revoked_is_not_run_for(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live
) -> None:
    fake.script(Fault(stall=1))
    other = {"authorization": f"Bearer {gateway.mint()}"}
    posted = asyncio.create_task(api.post("/responses", json=STREAM, headers=other))
    await fake.called(1)
    (row,) = rows(gateway, "responses")
    with gateway.database.transaction() as connection:
        store.revoke_key(connection, row.key_id, now=time.time())
    abandon(gateway)
    response = await ended_from(api, row.response_id)
    assert response["status"] == "failed"
    assert "revoked" in response["error"]["message"]
    assert [event["type"] for event in events((await posted).content)][-2:] == ["error", "response.failed"]
    assert len(fake.calls) == 1
    await settled(gateway, 1)


async def test_what_kills_its_process_again_and_again_fails(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live
) -> None:
    fake.script(Fault(silent=True))
    identity = (await api.post("/responses", json=ASKED)).json()["id"]
    for attempt in range(1, 4):
        await fake.called(attempt)
        await until(api, identity, "in_progress")
        abandon(gateway)
    response = await ended_from(api, identity)
    assert (response["status"], response["error"]["code"]) == ("failed", "server_error")
    await settled(gateway, 3)
    assert len(fake.calls) == 3


async def test_a_second_attempt_has_a_hold_and_limits_of_its_own(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live
) -> None:
    fake.script(Fault(silent=True), times=1)
    capped = {"authorization": f"Bearer {gateway.mint(daily_cap=1)}"}
    body = {**ASKED, "max_output_tokens": 10}
    identity = (await api.post("/responses", json=body, headers=capped)).json()["id"]
    await fake.called(1)
    abandon(gateway)
    response = await ended_from(api, identity)
    assert (response["status"], response["error"]["code"]) == ("failed", "rate_limit_exceeded")
    (entry,) = await settled(gateway, 1)
    assert entry.messages == 1


async def test_the_sdk_creates_polls_cancels_and_follows(fake: FakeOpenAI, gateway: Live) -> None:
    fake.script(Fault(delay=0.2), times=1)
    async with AsyncOpenAI(api_key=gateway.key, base_url=gateway.api, max_retries=0) as client:
        response = await client.responses.create(model="fake/m", input=ASKED["input"], background=True)
        assert response.status == "queued"
        while response.status in {"queued", "in_progress"}:
            await asyncio.sleep(0.02)
            response = await client.responses.retrieve(response.id)
        assert (response.status, response.output_text) == ("completed", "A B C")
        assert (await client.responses.cancel(response.id)).status == "completed"

        stream = await client.responses.create(
            model="fake/m", input=ASKED["input"], background=True, stream=True
        )
        told = [event async for event in stream]
        assert [event.sequence_number for event in told] == list(range(len(told)))
        assert told[1].type == "response.queued"
        assert told[1].response.status == "queued"
        identity = told[1].response.id
        for after in range(len(told)):
            rest = await client.responses.retrieve(identity, stream=True, starting_after=after)
            assert [event async for event in rest] == told[after + 1 :]
        async with client.responses.stream(response_id=identity, starting_after=3) as helped:
            final = await helped.get_final_response()
        assert final.output_text == "A B C"

        fake.script(Fault(silent=True))
        running = await client.responses.create(model="fake/m", input=ASKED["input"], background=True)
        cancelled = await client.responses.cancel(running.id)
        assert cancelled.status == "cancelled"
        assert (await client.responses.retrieve(running.id)).status == "cancelled"
    await settled(gateway, 3)
