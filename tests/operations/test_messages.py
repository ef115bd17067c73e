"""Anthropic's client at the gateway, with Anthropic and with OpenAI behind it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic import AsyncAnthropic

from tests.fakes.anthropic_upstream import FakeAnthropic, refusing
from tests.fakes.openai_choices import Wish
from tests.fakes.openai_script import Fault
from tests.fakes.openai_upstream import FakeOpenAI
from tests.live import Live, check_books, serving, settings_for
from writingmate.settings import ModelSection, ProviderSection, RouteSection

KEY = "sk-ant-api03-operators-own-0123456789"
HAIKU = "claude-haiku-4-5-20251001"
SLUG = "anthropic/claude-haiku-4.5"
GPT = "house/gpt"
BOTH = [HAIKU, GPT]
CACHED = {"input_tokens": 10, "cache_creation_input_tokens": 300, "cache_read_input_tokens": 40_000}
WEATHER: dict[str, Any] = {
    "name": "get_weather",
    "description": "The weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
    "cache_control": {"type": "ephemeral"},
}
NOW: dict[str, Any] = {"name": "now", "input_schema": {"type": "object", "properties": {}}}
Entry = Callable[[], Any]


@pytest.fixture
async def claude() -> AsyncIterator[FakeAnthropic]:
    async with FakeAnthropic(key=KEY) as running:
        yield running


@pytest.fixture
async def gpt() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI(key="sk-openai-operators-own-0123456789") as running:
        yield running


@pytest.fixture
def gateway(claude: FakeAnthropic, gpt: FakeOpenAI, tmp_path: Path) -> Iterator[Live]:
    """Anthropic's own model, and one of a provider that only chats. Audited."""
    settings = settings_for(
        tmp_path,
        environ={"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": claude.host},
        providers={
            "house": ProviderSection(base_url=gpt.base_url, api_key="sk-openai-operators-own-0123456789")
        },
        models={
            GPT: ModelSection(
                context_length=100_000, max_output_tokens=10_000, routes=(RouteSection("house", "gpt-4.1"),)
            )
        },
    )
    with serving(settings) as live:
        yield live
        check_books(live)


@pytest.fixture
async def client(gateway: Live) -> AsyncIterator[AsyncAnthropic]:
    address = f"{gateway.url}/api/anthropic"
    async with AsyncAnthropic(base_url=address, api_key=gateway.key, max_retries=0) as sdk:
        yield sdk


@pytest.fixture
async def raw(gateway: Live) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"authorization": f"Bearer {gateway.key}", "anthropic-version": "2023-06-01"}
    async with httpx2.AsyncClient(base_url=f"{gateway.url}/api/anthropic", headers=headers) as http:
        yield http


def says(text: str) -> list[Any]:
    return [{"role": "user", "content": f"Reply with exactly: {text}"}]


async def test_an_answer_is_passed_on_and_charged(
    claude: FakeAnthropic, client: AsyncAnthropic, entry: Entry
) -> None:
    claude.script(Fault(wish=Wish(usage=CACHED)))
    answered = await client.messages.with_raw_response.create(
        model=HAIKU, max_tokens=100, messages=says("Hello, you"), extra_headers={"anthropic-beta": "a-1,b-2"}
    )
    message = await answered.parse()
    assert message.content[0].type == "text"
    assert message.content[0].text == "Hello, you"
    assert (message.model, message.stop_reason) == ("claude-haiku-4-5", "end_turn")
    assert message._request_id == answered.headers["x-request-id"]
    assert answered.headers["x-writingmate-route"] == "anthropic/claude-haiku-4-5"
    assert answered.headers["x-writingmate-counted-messages"] == "2"
    row = entry()
    assert (row.model, row.endpoint, row.flags) == (SLUG, "messages", "overrun")
    assert (row.prompt_tokens, row.completion_tokens, row.cached_tokens) == (40_310, 2, 40_000)
    assert row.upstream_request_id == claude.calls[0].request_id
    sent = claude.calls[0]
    assert sent.headers["anthropic-beta"] == "a-1,b-2"
    assert sent.headers["x-api-key"] == KEY
    assert "authorization" not in sent.headers


@pytest.mark.parametrize("model", BOTH)
async def test_a_stream_and_its_entry(client: AsyncAnthropic, entry: Entry, model: str) -> None:
    async with client.messages.stream(
        model=model, max_tokens=100, messages=says("Hello, you"), system="Be kind."
    ) as stream:
        text = "".join([piece async for piece in stream.text_stream])
        message = await stream.get_final_message()
    assert text == "Hello, you"
    row = entry()
    usage = message.usage
    assert (row.prompt_tokens, row.completion_tokens) == (usage.input_tokens, usage.output_tokens)
    assert (row.endpoint, row.flags, message.stop_reason) == ("messages", "", "end_turn")


