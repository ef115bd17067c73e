"""Retries by the Python SDK, as it makes them by itself: the same key, one call, one charge."""

from __future__ import annotations

import asyncio

import httpx2
import openai
import pytest
from openai import AsyncOpenAI
from sqlalchemy import select

from tests.contract.setting import TEXT, Setting
from tests.fakes.openai_upstream import Fault
from writingmate.storage import tables

pytestmark = pytest.mark.asyncio(loop_scope="module")


def charged(setting: Setting) -> int:
    """Entries of the ledger."""
    with setting.live.database.reading() as connection:
        return len(connection.execute(select(tables.entries.c.request_id)).all())


async def test_the_same_key_gives_the_same_completion(setting: Setting, client: AsyncOpenAI) -> None:
    before, calls = charged(setting), len(setting.fake.calls)
    once = {"Idempotency-Key": "sdk-whole"}
    answers = [
        await client.chat.completions.with_raw_response.create(
            model=TEXT,
            messages=[{"role": "user", "content": "Reply with exactly: HELLO"}],
            extra_headers=once,
        )
        for _ in range(2)
    ]
    assert answers[0].parse() == answers[1].parse()
    assert [answer.headers.get("idempotent-replayed") for answer in answers] == [None, "true"]
    assert answers[1].headers["x-writingmate-counted-messages"] == "1"
    assert (charged(setting) - before, len(setting.fake.calls) - calls) == (1, 1)


async def test_the_same_key_gives_the_same_stream(setting: Setting, client: AsyncOpenAI) -> None:
    before, calls = charged(setting), len(setting.fake.calls)
    heard = []
    for _ in range(2):
        stream = await client.chat.completions.create(
            model=TEXT,
            messages=[{"role": "user", "content": "Reply with exactly: one two three"}],
            stream=True,
            stream_options={"include_usage": True},
            extra_headers={"Idempotency-Key": "sdk-stream"},
        )
        heard.append([chunk async for chunk in stream])
    assert heard[0] == heard[1]
    assert len(heard[0]) > 3
    assert (charged(setting) - before, len(setting.fake.calls) - calls) == (1, 1)


async def test_a_client_that_timed_out_gets_the_answer_by_its_own_retries(setting: Setting) -> None:
    """It hangs up after a while and asks again: it is told to wait, and then given what it has paid for."""
    before, calls = charged(setting), len(setting.fake.calls)
    setting.fake.script(Fault(stall=0), model=TEXT.partition("/")[2], times=1)
    statuses: list[int] = []
    waits = asyncio.Event()

    async def note(response: httpx2.Response) -> None:
        statuses.append(response.status_code)
        waits.set()

    http = openai.DefaultAsyncHttpxClient(event_hooks={"response": [note]}, timeout=0.5)
    async with AsyncOpenAI(
        base_url=setting.base_url, api_key=setting.key, max_retries=5, timeout=0.5, http_client=http
    ) as impatient:
        asking = asyncio.create_task(
            impatient.chat.completions.create(
                model=TEXT,
                messages=[{"role": "user", "content": "Reply with exactly: LATE"}],
                extra_headers={"Idempotency-Key": "sdk-late"},
            )
        )
        async with asyncio.timeout(20):
            await waits.wait()
        setting.fake.release()
        answer = await asking
    assert answer.choices[0].message.content == "LATE"
    assert statuses == [409, 200]
    assert not setting.fake.calls[calls].hung_up
    assert (charged(setting) - before, len(setting.fake.calls) - calls) == (1, 1)


async def test_another_body_is_a_conflict_that_the_sdk_does_not_retry(
    setting: Setting, client: AsyncOpenAI
) -> None:
    for text in ("ONE", "TWO"):
        calls = len(setting.fake.calls)
        asking = client.with_options(max_retries=3).chat.completions.create(
            model=TEXT,
            messages=[{"role": "user", "content": f"Reply with exactly: {text}"}],
            extra_headers={"Idempotency-Key": "sdk-other"},
        )
        if text == "ONE":
            await asking
            continue
        with pytest.raises(openai.ConflictError) as caught:
            await asking
        assert caught.value.code == "idempotency_key_reused"
        assert len(setting.fake.calls) == calls
