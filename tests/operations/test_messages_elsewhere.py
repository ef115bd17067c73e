"""Anthropic's client over Google's dialect, over a plan's last messages, and over the embedded models."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anthropic
import msgspec
import pytest
from anthropic import AsyncAnthropic

from tests.fakes.anthropic_upstream import FakeAnthropic
from tests.fakes.gemini_answers import SIGNATURE
from tests.fakes.gemini_upstream import FakeGemini
from tests.live import Live, serving, settings_for
from tests.local.wheels import model as embedded
from tests.operations.limited import PLANS
from writingmate.dialects.exchange import Exchange, readable
from writingmate.local.requests import prepared
from writingmate.metering.prompts.careful import careful
from writingmate.settings import ModelSection, ProviderSection
from writingmate.wire import document
from writingmate.workspaces import store

KEY = "AIzaSyOperatorsOwn0123456789abcdefghijk"
NEW = "google/gemini-3.8-flash"
WEATHER: Any = {
    "name": "get_weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
ASKED: dict[str, Any] = {
    "model": NEW,
    "max_tokens": 500,
    "tools": [WEATHER],
    "thinking": {"type": "enabled", "budget_tokens": 4000},
}


def client_of(live: Live) -> AsyncAnthropic:
    return AsyncAnthropic(base_url=f"{live.url}/api/anthropic", api_key=live.key, max_retries=0)


@pytest.fixture
async def google(tmp_path: Path) -> AsyncIterator[tuple[FakeGemini, AsyncAnthropic]]:
    async with FakeGemini(key=KEY) as fake:
        environ = {"GEMINI_API_KEY": KEY, "GEMINI_BASE_URL": fake.host}
        with serving(settings_for(tmp_path, environ=environ)) as live:
            async with client_of(live) as client:
                yield fake, client


@pytest.mark.parametrize("streamed", [True, False])
async def test_googles_signatures_go_there_and_back(
    google: tuple[FakeGemini, AsyncAnthropic], *, streamed: bool
) -> None:
    fake, client = google
    turns: list[Any] = [{"role": "user", "content": "get_weather"}]
    if streamed:
        async with client.messages.stream(messages=turns, **ASKED) as stream:
            first: Any = await stream.get_final_message()
    else:
        first = await client.messages.create(messages=turns, **ASKED)
    assert first.stop_reason == "tool_use"
    (call,) = [block for block in first.content if block.type == "tool_use"]
    content = [block.model_dump(exclude_none=True) for block in first.content]
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}
    turns += [{"role": "assistant", "content": content}, {"role": "user", "content": [result]}]
    second = await client.messages.create(messages=turns, **ASKED)
    assert second.stop_reason == "end_turn"
    parts = fake.calls[1].document["contents"][1]["parts"]
    assert SIGNATURE in [part.get("thoughtSignature") for part in parts if "functionCall" in part]


async def test_tokens_of_googles_models_are_counted_here(google: tuple[FakeGemini, AsyncAnthropic]) -> None:
    fake, client = google
    few = await client.messages.count_tokens(model=NEW, messages=[{"role": "user", "content": "Hello"}])
    many = await client.messages.count_tokens(
        model=NEW, messages=[{"role": "user", "content": "Hello"}], tools=[WEATHER], system="word " * 100
    )
    assert 1 <= few.input_tokens < many.input_tokens
    assert not fake.calls


class Tight:
    """A gateway to a provider that speaks Messages, on a plan with 48,000 tokens a day."""

    def __init__(self, folder: Path, address: str) -> None:
        plans = folder / "plans.toml"
        plans.write_text(PLANS)
        provider = ProviderSection(base_url=address, models=("m",), api_key="k" * 20, dialects=("messages",))
        self.settings = settings_for(
            folder,
            plans=plans,
            providers={"house": provider},
            models={"house/m": ModelSection(tier="basic", context_length=400_000, max_output_tokens=100_000)},
        )


@pytest.fixture
async def tight(tmp_path: Path) -> AsyncIterator[tuple[FakeAnthropic, Live]]:
    async with FakeAnthropic(key="k" * 20, models=("m",)) as fake:
        with serving(Tight(tmp_path, fake.base_url).settings) as live:
            with live.database.transaction() as connection:
                store.set_plan(connection, live.user.home_workspace_id, "tight", by=None)
            yield fake, live


def thinks(budget: int, prompt: str) -> dict[str, Any]:
    return {
        "model": "house/m",
        "max_tokens": 90_000,
        "messages": [{"role": "user", "content": prompt}],
        "thinking": {"type": "enabled", "budget_tokens": budget},
    }


async def test_a_limit_that_leaves_less_lowers_the_budget_too(tight: tuple[FakeAnthropic, Live]) -> None:
    fake, live = tight
    async with client_of(live) as client:
        answered = await client.messages.with_raw_response.create(**thinks(80_000, "Hello"), timeout=30)
        most = int(answered.headers["x-writingmate-max-tokens-clamped"])
    sent = fake.calls[0].document
    assert (sent["max_tokens"], sent["thinking"]["budget_tokens"]) == (most, most - 1)


def length(prompt: str) -> int:
    asked = document.parse(msgspec.json.encode(thinks(80_000, prompt)))
    return careful(readable("messages", asked), dialect="messages", slug="house/m m").prompt_tokens


async def test_a_limit_that_leaves_no_room_to_think_is_told_by_name(
    tight: tuple[FakeAnthropic, Live],
) -> None:
    fake, live = tight
    short, longer = (length("one word " * many) for many in (1_000, 2_000))
    words = 1_000 + (47_500 - short) * 1_000 // (longer - short)
    assert 47_000 < length("one word " * words) < 47_990
    async with client_of(live) as client:
        with pytest.raises(anthropic.BadRequestError) as caught:
            await client.messages.create(**thinks(80_000, "one word " * words), timeout=30)
        assert "'thinking'" in str(caught.value)
        assert not fake.calls
        await client.messages.create(**{**thinks(2000, "Hello"), "max_tokens": 5000})  # nothing was charged


def test_the_embedded_models_are_sent_what_they_understand() -> None:
    model = embedded(b"x")
    request = {
        "model": model.slug,
        "max_tokens": 50,
        "system": [{"type": "text", "text": "Be kind.", "cache_control": {"type": "ephemeral"}}],
        "output_config": {"effort": "high"},
        "tools": [WEATHER],
        "messages": [
            {"role": "user", "content": "The weather?"},
            {
                "role": "assistant",
                "content": [
                    {"type": "tool_use", "id": "c", "name": "get_weather", "input": {"city": "Paris"}}
                ],
            },
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "sunny"}]},
        ],
    }
    exchange = Exchange.begin(
        "messages",
        document.parse(msgspec.json.encode(request)),
        ["chat"],
        model="m",
        slug=model.slug,
        request_id="req_1",
    )
    made = prepared(msgspec.json.decode(exchange.legs[0].body), model)
    assert b"sunny" in made.body
    assert b"Be kind." in made.body
