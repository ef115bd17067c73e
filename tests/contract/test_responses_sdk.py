"""Responses by the Python SDK, as people use it: every call through a real socket."""

from __future__ import annotations

import json

import openai
import pytest
from openai import AsyncOpenAI
from openai.types.responses import FunctionToolParam, ResponseInputParam

from tests.contract.setting import BREAKING, CHAT, FAULTS, NATIVE, TEXT, Setting
from tests.contract.test_python_sdk import Place

pytestmark = pytest.mark.asyncio(loop_scope="module")


def tool(name: str) -> FunctionToolParam:
    """A function tool with one argument."""
    parameters: dict[str, object] = {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    }
    return {"type": "function", "name": name, "parameters": parameters, "strict": False}


EITHER = pytest.mark.parametrize("model", [CHAT, NATIVE])


@pytest.mark.parametrize("model", [CHAT, TEXT, NATIVE])
async def test_a_response(client: AsyncOpenAI, model: str) -> None:
    raw = await client.responses.with_raw_response.create(model=model, input="Reply with exactly: HELLO")
    assert raw.headers["x-writingmate-counted-messages"] == "1"
    reply = raw.parse()
    assert reply.output_text == "HELLO"
    assert reply.status == "completed"
    assert reply.model == (model if model != NATIVE else "vendor/responder")
    assert reply.id.removeprefix("resp_") == str(reply._request_id).removeprefix("req_")
    assert reply.usage
    assert reply.usage.total_tokens == reply.usage.input_tokens + reply.usage.output_tokens


async def test_instructions_and_parts(client: AsyncOpenAI, setting: Setting) -> None:
    await client.responses.create(
        model=CHAT,
        instructions="Be concise.",
        input=[
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "What is it?"},
                    {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"},
                ],
            }
        ],
    )
    system, user = setting.fake.calls[-1].document["messages"]
    assert system == {"role": "system", "content": "Be concise."}
    assert [part["type"] for part in user["content"]] == ["text", "image_url"]


@EITHER
async def test_a_stream(client: AsyncOpenAI, model: str) -> None:
    stream = await client.responses.create(
        model=model, input="Reply with exactly: one two three", stream=True
    )
    events = [event async for event in stream]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == "one two three"
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.output_text == "one two three"
    assert last.response.usage
    assert last.response.usage.output_tokens == 3


@EITHER
async def test_the_stream_helper(client: AsyncOpenAI, model: str) -> None:
    async with client.responses.stream(model=model, input="Reply with exactly: folded up") as stream:
        final = await stream.get_final_response()
    assert final.output_text == "folded up"


@EITHER
async def test_an_answer_that_is_cut(client: AsyncOpenAI, model: str) -> None:
    cut = f"Reply with exactly: {'one ' * 20}"
    reply = await client.responses.create(model=model, input=cut, max_output_tokens=16)
    assert reply.status == "incomplete"
    assert reply.incomplete_details
    assert reply.incomplete_details.reason == "max_output_tokens"
    stream = await client.responses.create(model=model, input=cut, max_output_tokens=16, stream=True)
    assert [event.type async for event in stream][-1] == "response.incomplete"


@EITHER
async def test_tools_there_and_back_without_state(client: AsyncOpenAI, model: str) -> None:
    conversation: ResponseInputParam = [{"role": "user", "content": "weather and population of Paris"}]
    tools = [tool("weather"), tool("population")]
    first = await client.responses.create(model=model, input=conversation, tools=tools, store=False)
    calls = [item for item in first.output if item.type == "function_call"]
    assert [(call.name, json.loads(call.arguments)) for call in calls] == [
        ("weather", {"city": "Paris"}),
        ("population", {"city": "Paris"}),
    ]
    conversation += [item.to_dict() for item in first.output]  # type: ignore[misc]  # as people send it again
    conversation += [
        {"type": "function_call_output", "call_id": call.call_id, "output": call.name} for call in calls
    ]
    second = await client.responses.create(model=model, input=conversation, tools=tools)
    assert second.output_text == "You said: weather and population of Paris"


