"""OpenAI's client, the gateway and Anthropic's dialect behind it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from pydantic import BaseModel

from tests.fakes.anthropic_upstream import FakeAnthropic, refusing
from tests.fakes.openai_choices import Wish
from tests.fakes.openai_script import Fault
from tests.live import Live, check_books, serving, settings_for

KEY = "sk-ant-api03-operators-own-0123456789"
HAIKU = "anthropic/claude-haiku-4.5"
OPUS = "anthropic/claude-opus-5"
BAD = "invalid_request_error"
CACHED = {"input_tokens": 10, "cache_creation_input_tokens": 300, "cache_read_input_tokens": 40_000}
TOOLS: list[Any] = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        },
    },
    {"type": "function", "function": {"name": "now"}},
]


class City(BaseModel):
    name: str
    people: int


@pytest.fixture
async def fake() -> AsyncIterator[FakeAnthropic]:
    async with FakeAnthropic(key=KEY) as running:
        yield running


@pytest.fixture
def gateway(fake: FakeAnthropic, tmp_path: Path) -> Iterator[Live]:
    """Configured as an operator would: by two variables."""
    environ = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": fake.host}
    with serving(settings_for(tmp_path, environ=environ)) as live:
        yield live
        check_books(live)


@pytest.fixture
async def client(gateway: Live) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=gateway.api, api_key=gateway.key, max_retries=0) as sdk:
        yield sdk


def says(text: str) -> list[Any]:
    asked = {"role": "user", "content": f"Reply with exactly: {text}"}
    return [{"role": "system", "content": "Be kind."}, asked]


async def test_an_answer_and_its_entry(
    fake: FakeAnthropic, client: AsyncOpenAI, entry: Callable[[], Any]
) -> None:
    fake.script(Fault(wish=Wish(usage=CACHED)))
    raw = await client.chat.completions.with_raw_response.create(model=HAIKU, messages=says("Hello, you"))
    answer = raw.parse()
    assert answer.choices[0].message.content == "Hello, you"
    assert (answer.model, answer.choices[0].finish_reason) == (HAIKU, "stop")
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (40_310, 2)
    assert raw.headers["x-writingmate-route"] == "anthropic/claude-haiku-4-5"
    assert raw.headers["x-writingmate-counted-messages"] == "2"
    row = entry()
    assert (row.prompt_tokens, row.completion_tokens, row.cached_tokens) == (40_310, 2, 40_000)
    assert (row.provider, row.upstream_model, row.flags) == ("anthropic", "claude-haiku-4-5", "")
    assert row.upstream_request_id == fake.calls[0].request_id
    assert fake.calls[0].document["max_tokens"] == 64_000
    assert "authorization" not in fake.calls[0].headers


@pytest.mark.parametrize("asked", [True, False])
async def test_a_stream_and_its_entry(
    fake: FakeAnthropic, client: AsyncOpenAI, entry: Callable[[], Any], *, asked: bool
) -> None:
    fake.script(Fault(wish=Wish(usage=CACHED)))
    options: dict[str, Any] = {"stream_options": {"include_usage": True}} if asked else {}
    stream = await client.chat.completions.create(
        model=OPUS, messages=says("Hello, you"), stream=True, reasoning_effort="low", **options
    )
    chunks = [chunk async for chunk in stream]
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == "Hello, you"
    thought = [getattr(delta, "reasoning_content", None) or "" for delta in deltas]
    assert "".join(thought) == "Let me see."
    assert [chunk.usage.prompt_tokens for chunk in chunks if chunk.usage] == ([40_310] if asked else [])
    row = entry()
    assert (row.prompt_tokens, row.completion_tokens, row.cached_tokens) == (40_310, 5, 40_000)


async def test_completions(client: AsyncOpenAI) -> None:
    answer = await client.completions.create(model=HAIKU, prompt="Reply with exactly: Once upon a time")
    assert answer.choices[0].text == "Once upon a time"
    stream = await client.completions.create(model=HAIKU, prompt=["a", "b"], stream=True)
    said = {0: "", 1: ""}
    async for chunk in stream:
        for choice in chunk.choices:
            said[choice.index] += choice.text
    assert said == {0: "You said: a", 1: "You said: b"}


@pytest.mark.parametrize("model", [HAIKU, OPUS])
async def test_a_tool_loop_with_thinking(fake: FakeAnthropic, client: AsyncOpenAI, model: str) -> None:
    messages: list[Any] = [{"role": "user", "content": "get_weather and now"}]
    asked: dict[str, Any] = {"model": model, "tools": TOOLS, "reasoning_effort": "medium"}
    first = await client.chat.completions.create(messages=messages, **asked)
    choice = first.choices[0]
    assert choice.finish_reason == "tool_calls"
    calls: list[Any] = choice.message.tool_calls or []
    assert [json.loads(call.function.arguments) for call in calls] == [{"city": "Paris"}, {}]
    messages.append(choice.message.model_dump(exclude_none=True))
    messages += [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in calls]
    second = await client.chat.completions.create(messages=messages, **asked)
    assert second.choices[0].message.content == "You said: sunnysunny"
    turn = fake.calls[1].document["messages"][1]["content"]
    assert [block["type"] for block in turn] == ["thinking", "text", "tool_use", "tool_use"]
    assert turn[0]["signature"]


async def test_tools_in_a_stream(client: AsyncOpenAI) -> None:
    async with client.chat.completions.stream(
        model=OPUS, messages=[{"role": "user", "content": "get_weather and now"}], tools=TOOLS
    ) as stream:
        message = (await stream.get_final_completion()).choices[0].message
    calls: list[Any] = message.tool_calls or []
    assert [(call.function.name, json.loads(call.function.arguments)) for call in calls] == [
        ("get_weather", {"city": "Paris"}),
        ("now", {}),
    ]


async def test_an_answer_that_fits_a_schema(client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.parse(model=HAIKU, messages=says("anything"), response_format=City)
    assert answer.choices[0].message.parsed == City(name="Paris", people=7)


async def test_what_it_cannot_express_is_refused_by_name(fake: FakeAnthropic, client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await client.chat.completions.create(model=HAIKU, messages=says("x"), seed=2)
    assert (caught.value.param, caught.value.code) == ("seed", "unsupported_parameter")
    assert not fake.calls


@pytest.mark.parametrize("stream", [True, False])
async def test_several_choices_are_several_calls(
    fake: FakeAnthropic, client: AsyncOpenAI, entry: Callable[[], Any], *, stream: bool
) -> None:
    asked: dict[str, Any] = {"model": HAIKU, "messages": says("Hello, you"), "n": 3}
    if stream:
        texts = ["", "", ""]
        async for chunk in await client.chat.completions.create(**asked, stream=True):
            texts[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    else:
        answer = await client.chat.completions.create(**asked)
        assert [choice.index for choice in answer.choices] == [0, 1, 2]
        texts = [choice.message.content or "" for choice in answer.choices]
        assert answer.usage is not None
        assert answer.usage.completion_tokens == 6
    assert texts == ["Hello, you"] * 3
    assert [call.document["max_tokens"] for call in fake.calls] == [64_000] * 3
    assert entry().completion_tokens == 6


async def test_a_temperature_of_0_is_left_out_where_there_is_none(
    fake: FakeAnthropic, client: AsyncOpenAI
) -> None:
    raw = await client.chat.completions.with_raw_response.create(
        model=OPUS, messages=says("x"), temperature=0, n=2
    )
    assert raw.headers["x-writingmate-dropped"] == "temperature"
    assert all("temperature" not in call.document for call in fake.calls)
    with pytest.raises(openai.BadRequestError) as caught:
        await client.chat.completions.create(model=OPUS, messages=says("x"), temperature=0.3)
    assert (caught.value.param, caught.value.code) == ("temperature", "unsupported_value")


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (refusing(400, BAD, "prompt is too long: 3 tokens > 2 maximum"), 400, "context_length_exceeded"),
        (refusing(400, BAD, "Your credit balance is too low to access"), 502, "upstream_error"),
        (refusing(401, "authentication_error", "invalid x-api-key"), 502, "upstream_error"),
        (refusing(404, "not_found_error", "model: claude-x"), 404, None),
        (refusing(429, "rate_limit_error", "Slow down"), 429, "rate_limit_exceeded"),
        (refusing(529, "overloaded_error", "Overloaded"), 502, "upstream_error"),
    ],
)
async def test_errors(
    fake: FakeAnthropic, client: AsyncOpenAI, fault: Fault, status: int, code: str | None
) -> None:
    fake.script(fault)
    with pytest.raises(openai.APIStatusError) as caught:
        await client.chat.completions.create(model=HAIKU, messages=says("x"))
    assert (caught.value.status_code, caught.value.code) == (status, code)


async def test_an_error_in_the_middle_of_a_stream(
    fake: FakeAnthropic, client: AsyncOpenAI, entry: Callable[[], Any]
) -> None:
    fake.script(Fault(error_after=5))
    stream = await client.chat.completions.create(model=HAIKU, messages=says("Hello, you"), stream=True)
    with pytest.raises(openai.APIError):
        async for _ in stream:
            pass
    row = entry()
    assert row.messages == 1
    assert {"broken", "estimated"} <= set(row.flags.split())
