"""What a message is charged when its stream breaks off, its client leaves, or another route serves it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic import AsyncAnthropic
from sqlalchemy import Row, select

from tests.api.raw import until
from tests.fakes.anthropic_upstream import FakeAnthropic, refusing
from tests.fakes.openai_choices import Wish
from tests.fakes.openai_script import Fault, RecordedCall
from tests.fakes.openai_upstream import FakeOpenAI
from tests.live import Live, check_books, serving, settings_for
from writingmate.metering import tokens
from writingmate.storage import tables

KEY = "sk-ant-api03-operators-own-0123456789"
ROUTER_KEY = "sk-or-operators-own-0123456789"
SAID = "one two three four five six"
CACHED = {"input_tokens": 1000, "cache_creation_input_tokens": 300, "cache_read_input_tokens": 40_000}
ASKED: dict[str, Any] = {
    "model": "claude-haiku-4-5",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": f"Reply with exactly: {SAID}"}],
}


@pytest.fixture
async def claude() -> AsyncIterator[FakeAnthropic]:
    async with FakeAnthropic(key=KEY) as running:
        yield running


@pytest.fixture
async def router() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI(key=ROUTER_KEY, models=("anthropic/claude-haiku-4.5",)) as running:
        yield running


@pytest.fixture
def gateway(claude: FakeAnthropic, router: FakeOpenAI, tmp_path: Path) -> Iterator[Live]:
    """Anthropic first, OpenRouter next, as two variables each make it. Audited."""
    environ = {
        "ANTHROPIC_API_KEY": KEY,
        "ANTHROPIC_BASE_URL": claude.host,
        "OPENROUTER_API_KEY": ROUTER_KEY,
        "OPENROUTER_BASE_URL": router.base_url,
    }
    with serving(settings_for(tmp_path, environ=environ)) as live:
        yield live
        check_books(live)


@pytest.fixture
async def client(gateway: Live) -> AsyncIterator[AsyncAnthropic]:
    async with AsyncAnthropic(
        base_url=f"{gateway.url}/api/anthropic", auth_token=gateway.key, max_retries=0
    ) as sdk:
        yield sdk


def posts(fake: FakeOpenAI) -> list[RecordedCall]:
    """What it was asked, but for its list of models."""
    return [call for call in fake.calls if call.method == "POST"]


def entries(live: Live) -> list[Row[Any]]:
    with live.database.reading() as connection:
        return list(connection.execute(select(tables.entries).order_by(tables.entries.c.started_at)))


@pytest.mark.parametrize("place", [3, 4, 6, 8])
async def test_a_stream_that_breaks_is_charged_for_its_prompt_and_what_was_said(
    claude: FakeAnthropic, client: AsyncAnthropic, gateway: Live, place: int
) -> None:
    claude.script(Fault(error_after=place, wish=Wish(usage=CACHED)))
    said: list[str] = []

    async def hear() -> None:
        async with client.messages.stream(**ASKED) as stream:
            async for text in stream.text_stream:
                said.append(text)  # noqa: PERF401  # what came before the error counts

    with pytest.raises(anthropic.APIStatusError) as caught:
        await hear()
    body: Any = caught.value.body
    assert body["error"]["type"] == "api_error"
    (row,) = entries(gateway)
    assert (row.prompt_tokens, row.cached_tokens) == (41_300, 40_000)
    assert row.completion_tokens == max(1, tokens.count("".join(said)))
    assert {"broken", "estimated"} <= set(row.flags.split())
    assert row.messages == 2


async def test_a_stream_that_breaks_after_its_count_is_charged_exactly(
    claude: FakeAnthropic, client: AsyncAnthropic, gateway: Live
) -> None:
    claude.script(Fault(error_after=11, wish=Wish(usage=CACHED)))  # after message_delta
    with pytest.raises(anthropic.APIStatusError):
        async with client.messages.stream(**ASKED) as stream:
            await stream.get_final_message()
    (row,) = entries(gateway)
    assert (row.prompt_tokens, row.completion_tokens) == (41_300, 6)
    assert "estimated" not in row.flags


async def test_a_client_that_leaves_is_charged_for_what_came(claude: FakeAnthropic, gateway: Live) -> None:
    claude.script(Fault(stall=6, wish=Wish(usage=CACHED)))
    headers = {"x-api-key": gateway.key}
    async with (
        httpx2.AsyncClient(headers=headers) as http,
        http.stream(
            "POST", f"{gateway.url}/api/anthropic/v1/messages", json={**ASKED, "stream": True}
        ) as answer,
    ):
        async for line in answer.aiter_lines():
            if "two" in line:
                break
    await asyncio.wait_for(claude.calls[0].over.wait(), 10)
    await until(lambda: entries(gateway))
    (row,) = entries(gateway)
    assert (row.prompt_tokens, row.cached_tokens) == (41_300, 40_000)
    assert 1 <= row.completion_tokens <= 6
    assert {"cancelled", "estimated"} <= set(row.flags.split())


async def test_the_next_route_serves_where_anthropic_does_not(
    claude: FakeAnthropic, router: FakeOpenAI, client: AsyncAnthropic, gateway: Live
) -> None:
    claude.script(refusing(529, "overloaded_error", "Overloaded"))
    headers = {"anthropic-beta": "context-1m-2025-08-07"}
    answered = await client.messages.with_raw_response.create(**ASKED, extra_headers=headers)
    message = await answered.parse()
    assert message.content[0].type == "text"
    assert message.content[0].text == SAID
    assert answered.headers["x-writingmate-route"] == "openrouter/anthropic/claude-haiku-4.5"
    assert message.model == "anthropic/claude-haiku-4.5"
    (call,) = posts(router)
    assert "anthropic-beta" not in call.headers
    assert "anthropic-version" not in call.headers
    (row,) = entries(gateway)
    assert (row.provider, row.endpoint) == ("openrouter", "messages")
    assert (row.prompt_tokens, row.completion_tokens) == (
        message.usage.input_tokens,
        message.usage.output_tokens,
    )


async def test_a_request_that_chat_cannot_express_stays_with_anthropic(
    claude: FakeAnthropic, router: FakeOpenAI, client: AsyncAnthropic
) -> None:
    claude.script(refusing(529, "overloaded_error", "Overloaded"))
    with pytest.raises(anthropic.InternalServerError):
        await client.messages.create(**ASKED, tools=[{"type": "web_search_20250305", "name": "web_search"}])
    assert not posts(router)


async def test_tokens_are_counted_by_anthropic_and_cost_nothing(
    claude: FakeAnthropic, client: AsyncAnthropic, gateway: Live
) -> None:
    counted = await client.messages.with_raw_response.count_tokens(
        model="claude-haiku-4-5-20251001", messages=ASKED["messages"], system="Be kind."
    )
    assert (await counted.parse()).input_tokens == 12
    assert counted.headers["x-writingmate-route"] == "anthropic/claude-haiku-4-5"
    (call,) = claude.calls
    assert call.path == "/v1/messages/count_tokens"
    assert call.document == {"model": "claude-haiku-4-5", "messages": ASKED["messages"], "system": "Be kind."}
    assert call.headers["x-api-key"] == KEY
    assert not entries(gateway)


@pytest.mark.parametrize(
    "fault",
    [
        refusing(529, "overloaded_error", "Overloaded"),
        refusing(404, "not_found_error", "no"),
        refusing(401, "authentication_error", "no"),
        Fault(cut=0),
        Fault(body=b'{"input_tokens":"x"}', content_type="application/json"),
        Fault(body=b"<html>", content_type="text/html"),
    ],
)
async def test_tokens_are_counted_here_where_the_provider_does_not(
    claude: FakeAnthropic, client: AsyncAnthropic, fault: Fault
) -> None:
    claude.script(fault)
    counted = await client.messages.with_raw_response.count_tokens(
        model="claude-haiku-4-5", messages=ASKED["messages"]
    )
    assert 10 <= (await counted.parse()).input_tokens < 200
    assert "x-writingmate-route" not in counted.headers


async def test_a_count_that_the_provider_refuses_is_refused(
    claude: FakeAnthropic, client: AsyncAnthropic
) -> None:
    claude.script(refusing(400, "invalid_request_error", "messages: roles must alternate"))
    with pytest.raises(anthropic.BadRequestError) as caught:
        await client.messages.count_tokens(model="claude-haiku-4-5", messages=ASKED["messages"])
    assert "roles must alternate" in str(caught.value)


async def test_the_models_in_pages(client: AsyncAnthropic) -> None:
    found = [model async for model in client.models.list(limit=3)]
    slugs = [model.id for model in found]
    assert len(slugs) > 10
    assert slugs == sorted(set(slugs))
    first = await client.models.list(limit=3)
    assert (first.first_id, first.last_id, first.has_more) == (slugs[0], slugs[2], True)
    second = await first.get_next_page()
    before = await client.models.list(limit=2, before_id=second.data[0].id)
    assert [model.id for model in before.data] == slugs[1:3]
    one = await client.models.retrieve("claude-haiku-4-5-20251001")
    same = await client.models.retrieve("anthropic/claude-haiku-4.5")
    assert one == same
    assert (one.display_name, one.max_tokens, one.lifecycle) == ("Claude Haiku 4.5", 64_000, "active")


async def test_the_request_of_claude_code(claude: FakeAnthropic, gateway: Live) -> None:
    """Blocks with marks of the cache, many tools, results with pictures, and its headers."""
    picture = {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
    }
    mark = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    tools = [
        {
            "name": f"Tool{at}",
            "description": "d",
            "input_schema": {"type": "object"},
            "eager_input_streaming": True,
        }
        for at in range(30)
    ]
    body = {
        "model": "claude-haiku-4-5",
        "max_tokens": 32_000,
        "system": [{"type": "text", "text": "x-anthropic-billing-header: cc_version=2"},
                   {"type": "text", "text": "You are a Claude agent.", **mark}],
        "tools": tools,
        "metadata": {"user_id": json.dumps({"device_id": "d", "session_id": "s"})},
        "thinking": {"type": "enabled", "budget_tokens": 31_999, "display": "updates"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "stream": True,
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Read a.png"}]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "EqQB"},
                {"type": "tool_use", "id": "toolu_1", "name": "Tool1", "input": {"path": "a.png"}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": [picture]},
                {"type": "text", "text": "<system-reminder>…</system-reminder>", **mark}]},
        ],
    }  # fmt: skip
    headers = {
        "authorization": f"Bearer {gateway.key}",
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "claude-code-20250219,fine-grained-tool-streaming-2025-05-14",
        "anthropic-dangerous-direct-browser-access": "true",
        "x-app": "cli",
        "user-agent": "claude-cli/2.1.332 (external, cli)",
    }
    async with httpx2.AsyncClient(headers=headers, timeout=20) as http:
        answer = await http.post(f"{gateway.url}/api/anthropic/v1/messages?beta=true", json=body)
    assert answer.status_code == 200, answer.text
    (call,) = claude.calls
    assert call.document == body
    assert call.headers["anthropic-beta"] == headers["anthropic-beta"]
    assert "x-app" not in call.headers
