"""OpenRouter's own client and OpenAI's find nothing wrong with the fake."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from openrouter import OpenRouter
from openrouter.components import ChatResult, ChatStreamChunk, ModelsListResponse
from openrouter.errors import (
    ForbiddenResponseError,
    PaymentRequiredResponseError,
    TooManyRequestsResponseError,
    UnauthorizedResponseError,
)

from tests.fakes.openai_choices import Wish
from tests.fakes.openai_script import Fault
from tests.fakes.openrouter import (
    MODERATION,
    PROCESSING,
    FakeOpenRouter,
    inside,
    listing,
    refusing,
    stopping,
)

KEY = "sk-or-v1-fake"
MODEL = "google/gemini-2.5-flash"
MESSAGES: Any = [{"role": "user", "content": "Reply with exactly: A B C"}]


@pytest.fixture
async def fake() -> AsyncIterator[FakeOpenRouter]:
    async with FakeOpenRouter(key=KEY) as running:
        yield running


@pytest.fixture
async def theirs(fake: FakeOpenRouter) -> AsyncIterator[OpenRouter]:
    async with OpenRouter(api_key=KEY, server_url=fake.base_url, retry_config=None) as sdk:
        yield sdk


@pytest.fixture
async def client(fake: FakeOpenRouter) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=fake.base_url, api_key=KEY, max_retries=0) as sdk:
        yield sdk


async def test_a_whole_answer(theirs: OpenRouter, client: AsyncOpenAI, fake: FakeOpenRouter) -> None:
    fake.script(Fault(wish=Wish(reasoning="Say it.")))
    answer = await theirs.chat.send_async(model=MODEL, messages=MESSAGES)
    assert isinstance(answer, ChatResult)
    message = answer.choices[0].message
    assert (message.content, message.reasoning) == ("A B C", "Say it.")
    assert answer.usage is not None
    assert answer.usage.cost == 0.0034
    same = await client.chat.completions.create(model=MODEL, messages=MESSAGES)
    assert same.choices[0].message.content == "A B C"
    assert same.model_extra is not None
    assert same.model_extra["provider"] == "Google AI Studio"


async def test_a_stream(theirs: OpenRouter, client: AsyncOpenAI, fake: FakeOpenRouter) -> None:
    fake.script(Fault(comment=PROCESSING))
    events = await theirs.chat.send_async(model=MODEL, messages=MESSAGES, stream=True)
    assert not isinstance(events, ChatResult)
    chunks = [chunk async for chunk in events]
    assert all(isinstance(chunk, ChatStreamChunk) for chunk in chunks)
    last = chunks[-1]
    assert last.usage is not None
    assert (last.choices[0].delta.content, last.choices[0].finish_reason) == ("", None)
    stream = await client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
    same = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in same) == "A B C"
    assert same[-1].usage is not None


async def test_the_list_of_models(theirs: OpenRouter, client: AsyncOpenAI, fake: FakeOpenRouter) -> None:
    free = {"prompt": "0", "completion": "0"}
    fake.listed.append(listing("x/free:free", pricing=free, expiration_date="2026-12-31"))
    answer = await theirs.models.list_async()
    assert answer is not None
    assert isinstance(answer.result, ModelsListResponse)
    assert [model.id for model in answer.result.data] == [MODEL, "x/free:free"]
    assert answer.result.data[1].expiration_date == "2026-12-31"
    assert [model.id async for model in await client.models.list()] == [MODEL, "x/free:free"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (refusing(401, "User not found."), UnauthorizedResponseError),
        (refusing(402, "Insufficient credits"), PaymentRequiredResponseError),
        (refusing(403, "Flagged.", **MODERATION), ForbiddenResponseError),
        (refusing(429, "Rate limit exceeded", headers={"Retry-After": "7"}), TooManyRequestsResponseError),
    ],
)
async def test_refusals(
    theirs: OpenRouter, fake: FakeOpenRouter, fault: Fault, error: type[Exception]
) -> None:
    fake.script(fault)
    with pytest.raises(error):
        await theirs.chat.send_async(model=MODEL, messages=MESSAGES)


async def test_a_wrong_key(fake: FakeOpenRouter) -> None:
    async with OpenRouter(api_key="sk-or-v1-no", server_url=fake.base_url) as sdk:
        with pytest.raises(UnauthorizedResponseError, match="User not found"):
            await sdk.chat.send_async(model=MODEL, messages=MESSAGES)


async def test_an_error_in_the_middle(theirs: OpenRouter, client: AsyncOpenAI, fake: FakeOpenRouter) -> None:
    fake.script(stopping(2, 502, "Provider disconnected", error_type="provider_unavailable"))
    events = await theirs.chat.send_async(model=MODEL, messages=MESSAGES, stream=True)
    assert not isinstance(events, ChatResult)
    chunks = [chunk async for chunk in events]
    error = chunks[-1].error
    assert error is not None
    assert (error.code, error.message) == (502, "Provider disconnected")
    assert chunks[-1].choices[0].finish_reason == "error"
    with pytest.raises(openai.APIError, match="Provider disconnected"):
        async for _ in await client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True):
            pass


async def test_an_error_beside_what_was_written(theirs: OpenRouter, fake: FakeOpenRouter) -> None:
    fake.script(inside(502, "Provider disconnected", partial="A B"))
    answer = await theirs.chat.send_async(model=MODEL, messages=MESSAGES)
    assert isinstance(answer, ChatResult)
    assert (answer.choices[0].finish_reason, answer.choices[0].message.content) == ("error", "A B")
