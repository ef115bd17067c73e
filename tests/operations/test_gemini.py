"""OpenAI's client, the gateway and Google's dialect behind it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from pydantic import BaseModel

from tests.fakes.gemini_answers import SIGNATURE, exhausted, key_refused, refusal
from tests.fakes.gemini_upstream import FakeGemini, refusing
from tests.fakes.openai_choices import Json, Wish
from tests.fakes.openai_script import Fault
from tests.live import Live, check_books, serving, settings_for

KEY = "AIzaSyOperatorsOwn0123456789abcdefghijk"
FLASH = "google/gemini-2.5-flash"
NEW = "google/gemini-3.8-flash"
CACHED = {"promptTokenCount": 40_310, "cachedContentTokenCount": 40_000, "thoughtsTokenCount": 100}
BLOCKED: Json = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 9}}
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
BOTH: list[Any] = [{"role": "user", "content": "get_weather and now"}]


class City(BaseModel):
    name: str
    people: int


@pytest.fixture
async def fake() -> AsyncIterator[FakeGemini]:
    async with FakeGemini(key=KEY) as running:
        yield running


@pytest.fixture
def gateway(fake: FakeGemini, tmp_path: Path) -> Iterator[Live]:
    """Configured as an operator would: by two variables."""
    environ = {"GEMINI_API_KEY": KEY, "GEMINI_BASE_URL": fake.host}
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
    fake: FakeGemini, client: AsyncOpenAI, entry: Callable[[], Any]
) -> None:
    fake.script(Fault(wish=Wish(usage=CACHED)))
    raw = await client.chat.completions.with_raw_response.create(model=FLASH, messages=says("Hello, you"))
    answer = raw.parse()
    assert answer.choices[0].message.content == "Hello, you"
    assert (answer.model, answer.choices[0].finish_reason) == (FLASH, "stop")
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (40_310, 102)
    assert answer.usage.completion_tokens_details is not None
    assert answer.usage.completion_tokens_details.reasoning_tokens == 100
    assert raw.headers["x-writingmate-route"] == "google/gemini-2.5-flash"
    assert raw.headers["x-writingmate-counted-messages"] == "2"
    row = entry()
    assert (row.prompt_tokens, row.completion_tokens, row.cached_tokens) == (40_310, 102, 40_000)
    assert (row.provider, row.upstream_model, row.flags) == ("google", "gemini-2.5-flash", "")
    (call,) = fake.calls
    assert call.path == "/v1beta/models/gemini-2.5-flash:generateContent"
    assert call.headers["x-goog-api-key"] == KEY
    assert "authorization" not in call.headers


@pytest.mark.parametrize("asked", [True, False])
async def test_a_stream_and_its_entry(
    fake: FakeGemini, client: AsyncOpenAI, entry: Callable[[], Any], *, asked: bool
) -> None:
    fake.script(Fault(wish=Wish(usage=CACHED)))
    options: dict[str, Any] = {"stream_options": {"include_usage": True}} if asked else {}
    stream = await client.chat.completions.create(
        model=NEW, messages=says("Hello, you"), stream=True, reasoning_effort="low", **options
    )
    chunks = [chunk async for chunk in stream]
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == "Hello, you"
    thought = [getattr(delta, "reasoning_content", None) or "" for delta in deltas]
    assert "".join(thought) == "Let me see."
    assert [chunk.usage.completion_tokens for chunk in chunks if chunk.usage] == ([102] if asked else [])
    row = entry()
    assert (row.prompt_tokens, row.completion_tokens, row.cached_tokens) == (40_310, 102, 40_000)
    assert (row.reasoning_tokens, row.flags) == (100, "")
    assert fake.calls[0].path == "/v1beta/models/gemini-3.8-flash:streamGenerateContent?alt=sse"


async def test_completions(client: AsyncOpenAI) -> None:
    answer = await client.completions.create(model=FLASH, prompt="Reply with exactly: Once upon a time")
    assert answer.choices[0].text == "Once upon a time"
    stream = await client.completions.create(model=FLASH, prompt=["a", "b"], stream=True)
    said = {0: "", 1: ""}
    async for chunk in stream:
        for choice in chunk.choices:
            said[choice.index] += choice.text
    assert said == {0: "You said: a", 1: "You said: b"}


async def test_responses(client: AsyncOpenAI) -> None:
    answer = await client.responses.create(model=NEW, input="Reply with exactly: Hello, you", store=False)
    assert answer.output_text == "Hello, you"
    parsed = await client.responses.parse(model=NEW, input="anything", text_format=City, store=False)
    assert parsed.output_parsed == City(name="Paris", people=7)


@pytest.mark.parametrize("model", [FLASH, NEW])
async def test_a_tool_loop_with_its_signatures(fake: FakeGemini, client: AsyncOpenAI, model: str) -> None:
    messages = list(BOTH)
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
    turn = fake.calls[1].document["contents"][1]["parts"]
    assert [part.get("thoughtSignature") for part in turn] == [None, SIGNATURE, None]
    assert turn[1]["functionCall"]["id"] == "fc_get_weather"


async def test_a_streamed_tool_loop_keeps_its_signatures(fake: FakeGemini, client: AsyncOpenAI) -> None:
    messages = list(BOTH)
    async with client.chat.completions.stream(model=NEW, messages=messages, tools=TOOLS) as stream:
        message = (await stream.get_final_completion()).choices[0].message
    calls: list[Any] = message.tool_calls or []
    assert [(call.function.name, json.loads(call.function.arguments)) for call in calls] == [
        ("get_weather", {"city": "Paris"}),
        ("now", {}),
    ]
    messages.append(message.model_dump(exclude_none=True, exclude={"parsed"}))
    messages += [{"role": "tool", "tool_call_id": call.id, "content": "sunny"} for call in calls]
    await client.chat.completions.create(model=NEW, messages=messages, tools=TOOLS)
    turn = fake.calls[1].document["contents"][1]["parts"]
    assert [part.get("thoughtSignature") for part in turn] == [None, SIGNATURE, None]


async def test_one_call_where_more_are_not_wanted(client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.create(
        model=NEW, messages=BOTH, tools=TOOLS, parallel_tool_calls=False
    )
    calls: list[Any] = answer.choices[0].message.tool_calls or []
    assert [call.function.name for call in calls] == ["get_weather"]


async def test_an_answer_that_fits_a_schema(client: AsyncOpenAI) -> None:
    answer = await client.chat.completions.parse(model=FLASH, messages=says("anything"), response_format=City)
    assert answer.choices[0].message.parsed == City(name="Paris", people=7)


@pytest.mark.parametrize("streamed", [False, True])
async def test_several_choices_with_their_probabilities(client: AsyncOpenAI, *, streamed: bool) -> None:
    asked: dict[str, Any] = {"messages": says("Hello, you"), "n": 2, "logprobs": True, "top_logprobs": 1}
    said: dict[int, list[str]] = {0: [], 1: []}
    if streamed:
        async for chunk in await client.chat.completions.create(model=FLASH, stream=True, **asked):
            for choice in chunk.choices:
                if choice.logprobs is not None:
                    said[choice.index] += [each.token for each in choice.logprobs.content or ()]
    else:
        answer = await client.chat.completions.create(model=FLASH, **asked)
        for made in answer.choices:
            assert made.logprobs is not None
            said[made.index] += [each.token for each in made.logprobs.content or ()]
    assert said == {0: ["Hello, ", "you"], 1: ["Hello, ", "you"]}


async def test_what_it_cannot_express_is_refused_by_name(fake: FakeGemini, client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await client.chat.completions.create(model=FLASH, messages=says("x"), logit_bias={"1": 2})
    assert (caught.value.param, caught.value.code) == ("logit_bias", "unsupported_parameter")
    assert not fake.calls


async def test_a_prompt_that_is_blocked(
    fake: FakeGemini, client: AsyncOpenAI, entry: Callable[[], Any]
) -> None:
    fake.script(Fault(body=json.dumps(BLOCKED).encode(), content_type="application/json"))
    answer = await client.chat.completions.create(model=FLASH, messages=says("x"))
    choice = answer.choices[0]
    assert (choice.finish_reason, choice.message.content) == ("content_filter", None)
    assert (entry().prompt_tokens, entry().completion_tokens) == (9, 0)


@pytest.mark.parametrize(
    ("document", "status", "code"),
    [
        (key_refused(), 502, "upstream_error"),
        (
            refusal(400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
            502,
            "upstream_error",
        ),
        (
            refusal(
                400,
                "INVALID_ARGUMENT",
                "The input token count (3) exceeds the maximum number of tokens allowed (2).",
            ),
            400,
            "context_length_exceeded",
        ),
        (refusal(400, "INVALID_ARGUMENT", "Invalid JSON payload received."), 400, None),
        (refusal(403, "PERMISSION_DENIED", "Denied"), 502, "upstream_error"),
        (refusal(404, "NOT_FOUND", "models/x is not found"), 404, None),
        (refusal(500, "INTERNAL", "An internal error has occurred."), 502, "upstream_error"),
        (refusal(503, "UNAVAILABLE", "The model is overloaded."), 502, "upstream_error"),
        (refusal(504, "DEADLINE_EXCEEDED", "Deadline expired"), 504, "upstream_error"),
    ],
)
async def test_errors(
    fake: FakeGemini, client: AsyncOpenAI, document: Json, status: int, code: str | None
) -> None:
    fake.script(refusing(document))
    with pytest.raises(openai.APIStatusError) as caught:
        await client.chat.completions.create(model=FLASH, messages=says("x"))
    assert (caught.value.status_code, caught.value.code) == (status, code)


async def test_one_request_too_many_says_when_to_come_back(fake: FakeGemini, client: AsyncOpenAI) -> None:
    fake.script(refusing(exhausted("34.4s")))
    with pytest.raises(openai.RateLimitError) as caught:
        await client.chat.completions.create(model=FLASH, messages=says("x"))
    assert caught.value.response.headers["retry-after"] == "35"
    assert caught.value.code == "rate_limit_exceeded"


async def test_an_error_in_the_middle_of_a_stream(
    fake: FakeGemini, client: AsyncOpenAI, entry: Callable[[], Any]
) -> None:
    """What Google said by then is charged: its counts are those so far."""
    fake.script(Fault(error_after=2, wish=Wish(usage={"promptTokenCount": 1_000})))
    stream = await client.chat.completions.create(
        model=FLASH, messages=says("Hello, you and you"), stream=True
    )
    with pytest.raises(openai.APIError):
        async for _ in stream:
            pass
    row = entry()
    assert (row.prompt_tokens, row.completion_tokens) == (1_000, 2)
    assert set(row.flags.split()) == {"broken", "estimated"}


async def test_a_stream_that_is_only_a_fault_is_tried_again(fake: FakeGemini, client: AsyncOpenAI) -> None:
    fault = b'data: {"candidates":[{"finishReason":"MALFORMED_FUNCTION_CALL"}]}\r\n\r\n'
    fake.script(Fault(body=fault, content_type="text/event-stream"), times=1)
    stream = await client.chat.completions.create(model=FLASH, messages=says("Hello"), stream=True)
    said = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(said) == "Hello"
    assert len(fake.calls) == 2


async def test_the_key_is_told_to_nobody(
    fake: FakeGemini, gateway: Live, client: AsyncOpenAI, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.script(refusing(refusal(400, "INVALID_ARGUMENT", f"Key {KEY} is odd")))
    with pytest.raises(openai.BadRequestError) as caught:
        await client.chat.completions.create(model=FLASH, messages=says("x"))
    assert KEY not in str(caught.value)
    assert all(KEY not in call.path for call in fake.calls)
    assert KEY not in capsys.readouterr().err
    assert KEY not in repr(gateway.gateway.settings)