async def test_the_count_of_a_stream_comes_before_its_last_event(raw: httpx2.AsyncClient) -> None:
    for model in BOTH:
        body = {"model": model, "max_tokens": 9, "messages": says("Hi"), "stream": True}
        answer = await raw.post("/v1/messages?beta=true", json=body)
        *_, count, last, rest = answer.text.split("\n\n")
        assert count.startswith(": writingmate counted_messages=1 ")
        assert last == 'event: message_stop\ndata: {"type":"message_stop"}'
        assert rest == ""


@pytest.mark.parametrize("model", BOTH)
async def test_a_tool_loop_with_thinking(
    claude: FakeAnthropic, gpt: FakeOpenAI, client: AsyncAnthropic, model: str
) -> None:
    asked: dict[str, Any] = {
        "model": model,
        "max_tokens": 4000,
        "tools": [WEATHER, NOW],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    }
    turns: list[Any] = [{"role": "user", "content": "get_weather and now"}]
    first = await client.messages.create(messages=turns, **asked)
    assert first.stop_reason == "tool_use"
    calls = [block for block in first.content if block.type == "tool_use"]
    assert [(call.name, call.input) for call in calls] == [("get_weather", {"city": "Paris"}), ("now", {})]
    results = [
        {"type": "tool_result", "tool_use_id": call.id, "content": [{"type": "text", "text": "sunny"}]}
        for call in calls
    ]
    turns += [{"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
    second = await client.messages.create(messages=turns, **asked)
    assert second.content[-1].type == "text"
    said = "sunnysunny" if model == HAIKU else "get_weather and now"  # the fakes repeat other things
    assert second.content[-1].text == f"You said: {said}"
    if model == HAIKU:
        before = claude.calls[1].document["messages"][1]["content"]
        assert [block["type"] for block in before] == ["thinking", "text", "tool_use", "tool_use"]
        assert before[0]["signature"]
    else:
        sent = gpt.calls[1].document
        assert [message["role"] for message in sent["messages"]] == ["user", "assistant", "tool", "tool"]
        assert sent["reasoning_effort"] == "low"


@pytest.mark.parametrize("model", BOTH)
async def test_tools_in_a_stream(client: AsyncAnthropic, model: str) -> None:
    async with client.messages.stream(
        model=model,
        max_tokens=100,
        messages=[{"role": "user", "content": "get_weather and now"}],
        tools=[WEATHER, NOW],  # type: ignore[list-item]  # plain dicts of the same shape
    ) as stream:
        message = await stream.get_final_message()
    calls = [block for block in message.content if block.type == "tool_use"]
    assert [(call.name, call.input) for call in calls] == [("get_weather", {"city": "Paris"}), ("now", {})]
    assert message.stop_reason == "tool_use"


async def test_an_answer_that_fits_a_schema(client: AsyncAnthropic, gpt: FakeOpenAI) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"],
              "additionalProperties": False}  # fmt: skip
    for model in BOTH:
        message = await client.messages.create(
            model=model,
            max_tokens=100,
            messages=says("anything"),
            output_config={"format": {"type": "json_schema", "schema": schema}},
        )
        assert message.content[0].type == "text"
        assert json.loads(message.content[0].text) == {"name": "Paris"}
    assert gpt.calls[0].document["response_format"]["json_schema"]["schema"] == schema


@pytest.mark.parametrize("bearer", [True, False])
async def test_either_way_to_show_the_key(gateway: Live, *, bearer: bool) -> None:
    shown: dict[str, Any] = {"auth_token": gateway.key} if bearer else {"api_key": gateway.key}
    async with AsyncAnthropic(base_url=f"{gateway.url}/api/anthropic", **shown) as sdk:
        page = await sdk.models.list()
    assert SLUG in {model.id for model in page.data}


@pytest.mark.parametrize(
    ("fault", "error", "kind"),
    [
        (refusing(400, "invalid_request_error", "no"), anthropic.BadRequestError, "invalid_request_error"),
        (refusing(401, "authentication_error", "no"), anthropic.InternalServerError, "api_error"),
        (refusing(404, "not_found_error", "no"), anthropic.NotFoundError, "not_found_error"),
        (refusing(413, "request_too_large", "no"), anthropic.ContentTooLargeError, "request_too_large"),
        (refusing(429, "rate_limit_error", "no"), anthropic.RateLimitError, "rate_limit_error"),
        (refusing(529, "overloaded_error", "no"), anthropic.InternalServerError, "api_error"),
    ],
)
async def test_errors_of_the_provider(
    claude: FakeAnthropic,
    client: AsyncAnthropic,
    fault: Fault,
    error: type[anthropic.APIStatusError],
    kind: str,
) -> None:
    claude.script(fault)
    claude.script(fault)
    with pytest.raises(error) as caught:
        await client.messages.create(model=HAIKU, max_tokens=9, messages=says("x"))
    body: Any = caught.value.body
    assert (body["type"], body["error"]["type"]) == ("error", kind)
    assert body["request_id"] == caught.value.request_id
    assert caught.value.request_id is not None
