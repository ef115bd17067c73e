"""The fake is held to the SDK's own strict types, so that what is tested against it means something."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Literal

import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from tests.fakes.openai_upstream import HTML_502, FakeOpenAI, Fault, Wish

HELLO: Any = [{"role": "user", "content": "Reply with exactly: hello there world"}]
TOOL: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        },
    },
}


@pytest.fixture
async def fake() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI(key="sk-fake") as server:
        yield server


@pytest.fixture
async def sdk(fake: FakeOpenAI) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        api_key="sk-fake", base_url=fake.base_url, max_retries=0, _strict_response_validation=True
    ) as client:
        yield client


async def test_models(sdk: openai.AsyncOpenAI) -> None:
    page = await sdk.models.list()
    assert [model.id for model in page.data] == ["gpt-4.1", "gpt-4.1-mini", "gpt-3.5-turbo-instruct"]
    assert (await sdk.models.retrieve("gpt-4.1")).owned_by == "openai"
    with pytest.raises(openai.NotFoundError):
        await sdk.models.retrieve("nobody/knows")


async def test_whole_chat(sdk: openai.AsyncOpenAI, fake: FakeOpenAI) -> None:
    reply = await sdk.chat.completions.create(model="gpt-4.1", messages=HELLO, n=2, logprobs=True)
    assert [choice.message.content for choice in reply.choices] == ["hello there world"] * 2
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (9, 6)
    assert reply.choices[0].logprobs is not None
    [call] = fake.calls
    assert (call.usage, call.finished, call.hung_up) == (reply.usage.to_dict(), True, False)
    assert reply._request_id == call.request_id


async def test_max_tokens_cut_the_answer(sdk: openai.AsyncOpenAI) -> None:
    reply = await sdk.chat.completions.create(model="gpt-4.1", messages=HELLO, max_tokens=2)
    assert (reply.choices[0].message.content, reply.choices[0].finish_reason) == ("hello there ", "length")


async def _chunks(sdk: openai.AsyncOpenAI, **request: Any) -> list[ChatCompletionChunk]:
    stream = await sdk.chat.completions.create(model="gpt-4.1", stream=True, **request)
    return [chunk async for chunk in stream]


@pytest.mark.parametrize("framing", ["chunked", "close"])
async def test_streamed_chat(
    sdk: openai.AsyncOpenAI, fake: FakeOpenAI, framing: Literal["chunked", "close"]
) -> None:
    fake.script(Fault(framing=framing))
    chunks = await _chunks(sdk, messages=HELLO)
    assert [chunk.choices[0].delta.content for chunk in chunks] == ["", "hello ", "there ", "world", None]
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * 4 + ["stop"]
    assert "usage" not in chunks[0].to_dict()
    assert (fake.calls[0].produced, fake.calls[0].produced_tokens) == ("hello there world", 3)


async def test_streamed_chat_with_usage(sdk: openai.AsyncOpenAI, fake: FakeOpenAI) -> None:
    chunks = await _chunks(sdk, messages=HELLO, n=2, stream_options={"include_usage": True})
    assert chunks[0].to_dict()["usage"] is None
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.to_dict() == fake.calls[0].usage
    assert {chunk.choices[0].index for chunk in chunks[:-1]} == {0, 1}


async def test_reasoning_comes_before_content(sdk: openai.AsyncOpenAI, fake: FakeOpenAI) -> None:
    fake.script(Fault(wish=Wish(text="4", reasoning="two and two")))
    chunks = await _chunks(sdk, messages=HELLO, stream_options={"include_usage": True})
    assert chunks[1].choices[0].delta.to_dict() == {"reasoning_content": "two "}
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 4


async def test_tools_are_called_until_answered(sdk: openai.AsyncOpenAI) -> None:
    reply = await sdk.chat.completions.create(model="gpt-4.1", messages=HELLO, tools=[TOOL])
    [choice] = reply.choices
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
    assert choice.message.tool_calls is not None
    [call] = choice.message.tool_calls
    assert call.type == "function"
    assert call.function.arguments == '{"city": "Paris", "days": 7}'
    answered = [*HELLO, choice.message.to_dict(), {"role": "tool", "tool_call_id": call.id, "content": "x"}]
    reply = await sdk.chat.completions.create(model="gpt-4.1", messages=answered, tools=[TOOL])
    assert reply.choices[0].finish_reason == "stop"
    reply = await sdk.chat.completions.create(
        model="gpt-4.1", messages=HELLO, tools=[TOOL], tool_choice="none"
    )
    assert reply.choices[0].message.tool_calls is None


async def test_tools_are_called_as_scripted(sdk: openai.AsyncOpenAI, fake: FakeOpenAI) -> None:
    fake.script(Fault(wish=Wish(calls={"get_weather": {"city": "Oslo"}})), times=1)
    fake.script(Fault(wish=Wish(text="No need.", calls={})))
    replies = [
        await sdk.chat.completions.create(model="gpt-4.1", messages=HELLO, tools=[TOOL]) for _ in range(2)
    ]
    [call] = replies[0].choices[0].message.tool_calls or []
    assert call.type == "function"
    assert (call.function.name, call.function.arguments) == ("get_weather", '{"city": "Oslo"}')
    assert (replies[1].choices[0].message.tool_calls, replies[1].choices[0].message.content) == (
        None,
        "No need.",
    )


async def test_streamed_tool_call(sdk: openai.AsyncOpenAI) -> None:
    async with sdk.chat.completions.stream(model="gpt-4.1", messages=HELLO, tools=[TOOL]) as stream:
        final = await stream.get_final_completion()
    assert final.choices[0].message.tool_calls is not None
    [call] = final.choices[0].message.tool_calls
    assert (call.id, call.function.name) == ("call_0_get_weather", "get_weather")
    assert call.function.arguments == '{"city": "Paris", "days": 7}'


async def test_json_schema(sdk: openai.AsyncOpenAI) -> None:
    schema: Any = {"type": "object", "properties": {"ok": {"type": "boolean"}, "of": {"enum": ["a", "b"]}}}
    reply = await sdk.chat.completions.create(
        model="gpt-4.1",
        messages=HELLO,
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
    )
    assert reply.choices[0].message.content == '{"ok": true, "of": "a"}'


async def test_completions(sdk: openai.AsyncOpenAI) -> None:
    prompts = ["Reply with exactly: a b", "Reply with exactly: c"]
    reply = await sdk.completions.create(model="gpt-3.5-turbo-instruct", prompt=prompts, n=2, echo=True)
    assert [choice.text for choice in reply.choices] == [
        "Reply with exactly: a ba b",
        "Reply with exactly: a ba b",
        "Reply with exactly: cc",
        "Reply with exactly: cc",
    ]
    # The SDK's strict type forbids the null finish_reason that OpenAI itself streams here.
    lenient = sdk.with_options(_extra_kwargs={"_strict_response_validation": False})
    stream = await lenient.completions.create(model="x", prompt=prompts, stream=True)
    events = [chunk.choices[0] async for chunk in stream]
    assert [(event.index, event.text, event.finish_reason) for event in events] == [
        (0, "a ", None),
        (0, "b", "stop"),
        (1, "c", "stop"),
    ]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(status=400), openai.BadRequestError),
        (Fault(status=401), openai.AuthenticationError),
        (Fault(status=429, headers={"retry-after": "7"}), openai.RateLimitError),
        (Fault(status=500), openai.InternalServerError),
        (HTML_502, openai.InternalServerError),
        (Fault(cut=0), openai.APIConnectionError),
        (Fault(cut=100), openai.APIConnectionError),
        (Fault(cut=100, reset=True), openai.APIConnectionError),
        (Fault(malformed=True), ValueError),
    ],
)
async def test_faults(
    sdk: openai.AsyncOpenAI, fake: FakeOpenAI, fault: Fault, error: type[Exception]
) -> None:
    fake.script(fault, model="bad", times=1)
    with pytest.raises(error):
        await sdk.chat.completions.create(model="bad", messages=HELLO)
    assert (await sdk.chat.completions.create(model="bad", messages=HELLO)).usage is not None


async def test_wrong_requests(sdk: openai.AsyncOpenAI, fake: FakeOpenAI) -> None:
    with pytest.raises(openai.AuthenticationError, match="Incorrect API key"):
        await sdk.with_options(api_key="sk-other").models.list()
    with pytest.raises(openai.BadRequestError, match="Missing required parameter: 'messages'"):
        await sdk.post("/chat/completions", body={"model": "x"}, cast_to=object)
    with pytest.raises(openai.NotFoundError):
        await sdk.post("/nowhere", body={}, cast_to=object)
    assert [call.status for call in fake.calls] == [401, 400, 404]


async def test_dropped_connections(sdk: openai.AsyncOpenAI, fake: FakeOpenAI) -> None:
    fake.drop(1)
    with pytest.raises(openai.APIConnectionError):
        await sdk.models.list()
    await sdk.models.list()
    assert fake.connections == 2


async def test_stream_faults(sdk: openai.AsyncOpenAI, fake: FakeOpenAI) -> None:
    fake.script(Fault(error_after=2), model="gpt-4.1", times=1)
    with pytest.raises(openai.APIError, match="The server had an error"):
        await _chunks(sdk, messages=HELLO)
    fake.script(Fault(done=False, usage=False, pace=0.001, comment=": PROCESSING\n\n"))
    chunks = await _chunks(sdk, messages=HELLO, stream_options={"include_usage": True})
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert fake.calls[-1].usage is None


async def test_silent_and_stalled_answers_wait_for_release(sdk: openai.AsyncOpenAI, fake: FakeOpenAI) -> None:
    fake.script(Fault(silent=True), times=1)
    fake.script(Fault(stall=2), times=1)
    silent = asyncio.create_task(_chunks(sdk, messages=HELLO))
    call = await fake.called(1)
    stream = await sdk.chat.completions.create(model="gpt-4.1", stream=True, messages=HELLO)
    assert (await anext(stream)).choices[0].delta.content == ""
    assert (await anext(stream)).choices[0].delta.content == "hello "
    assert (call.sent, call.over.is_set(), fake.calls[1].produced) == (0, False, "hello ")
    fake.release()
    assert len(await silent) == 5
    assert len([chunk async for chunk in stream]) == 3


async def test_a_client_that_leaves_is_recorded(sdk: openai.AsyncOpenAI, fake: FakeOpenAI) -> None:
    fake.script(Fault(stall=2))
    stream = await sdk.chat.completions.create(model="gpt-4.1", stream=True, messages=HELLO)
    await anext(stream)
    await stream.close()
    call = await fake.called(1)
    await call.over.wait()
    assert (call.hung_up, call.finished, call.produced_tokens) == (True, False, 1)