@EITHER
async def test_tools_streamed(client: AsyncOpenAI, model: str) -> None:
    async with client.responses.stream(
        model=model, input="weather and population of Paris", tools=[tool("weather"), tool("population")]
    ) as stream:
        final = await stream.get_final_response()
    assert [item.name for item in final.output if item.type == "function_call"] == ["weather", "population"]


@EITHER
async def test_a_custom_tool(client: AsyncOpenAI, model: str) -> None:
    reply = await client.responses.create(
        model=model, input="patch it", tools=[{"type": "custom", "name": "patch"}]
    )
    (call,) = reply.output
    assert call.type == "custom_tool_call"
    assert call.input == "Paris"


@EITHER
async def test_structured_output(client: AsyncOpenAI, model: str) -> None:
    reply = await client.responses.parse(model=model, input="Where?", text_format=Place)
    assert reply.output_parsed == Place(name="Paris", inhabitants=7)


async def test_structured_output_streamed(client: AsyncOpenAI) -> None:
    async with client.responses.stream(model=CHAT, input="Where?", text_format=Place) as stream:
        final = await stream.get_final_response()
    assert final.output_parsed == Place(name="Paris", inhabitants=7)


async def test_arguments_of_a_tool_are_parsed(client: AsyncOpenAI) -> None:
    strict = openai.pydantic_function_tool(Place, name="note")["function"]
    parameters: dict[str, object] = dict(strict["parameters"])
    note: FunctionToolParam = {"type": "function", "name": "note", "parameters": parameters, "strict": True}
    reply = await client.responses.parse(model=CHAT, input="note it", tools=[note])
    (call,) = reply.output
    assert call.type == "function_call"
    assert call.parsed_arguments == {"name": "Paris", "inhabitants": 7}


@EITHER
async def test_tools_there_and_back_with_state(client: AsyncOpenAI, model: str) -> None:
    tools = [tool("weather"), tool("population")]
    first = await client.responses.create(model=model, input="weather and population of Paris", tools=tools)
    second = await client.responses.create(
        model=model,
        input=[
            {"type": "function_call_output", "call_id": item.call_id, "output": item.name}
            for item in first.output
            if item.type == "function_call"
        ],
        previous_response_id=first.id,
        tools=tools,
    )
    assert second.output_text == "You said: weather and population of Paris"
    assert second.previous_response_id == first.id


async def test_what_is_not_kept_cannot_be_gone_on_from(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await client.responses.create(model=CHAT, input="hello", previous_response_id="resp_1")
    assert (caught.value.code, caught.value.param) == ("previous_response_not_found", "previous_response_id")


async def test_no_such_model(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        await client.responses.create(model="nobody/nothing", input="hello")
    assert caught.value.code == "model_not_found"


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("streaming", [False, True])
async def test_a_provider_that_fails(client: AsyncOpenAI, name: str, *, streaming: bool) -> None:
    expected = FAULTS[name]
    with pytest.raises(getattr(openai, expected.raises)) as caught:
        await client.responses.create(model=expected.model, input="hello", stream=streaming)
    error = caught.value
    assert isinstance(error, openai.APIStatusError)
    assert (error.status_code, error.type) == (expected.status, expected.type)


async def test_a_stream_that_breaks_raises(client: AsyncOpenAI) -> None:
    stream = await client.responses.create(model=BREAKING, input="Reply with exactly: a b c d", stream=True)
    with pytest.raises(openai.APIError):
        async for _ in stream:
            pass


@EITHER
async def test_an_estimate_takes_the_same_body(client: AsyncOpenAI, model: str) -> None:
    body = {"model": model, "input": "hello", "max_output_tokens": 5}
    estimate = await client.post("/estimate/responses", body=body, cast_to=dict[str, object])
    assert estimate["endpoint"] == "responses"
    assert estimate["completion_tokens"] == 5
    assert estimate["admitted"] is True
