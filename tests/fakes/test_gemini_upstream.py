"""Google's own client finds nothing wrong with the fake."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.genai import Client, errors, types
from google.genai.client import AsyncClient

from tests.fakes.gemini_answers import exhausted
from tests.fakes.gemini_upstream import FakeGemini, refusing
from tests.fakes.openai_script import Fault

KEY = "AIzaSyFake0123456789"
MODEL = "gemini-3.8-flash"
FLASH = "gemini-2.5-flash"
HELLO = "Reply with exactly: Hello, you"
WEATHER = types.FunctionDeclaration(
    name="get_weather",
    parameters_json_schema={"type": "object", "properties": {"city": {"type": "string"}}},
)
NOW = types.FunctionDeclaration(name="now")


@pytest.fixture
async def fake() -> AsyncIterator[FakeGemini]:
    async with FakeGemini(key=KEY) as running:
        yield running


@pytest.fixture
async def client(fake: FakeGemini) -> AsyncIterator[AsyncClient]:
    async with official(fake.host).aio as sdk:
        yield sdk


def official(host: str, key: str = KEY) -> Client:
    return Client(api_key=key, http_options=types.HttpOptions(base_url=host))


def tools() -> types.GenerateContentConfig:
    off = types.AutomaticFunctionCallingConfig(disable=True)
    declared = types.Tool(function_declarations=[WEATHER, NOW])
    return types.GenerateContentConfig(tools=[declared], automatic_function_calling=off)


async def test_an_answer(client: AsyncClient) -> None:
    answer = await client.models.generate_content(model=FLASH, contents=HELLO)
    assert answer.text == "Hello, you"
    assert answer.candidates is not None
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    assert answer.usage_metadata is not None
    assert answer.usage_metadata.candidates_token_count == 2


async def test_a_stream_with_thoughts_and_a_signature(client: AsyncClient) -> None:
    thinking = types.ThinkingConfig(thinking_level=types.ThinkingLevel.LOW, include_thoughts=True)
    config = types.GenerateContentConfig(thinking_config=thinking)
    stream = await client.models.generate_content_stream(model=MODEL, contents=HELLO, config=config)
    chunks = [chunk async for chunk in stream]
    parts: list[Any] = [part for chunk in chunks for part in chunk.parts or ()]
    assert "".join(part.text for part in parts if part.thought) == "Let me see."
    assert "".join(part.text for part in parts if not part.thought) == "Hello, you"
    assert parts[-1].thought_signature
    last = chunks[-1].usage_metadata
    assert last is not None
    assert (last.thoughts_token_count, last.candidates_token_count) == (3, 2)


@pytest.mark.parametrize("model", [FLASH, MODEL])
async def test_tools(client: AsyncClient, model: str) -> None:
    answer = await client.models.generate_content(model=model, contents="get_weather and now", config=tools())
    calls = [(call.name, call.args) for call in answer.function_calls or ()]
    assert calls == [("get_weather", {"city": "Paris"}), ("now", {})]
    stream = await client.models.generate_content_stream(
        model=model, contents="get_weather and now", config=tools()
    )
    streamed = [call.name async for chunk in stream for call in chunk.function_calls or ()]
    assert streamed == ["get_weather", "now"]


async def test_several_candidates_with_their_probabilities(client: AsyncClient) -> None:
    config = types.GenerateContentConfig(candidate_count=2, response_logprobs=True, logprobs=1)
    answer = await client.models.generate_content(model=FLASH, contents=HELLO, config=config)
    found: list[Any] = answer.candidates or []
    assert [candidate.index for candidate in found] == [None, 1]
    chosen = found[1].logprobs_result.chosen_candidates
    assert [each.token for each in chosen] == ["Hello, ", "you"]


async def test_models(client: AsyncClient) -> None:
    found = [model async for model in await client.models.list()]
    assert [model.name for model in found][:2] == [f"models/{FLASH}", "models/gemini-2.5-pro"]
    assert found[-1].supported_actions == ["embedContent"]


async def test_errors(fake: FakeGemini, client: AsyncClient) -> None:
    async with official(fake.host, "AIza-another").aio as another:
        with pytest.raises(errors.ClientError) as caught:
            await another.models.generate_content(model=MODEL, contents="Hi")
    assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")
    with pytest.raises(errors.ClientError) as caught:
        await client.models.generate_content(model="gemini-9", contents="Hi")
    assert caught.value.status == "NOT_FOUND"
    fake.script(refusing(exhausted("34.4s")), times=1)
    with pytest.raises(errors.ClientError) as caught:
        await client.models.generate_content(model=MODEL, contents="Hi")
    assert (caught.value.code, caught.value.status) == (429, "RESOURCE_EXHAUSTED")


async def test_an_error_in_a_stream(fake: FakeGemini, client: AsyncClient) -> None:
    fake.script(Fault(error_after=1))
    stream = await client.models.generate_content_stream(model=MODEL, contents=HELLO)
    with pytest.raises(errors.APIError) as caught:
        async for _ in stream:
            pass
    assert caught.value.status == "UNAVAILABLE"
