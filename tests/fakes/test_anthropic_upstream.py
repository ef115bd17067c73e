"""Anthropic's own client finds nothing wrong with the fake."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from anthropic import APIStatusError, AsyncAnthropic, AuthenticationError, BadRequestError, NotFoundError
from anthropic.types import MessageParam, TextBlock, ThinkingBlock, ToolParam, ToolUseBlock

from tests.fakes.anthropic_upstream import FakeAnthropic, refusing
from tests.fakes.openai_script import Fault

KEY = "sk-ant-api03-fake"
MODEL = "claude-haiku-4-5"
HELLO: MessageParam = {
    "role": "user",
    "content": [{"type": "text", "text": "Reply with exactly: Hello, you"}],
}
WEATHER: ToolParam = {
    "name": "get_weather",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}
NOW: ToolParam = {"name": "now", "input_schema": {"type": "object", "properties": {}}}


@pytest.fixture
async def fake() -> AsyncIterator[FakeAnthropic]:
    async with FakeAnthropic(key=KEY) as running:
        yield running


@pytest.fixture
async def client(fake: FakeAnthropic) -> AsyncIterator[AsyncAnthropic]:
    async with AsyncAnthropic(base_url=fake.host, api_key=KEY, max_retries=0) as sdk:
        yield sdk


async def test_a_message(client: AsyncAnthropic) -> None:
    message = await client.messages.create(model=MODEL, max_tokens=100, messages=[HELLO])
    assert isinstance(message.content[0], TextBlock)
    assert (message.content[0].text, message.stop_reason) == ("Hello, you", "end_turn")
    assert message.usage.output_tokens == 2


async def test_a_stream_with_thinking(client: AsyncAnthropic) -> None:
    async with client.messages.stream(
        model=MODEL, max_tokens=3000, messages=[HELLO], thinking={"type": "enabled", "budget_tokens": 1024}
    ) as stream:
        text = "".join([piece async for piece in stream.text_stream])
        message = await stream.get_final_message()
    thought, _ = message.content
    assert text == "Hello, you"
    assert isinstance(thought, ThinkingBlock)
    assert (thought.thinking, bool(thought.signature)) == ("Let me see.", True)
    assert message.usage.output_tokens == 5


async def test_tools_in_a_stream(client: AsyncAnthropic) -> None:
    asked: MessageParam = {"role": "user", "content": [{"type": "text", "text": "get_weather and now"}]}
    async with client.messages.stream(
        model=MODEL, max_tokens=100, messages=[asked], tools=[WEATHER, NOW]
    ) as stream:
        message = await stream.get_final_message()
    calls = [block for block in message.content if isinstance(block, ToolUseBlock)]
    assert [(call.name, call.input) for call in calls] == [("get_weather", {"city": "Paris"}), ("now", {})]
    assert message.stop_reason == "tool_use"


async def test_errors(fake: FakeAnthropic, client: AsyncAnthropic) -> None:
    with pytest.raises(NotFoundError, match="model: claude-9"):
        await client.messages.create(model="claude-9", max_tokens=1, messages=[HELLO])
    with pytest.raises(BadRequestError, match="first message"):
        await client.messages.create(
            model=MODEL,
            max_tokens=1,
            messages=[{"role": "assistant", "content": [{"type": "text", "text": "Hi"}]}],
        )
    with pytest.raises(AuthenticationError):
        await client.with_options(api_key="sk-ant-wrong").models.list()
    fake.script(refusing(529, "overloaded_error", "Overloaded"), times=1)
    with pytest.raises(APIStatusError, match="Overloaded") as caught:
        await client.messages.create(model=MODEL, max_tokens=1, messages=[HELLO])
    assert caught.value.status_code == 529
    fake.script(Fault(error_after=3), times=1)
    with pytest.raises(APIStatusError, match="Overloaded"):
        async with client.messages.stream(model=MODEL, max_tokens=9, messages=[HELLO]) as stream:
            await stream.get_final_message()


async def test_its_list_of_models(client: AsyncAnthropic) -> None:
    assert MODEL in {model.id async for model in client.models.list()}
