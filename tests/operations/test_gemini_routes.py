"""Google's own route before OpenRouter's, its list of models, and clients that leave it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from openai import AsyncOpenAI
from sqlalchemy import select

from tests.fakes.gemini_answers import key_refused
from tests.fakes.gemini_upstream import FakeGemini, refusing
from tests.fakes.openai_choices import Wish
from tests.fakes.openai_script import Fault
from tests.fakes.openrouter import FakeOpenRouter
from tests.live import Live, serving, settings_for
from tests.operations.test_generate import settled
from writingmate.settings import ProviderSection
from writingmate.storage import tables

KEY = "AIzaSyOperatorsOwn0123456789abcdefghijk"
ROUTER_KEY = "sk-or-v1-operators-own-0123456789"
FLASH = "google/gemini-2.5-flash"
HELLO: list[Any] = [{"role": "user", "content": "Reply with exactly: Hello, you and you"}]


@pytest.fixture
async def fake() -> AsyncIterator[FakeGemini]:
    async with FakeGemini(key=KEY) as running:
        yield running


@pytest.fixture
async def router() -> AsyncIterator[FakeOpenRouter]:
    async with FakeOpenRouter(key=ROUTER_KEY) as running:
        yield running


@contextmanager
def gateway(folder: Path, fake: FakeGemini, router: FakeOpenRouter, **fields: Any) -> Iterator[Live]:
    environ = {
        "GEMINI_API_KEY": KEY,
        "GEMINI_BASE_URL": fake.host,
        "OPENROUTER_API_KEY": ROUTER_KEY,
        "OPENROUTER_BASE_URL": router.base_url,
    }
    with serving(settings_for(folder, environ=environ, **fields)) as live:
        yield live


@pytest.fixture
def live(tmp_path: Path, fake: FakeGemini, router: FakeOpenRouter) -> Iterator[Live]:
    with gateway(tmp_path, fake, router) as running:
        yield running


@pytest.fixture
async def client(live: Live) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=live.api, api_key=live.key, max_retries=0) as sdk:
        yield sdk


async def route(client: AsyncOpenAI, **fields: Any) -> str | None:
    """Who served a request with these fields."""
    raw = await client.chat.completions.with_raw_response.create(model=FLASH, messages=HELLO, **fields)
    served: str | None = raw.headers.get("x-writingmate-route")
    return served


async def test_google_serves_its_models_first(client: AsyncOpenAI) -> None:
    assert await route(client) == "google/gemini-2.5-flash"


async def test_what_google_cannot_express_openrouter_can(fake: FakeGemini, client: AsyncOpenAI) -> None:
    assert await route(client, verbosity="low") == "openrouter/google/gemini-2.5-flash"
    assert not fake.calls


async def test_a_refused_key_rests_the_route(fake: FakeGemini, client: AsyncOpenAI) -> None:
    fake.script(refusing(key_refused()), times=1)
    for _ in range(2):
        assert await route(client) == "openrouter/google/gemini-2.5-flash"
    assert len(fake.calls) == 1


async def test_a_client_that_leaves_pays_by_googles_last_count(
    fake: FakeGemini, live: Live, client: AsyncOpenAI
) -> None:
    fake.script(Fault(stall=2, wish=Wish(usage={"promptTokenCount": 40_000, "thoughtsTokenCount": 10_000})))
    stream = await client.chat.completions.create(model=FLASH, messages=HELLO, stream=True)
    said = ""
    async for chunk in stream:
        said += chunk.choices[0].delta.content or ""
        if said == "Hello, you ":
            break
    await stream.close()
    call = await fake.called(1)
    await asyncio.wait_for(call.over.wait(), 5)
    await settled(live)
    with live.database.reading() as connection:
        row = connection.execute(select(tables.entries)).one()
    assert (row.prompt_tokens, row.completion_tokens, row.messages) == (40_000, 10_002, 4)
    assert row.flags.split() == ["cancelled", "estimated"]


async def test_its_list_is_asked_for_where_that_is_wanted(
    tmp_path: Path, fake: FakeGemini, router: FakeOpenRouter
) -> None:
    fake.models = (*fake.models, "gemini-9-ultra")
    providers = {"google": ProviderSection(discover=True)}
    with gateway(tmp_path, fake, router, providers=providers) as live:
        async with (
            asyncio.timeout(10),
            AsyncOpenAI(base_url=live.api, api_key=live.key, max_retries=0) as sdk,
        ):
            while "google/gemini-9-ultra" not in [model.id async for model in sdk.models.list()]:
                pass
            answer = await sdk.chat.completions.create(model="google/gemini-9-ultra", messages=HELLO)
    assert answer.choices[0].message.content == "Hello, you and you"
    assert fake.calls[0].path == "/v1beta/models?pageSize=1000"
