"""The Python SDK, as people use it: every call through a real socket."""

from __future__ import annotations

import json

import openai
import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionToolParam
from pydantic import BaseModel

from tests.contract.setting import BREAKING, CHAT, FAULTS, RECOVERING, TEXT, Setting

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Place(BaseModel):
    """What a structured answer is parsed into."""

    name: str
    inhabitants: int


def tool(name: str) -> ChatCompletionToolParam:
    """A function tool with one argument."""
    parameters: dict[str, object] = {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    }
    return {"type": "function", "function": {"name": name, "description": name, "parameters": parameters}}


async def test_models(client: AsyncOpenAI) -> None:
    listed = [model async for model in client.models.list()]
    assert CHAT in [model.id for model in listed]
    assert {type(model.created) for model in listed} == {int}
    assert all(model.owned_by for model in listed)


async def test_one_model_whose_id_has_slashes(client: AsyncOpenAI) -> None:
    model = await client.models.retrieve(CHAT)
    assert "/" in CHAT
    assert model.id == CHAT


async def test_chat(client: AsyncOpenAI) -> None:
    reply = await client.chat.completions.create(
        model=CHAT, messages=[{"role": "user", "content": "Reply with exactly: HELLO"}]
    )
    assert reply.choices[0].message.content == "HELLO"
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens
    assert reply._request_id


async def test_chat_raw_headers(client: AsyncOpenAI) -> None:
    raw = await client.chat.completions.with_raw_response.create(
        model=CHAT, messages=[{"role": "user", "content": "Reply with exactly: HELLO"}]
    )
    assert raw.headers["x-writingmate-counted-messages"] == "1"
    assert raw.headers["x-request-id"] == raw.parse()._request_id
    assert int(raw.headers["openai-processing-ms"]) >= 0


async def test_chat_stream(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model=CHAT, messages=[{"role": "user", "content": "Reply with exactly: one two three"}], stream=True
    )
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "one two three"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason] == ["stop"]
    assert not any(chunk.usage for chunk in chunks), "usage that nobody asked for"


