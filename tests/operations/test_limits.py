"""Limits of a plan as callers meet them: clamped answers, refusals, headers, own keys."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from tests.fakes.openai_choices import Json
from tests.fakes.openai_upstream import FakeOpenAI, Fault
from tests.fakes.openrouter import FakeOpenRouter, refusing
from tests.live import Live, check_books
from tests.operations.limited import limited
from tests.operations.test_generate import HELLO, error_of
from writingmate.storage import tables
from writingmate.vault import store as vault
from writingmate.vault.box import Box
from writingmate.vault.keys import Keyring, keyring_file
from writingmate.workspaces import store

OWN_KEY = "sk-or-v1-users-own-0123456789abcdef"
SHORT = {**HELLO, "max_tokens": 100}
CHAT = "/chat/completions"
# The first bytes of a picture of 640 by 480.
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x02\x80\0\0\x01\xe0\x08\x02\0\0\0"


def answer_of(prompt: int, completion: int) -> Fault:
    """What the provider says that a request took."""
    body: Json = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Well.", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        },
    }
    return Fault(body=json.dumps(body).encode(), content_type="application/json")


@pytest.fixture
async def fake() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI() as running:
        yield running


@pytest.fixture
async def openrouter() -> AsyncIterator[FakeOpenRouter]:
    async with FakeOpenRouter(key=OWN_KEY, models=("fake/m", "google/gemini-2.5-flash")) as running:
        yield running


@pytest.fixture
def gateway(fake: FakeOpenAI, openrouter: FakeOpenRouter, tmp_path: Path) -> Iterator[Live]:
    """OpenRouter is known by its address alone: the operator has no key of it."""
    with limited(tmp_path, fake.base_url, plan="tight", OPENROUTER_BASE_URL=openrouter.base_url) as live:
        yield live
        check_books(live)


@pytest.fixture
async def api(gateway: Live) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"authorization": f"Bearer {gateway.key}"}
    async with httpx2.AsyncClient(base_url=gateway.api, headers=headers, timeout=20) as client:
        yield client


def entries(gateway: Live) -> list[Any]:
    with gateway.database.reading() as connection:
        query = select(tables.entries).order_by(tables.entries.c.started_at, tables.entries.c.request_id)
        return list(connection.execute(query).all())


def put_on(gateway: Live, plan: str) -> None:
    with gateway.database.transaction() as connection:
        store.set_plan(connection, gateway.user.home_workspace_id, plan, by=None)


def bring_key(gateway: Live, key: str = OWN_KEY) -> None:
    keyring = Keyring(keyring_file(gateway.gateway.settings))
    keyring.ensure()
    with gateway.database.transaction() as connection:
        vault.put(connection, box=Box(keyring), user_id=gateway.user.user_id, secret=key, now=1.0)


async def test_an_answer_is_clamped_to_what_is_left_and_the_header_says_so(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live
) -> None:
    answer = await api.post(CHAT, json=HELLO)
    assert answer.status_code == 200
    sent = fake.calls[-1].document["max_completion_tokens"]
    assert int(answer.headers["x-writingmate-max-tokens-clamped"]) == sent
    assert 47_000 < sent < 48_000  # three messages, less the prompt's few tokens
    (row,) = entries(gateway)
    assert (row.held_messages, row.messages, row.flags) == (3, 1, "clamped")
    assert (row.plan, row.tier) == ("tight", "basic")
    assert answer.headers["x-writingmate-remaining-messages"] == "2"


async def test_a_stream_is_clamped_alike_in_the_clients_own_field(
    api: httpx2.AsyncClient, fake: FakeOpenAI
) -> None:
    answer = await api.post(CHAT, json={**HELLO, "stream": True, "max_tokens": 90_000})
    assert answer.status_code == 200
    assert 47_000 < fake.calls[-1].document["max_tokens"] < 48_000
    assert answer.headers["x-writingmate-max-tokens-clamped"] == str(fake.calls[-1].document["max_tokens"])
    assert b"counted_messages=1 remaining_messages=2" in answer.content


async def test_several_choices_share_what_is_left(api: httpx2.AsyncClient, fake: FakeOpenAI) -> None:
    answer = await api.post(CHAT, json={**HELLO, "n": 4})
    assert answer.status_code == 200
    assert 11_700 < fake.calls[-1].document["max_completion_tokens"] < 12_000


async def test_what_fits_is_not_touched(api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live) -> None:
    answer = await api.post(CHAT, json=SHORT)
    assert "x-writingmate-max-tokens-clamped" not in answer.headers
    assert fake.calls[-1].document["max_tokens"] == 100
    assert entries(gateway)[0].flags == ""


async def test_a_long_prompt_is_counted_before_it_is_refused(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live
) -> None:
    """200,000 bytes would be 13 messages by the bound; by its tokens the prompt is one of three."""
    long = {**SHORT, "messages": [{"role": "user", "content": "hello world " * 17_000}]}
    answer = await api.post(CHAT, json=long)
    assert answer.status_code == 429
    long = {**SHORT, "messages": [{"role": "user", "content": "hello world " * 10_000}]}
    answer = await api.post(CHAT, json=long)
    assert answer.status_code == 200
    assert entries(gateway)[0].held_messages == 2
    assert len(fake.calls) == 1


async def test_a_picture_is_counted_as_its_vendor_does_wherever_there_is_room_for_more(
    api: httpx2.AsyncClient, gateway: Live
) -> None:
    """By its bytes it would be 25 messages, and as many are what a killed process leaves to be charged."""
    put_on(gateway, "self-hosted")
    picture = base64.b64encode(PNG + bytes(300_000)).decode()
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}}
    answer = await api.post(CHAT, json={**SHORT, "messages": [{"role": "user", "content": [part]}]})
    assert answer.status_code == 200
    assert entries(gateway)[0].held_messages <= 2


async def test_a_remote_file_is_no_more_than_the_model_can_read(
    api: httpx2.AsyncClient, gateway: Live
) -> None:
    put_on(gateway, "self-hosted")
    part = {"type": "file", "file": {"file_id": "file-1"}}
    await api.post(CHAT, json={**SHORT, "messages": [{"role": "user", "content": [part]}]})
    assert entries(gateway)[0].held_messages == 26  # 400,000 tokens, and the answer's


async def test_the_limit_refuses_by_name_and_says_what_helps(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live
) -> None:
    for _ in range(3):
        assert (await api.post(CHAT, json=SHORT)).status_code == 200
    answer = await api.post(CHAT, json=SHORT)
    assert answer.status_code == 429
    error = error_of(answer)
    assert (error["type"], error["code"]) == ("insufficient_quota", "daily_limit_reached")
    assert "limit of 3 on messages:basic for this member (3 used)" in error["message"]
    assert "OpenRouter key" in error["message"]
    assert answer.headers["x-should-retry"] == "false"
    assert 0 < int(answer.headers["retry-after"]) <= 86_400
    assert len(fake.calls) == 3
    assert len(entries(gateway)) == 3


async def test_an_overrun_puts_the_window_into_debt(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live
) -> None:
    fake.script(answer_of(70_000, 100), times=1)
    assert (await api.post(CHAT, json=SHORT)).headers["x-writingmate-counted-messages"] == "5"
    assert entries(gateway)[0].flags == "overrun"
    answer = await api.post(CHAT, json=SHORT)
    assert answer.status_code == 429
    assert "(5 used)" in error_of(answer)["message"]


async def test_a_pool_for_life_is_the_whole_workspaces(api: httpx2.AsyncClient, gateway: Live) -> None:
    put_on(gateway, "pooled")
    for left in (3, 2, 1, 0):
        answer = await api.post(CHAT, json=SHORT)
        assert answer.headers["x-writingmate-remaining-messages"] == str(left)
    answer = await api.post(CHAT, json=SHORT)
    assert error_of(answer)["code"] == "pool_exhausted"
    assert "retry-after" not in answer.headers
    assert answer.headers["x-should-retry"] == "false"


async def test_requests_a_minute(api: httpx2.AsyncClient, gateway: Live) -> None:
    put_on(gateway, "slow")
    for left in (1, 0):
        answer = await api.post(CHAT, json=SHORT)
        assert answer.headers["x-ratelimit-limit-requests"] == "2"
        assert answer.headers["x-ratelimit-remaining-requests"] == str(left)
        assert answer.headers["x-ratelimit-reset-requests"] == "1m0s"
        assert "x-writingmate-remaining-messages" not in answer.headers
    answer = await api.post(CHAT, json=SHORT)
    assert error_of(answer)["code"] == "rate_limit_exceeded"
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert "x-should-retry" not in answer.headers


async def test_of_many_at_once_exactly_as_many_are_admitted_as_fit(
    api: httpx2.AsyncClient, fake: FakeOpenAI
) -> None:
    answers = await asyncio.gather(*(api.post(CHAT, json=SHORT) for _ in range(40)))
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [429] * 37
    assert len(fake.calls) == 3


async def test_an_own_key_goes_to_openrouter_and_past_the_plans_messages(
    api: httpx2.AsyncClient, fake: FakeOpenAI, openrouter: FakeOpenRouter, gateway: Live
) -> None:
    bring_key(gateway)
    model = {**SHORT, "model": "google/gemini-2.5-flash"}
    answers = [await api.post(CHAT, json=model) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200] * 4
    answer = answers[-1]
    assert answer.headers["x-writingmate-route"] == "openrouter/google/gemini-2.5-flash"
    assert {call.headers["authorization"] for call in openrouter.calls} == {f"Bearer {OWN_KEY}"}
    assert not fake.calls
    assert {(row.flags, row.provider, row.messages) for row in entries(gateway)} == {
        ("byok", "openrouter", 1)
    }
    assert "x-ratelimit-limit-requests" in answer.headers
    answer = await api.post(CHAT, json=SHORT)  # only the operator's provider has this one
    assert answer.headers["x-writingmate-route"] == "fake/m"
    assert answer.headers["x-writingmate-remaining-messages"] == "2"


async def test_an_own_key_that_is_refused_is_the_callers_to_mend(
    api: httpx2.AsyncClient, openrouter: FakeOpenRouter, gateway: Live
) -> None:
    bring_key(gateway)
    openrouter.script(refusing(401, f"no such key {OWN_KEY}"), times=1)
    answer = await api.post(CHAT, json={**SHORT, "model": "google/gemini-2.5-flash"})
    assert answer.status_code == 401
    assert error_of(answer)["code"] == "provider_key_rejected"
    assert OWN_KEY not in answer.text
    assert entries(gateway)[0].messages == 0


async def test_an_own_key_that_is_removed_is_not_used_any_more(
    api: httpx2.AsyncClient, openrouter: FakeOpenRouter, gateway: Live
) -> None:
    bring_key(gateway)
    model = {**SHORT, "model": "google/gemini-2.5-flash"}
    assert (await api.post(CHAT, json=model)).status_code == 200
    with gateway.database.transaction() as connection:
        assert vault.remove(connection, user_id=gateway.user.user_id)
    assert (await api.post(CHAT, json=model)).status_code == 404
    assert len(openrouter.calls) == 1