async def test_chat_stream_with_usage(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model=CHAT,
        messages=[{"role": "user", "content": "Reply with exactly: one two three"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]
    assert chunks[-1].choices == []
    assert chunks[-1].usage
    assert chunks[-1].usage.completion_tokens == 3


async def test_chat_stream_helper(client: AsyncOpenAI) -> None:
    async with client.chat.completions.stream(
        model=CHAT, messages=[{"role": "user", "content": "Reply with exactly: folded up"}]
    ) as stream:
        final = await stream.get_final_completion()
    assert final.choices[0].message.content == "folded up"


async def test_a_stream_left_early_leaves_the_client_usable(client: AsyncOpenAI) -> None:
    messages = "Reply with exactly: " + "word " * 200
    stream = await client.chat.completions.create(
        model=CHAT, messages=[{"role": "user", "content": messages}], stream=True
    )
    async for _ in stream:
        break
    await stream.close()
    await test_chat(client)


async def test_parallel_tools(client: AsyncOpenAI) -> None:
    reply = await client.chat.completions.create(
        model=CHAT,
        messages=[{"role": "user", "content": "weather and population of Paris"}],
        tools=[tool("weather"), tool("population")],
    )
    message = reply.choices[0].message
    assert reply.choices[0].finish_reason == "tool_calls"
    assert message.content is None
    assert message.tool_calls
    calls = [call.function for call in message.tool_calls if call.type == "function"]
    assert [call.name for call in calls] == ["weather", "population"]
    assert json.loads(calls[0].arguments) == {"city": "Paris"}


async def test_one_tool_at_a_time(client: AsyncOpenAI) -> None:
    reply = await client.chat.completions.create(
        model=CHAT,
        messages=[{"role": "user", "content": "weather and population of Paris"}],
        tools=[tool("weather"), tool("population")],
        parallel_tool_calls=False,
        tool_choice="required",
    )
    assert len(reply.choices[0].message.tool_calls or []) == 1


async def test_tools_streamed(client: AsyncOpenAI) -> None:
    async with client.chat.completions.stream(
        model=CHAT,
        messages=[{"role": "user", "content": "weather and population of Paris"}],
        tools=[tool("weather"), tool("population")],
    ) as stream:
        final = await stream.get_final_completion()
    calls = final.choices[0].message.tool_calls or []
    assert [call.function.name for call in calls] == ["weather", "population"]


async def test_the_turn_after_a_tool(client: AsyncOpenAI) -> None:
    reply = await client.chat.completions.create(
        model=CHAT,
        messages=[
            {"role": "user", "content": "Reply with exactly: sunny"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
        ],
        tools=[tool("weather")],
    )
    assert reply.choices[0].message.content == "sunny"


async def test_structured_output(client: AsyncOpenAI) -> None:
    reply = await client.chat.completions.parse(
        model=CHAT, messages=[{"role": "user", "content": "Where?"}], response_format=Place
    )
    assert reply.choices[0].message.parsed == Place(name="Paris", inhabitants=7)


async def test_structured_output_streamed(client: AsyncOpenAI) -> None:
    async with client.chat.completions.stream(
        model=CHAT, messages=[{"role": "user", "content": "Where?"}], response_format=Place
    ) as stream:
        final = await stream.get_final_completion()
    assert final.choices[0].message.parsed == Place(name="Paris", inhabitants=7)


async def test_several_choices_and_logprobs(client: AsyncOpenAI) -> None:
    reply = await client.chat.completions.create(
        model=CHAT, messages=[{"role": "user", "content": "Reply with exactly: x"}], n=2, logprobs=True
    )
    assert [choice.index for choice in reply.choices] == [0, 1]
    assert reply.choices[1].logprobs


async def test_completions(client: AsyncOpenAI) -> None:
    reply = await client.completions.create(model=TEXT, prompt="Reply with exactly: HELLO")
    assert reply.object == "text_completion"
    assert reply.choices[0].text == "HELLO"
    assert reply.usage


async def test_completions_of_several_prompts(client: AsyncOpenAI) -> None:
    prompts = ["Reply with exactly: a", "Reply with exactly: b"]
    reply = await client.completions.create(model=TEXT, prompt=prompts)
    assert [(choice.index, choice.text) for choice in reply.choices] == [(0, "a"), (1, "b")]


async def test_completions_streamed(client: AsyncOpenAI) -> None:
    stream = await client.completions.create(model=TEXT, prompt="Reply with exactly: a b c", stream=True)
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].text for chunk in chunks) == "a b c"
    assert chunks[-1].choices[0].finish_reason == "stop"


async def test_no_such_key(setting: Setting) -> None:
    async with AsyncOpenAI(base_url=setting.base_url, api_key="wm_v2.a.b.c", max_retries=0) as client:
        with pytest.raises(openai.AuthenticationError) as caught:
            await client.models.list()
    assert caught.value.code == "invalid_api_key"
    assert caught.value.request_id


async def test_somebody_elses_workspace(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.PermissionDeniedError) as caught:
        await client.chat.completions.create(
            model=CHAT,
            messages=[{"role": "user", "content": "hello"}],
            extra_headers={"x-writingmate-workspace": "ws_of_somebody_else"},
        )
    assert caught.value.code == "workspace_not_accessible"


async def test_no_such_model(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        await client.chat.completions.create(
            model="nobody/nothing", messages=[{"role": "user", "content": "hello"}]
        )
    assert caught.value.code == "model_not_found"
    with pytest.raises(openai.NotFoundError) as caught:
        await client.models.retrieve("nobody/nothing")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


async def test_a_wrong_field(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await client.chat.completions.create(
            model=CHAT,
            messages=[{"role": "user", "content": "hello"}],
            extra_body={"temperature": "warm"},
        )
    assert (caught.value.code, caught.value.param) == ("invalid_type", "temperature")
    assert caught.value.type == "invalid_request_error"


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("streaming", [False, True])
async def test_a_provider_that_fails(client: AsyncOpenAI, name: str, *, streaming: bool) -> None:
    expected = FAULTS[name]
    with pytest.raises(getattr(openai, expected.raises)) as caught:
        await client.chat.completions.create(
            model=expected.model, messages=[{"role": "user", "content": "hello"}], stream=streaming
        )
    error = caught.value
    assert isinstance(error, openai.APIStatusError)
    assert (error.status_code, error.type) == (expected.status, expected.type)
    assert error.request_id


async def test_a_stream_that_breaks_raises(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model=BREAKING,
        messages=[{"role": "user", "content": "Reply with exactly: a b c d"}],
        stream=True,
    )
    with pytest.raises(openai.APIError):
        async for _ in stream:
            pass


async def test_the_sdk_retries_what_may_pass(setting: Setting) -> None:
    """The provider fails all tries of two requests; the SDK's own retries, new requests, get the answer."""
    async with AsyncOpenAI(base_url=setting.base_url, api_key=setting.key, max_retries=2) as client:
        raw = await client.chat.completions.with_raw_response.create(
            model=RECOVERING, messages=[{"role": "user", "content": "Reply with exactly: HELLO"}]
        )
    assert raw.retries_taken == 2
    assert raw.parse().choices[0].message.content == "HELLO"
