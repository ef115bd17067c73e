"""The real SmolLM2 in a real child process: shapes, since what so small a model says is anyone's guess."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest

from tests.local.calling import call, streamed, whole
from writingmate.errors import UpstreamRefused
from writingmate.local.upstream import LocalUpstream

pytestmark = pytest.mark.asyncio(loop_scope="module")

PARIS = [{"role": "user", "content": "What is the capital of France?"}]
ADD = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add two numbers",
        "parameters": {
            "type": "object",
            "properties": {
                "a": {"type": "integer", "minimum": 0, "maximum": 99},
                "b": {"$ref": "#/$defs/Number"},
            },
            "required": ["a", "b"],
            "additionalProperties": False,
            "$defs": {"Number": {"enum": [1, 2, 3]}},
        },
    },
}
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 10}, "large": {"type": "boolean"}},
    "required": ["city", "large"],
    "additionalProperties": False,
}


def error(caught: pytest.ExceptionInfo[UpstreamRefused]) -> dict[str, Any]:
    assert caught.value.status == 400
    said: dict[str, Any] = msgspec.json.decode(caught.value.body)["error"]
    assert said.keys() == {"message", "type", "param", "code"}
    assert said["type"] == "invalid_request_error"
    return said


async def test_with_our_system_message_it_knows_paris(local: LocalUpstream) -> None:
    body = await whole(local, messages=PARIS, max_tokens=20, temperature=0)
    assert "Paris" in body["choices"][0]["message"]["content"]
    assert body["choices"][0]["finish_reason"] == "stop"
    usage = body["usage"]
    assert usage["prompt_tokens"] > 10
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


async def test_a_stream_ends_with_usage(local: LocalUpstream) -> None:
    chunks = await streamed(local, max_tokens=3, stream_options={"include_usage": True})
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert chunks[-2]["choices"][0]["finish_reason"] == "length"
    assert chunks[-1]["usage"]["completion_tokens"] == 3
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks[:-1])


async def test_an_assistants_last_message_is_not_continued(local: LocalUpstream) -> None:
    messages = [*PARIS, {"role": "assistant", "content": "Bananas are"}]
    body = await whole(local, messages=messages)
    assert "Bananas" not in body["choices"][0]["message"]["content"]


async def test_choices_are_as_many_as_asked_for_and_all_are_paid(local: LocalUpstream) -> None:
    body = await whole(local, n=3, temperature=1, seed=5, max_tokens=4)
    assert [choice["index"] for choice in body["choices"]] == [0, 1, 2]
    assert body["usage"]["completion_tokens"] == 12


async def test_a_seed_repeats_itself_and_another_does_not(local: LocalUpstream) -> None:
    async def said(seed: int) -> str:
        body = await whole(local, seed=seed, temperature=1.5, max_tokens=12)
        content: str = body["choices"][0]["message"]["content"]
        return content

    assert await said(1) == await said(1)
    assert len({await said(seed) for seed in (1, 2, 3)}) > 1


async def test_stop_is_not_part_of_the_answer(local: LocalUpstream) -> None:
    chunks = await streamed(local, messages=PARIS, max_tokens=20, temperature=0, stop=[" is Paris"])
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert text.endswith("France")
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


async def test_logprobs(local: LocalUpstream) -> None:
    body = await whole(local, messages=PARIS, max_tokens=3, temperature=0, logprobs=True, top_logprobs=2)
    content = body["choices"][0]["logprobs"]["content"]
    assert len(content) == 3
    assert all(len(token["top_logprobs"]) == 2 and token["logprob"] <= 0 for token in content)
    assert "".join(token["token"] for token in content) == body["choices"][0]["message"]["content"]


async def test_a_bias_keeps_a_token_away(local: LocalUpstream) -> None:
    paris = {"messages": PARIS, "max_tokens": 20, "temperature": 0}
    body = await whole(local, **paris, logit_bias={"7042": -100})  # " Paris"
    assert " Paris" not in body["choices"][0]["message"]["content"]


async def test_a_required_call_is_made(local: LocalUpstream) -> None:
    body = await whole(local, tools=[ADD], tool_choice="required", max_tokens=64)
    choice = body["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    (made,) = choice["message"]["tool_calls"]
    assert made["function"]["name"] == "add"
    arguments = json.loads(made["function"]["arguments"])
    assert 0 <= arguments["a"] <= 99
    assert arguments["b"] in {1, 2, 3}


async def test_a_named_call_is_streamed(local: LocalUpstream) -> None:
    choice = {"type": "function", "function": {"name": "add"}}
    chunks = await streamed(local, tools=[ADD], tool_choice=choice, max_tokens=64)
    calls = [call for chunk in chunks for call in chunk["choices"][0]["delta"].get("tool_calls", [])]
    assert json.loads("".join(call["function"]["arguments"] for call in calls)).keys() == {"a", "b"}
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"


async def test_results_of_tools_are_read(local: LocalUpstream) -> None:
    made = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1, "b": 2}'}}
    messages = [
        {"role": "user", "content": "What is 1 + 2?"},
        {"role": "assistant", "content": None, "tool_calls": [made]},
        {"role": "tool", "tool_call_id": "c1", "content": "3"},
    ]
    body = await whole(local, messages=messages, tools=[ADD])
    assert body["choices"][0]["finish_reason"] in {"stop", "length", "tool_calls"}


async def test_an_answer_fits_its_schema(local: LocalUpstream) -> None:
    described = {"type": "json_schema", "json_schema": {"name": "city", "schema": CITY, "strict": True}}
    body = await whole(local, messages=PARIS, response_format=described, max_tokens=64)
    answer = json.loads(body["choices"][0]["message"]["content"])
    assert answer.keys() == {"city", "large"}
    assert isinstance(answer["large"], bool)


async def test_json_begins_as_an_object(local: LocalUpstream) -> None:
    body = await whole(local, messages=PARIS, response_format={"type": "json_object"}, max_tokens=32)
    assert body["choices"][0]["message"]["content"].startswith("{")


async def test_a_prompt_that_is_too_long_is_refused_in_openais_words(local: LocalUpstream) -> None:
    messages = [{"role": "user", "content": "word " * 5000}]
    for asking in (whole, streamed):
        with pytest.raises(UpstreamRefused) as caught:
            await asking(local, messages=messages)
        said = error(caught)
        assert (said["code"], said["param"]) == ("context_length_exceeded", "messages")
        assert said["message"].startswith("This model's maximum context length is 4096 tokens. However, ")


async def test_a_schema_the_runtime_cannot_read_is_refused(local: LocalUpstream) -> None:
    described = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "zork"}}}
    with pytest.raises(UpstreamRefused) as caught:
        await whole(local, response_format=described)
    said = error(caught)
    assert said["param"] == "response_format"
    assert "zork" in said["message"]


async def test_an_image_is_refused_by_name(local: LocalUpstream) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,"}}
    with pytest.raises(UpstreamRefused) as caught:
        await whole(local, messages=[{"role": "user", "content": [image]}])
    said = error(caught)
    assert (said["code"], said["param"]) == ("unsupported_parameter", "messages[0].content[0].type")


async def test_an_unknown_model_is_not_found(local: LocalUpstream) -> None:
    with pytest.raises(UpstreamRefused) as caught:
        await whole(local, model="none")
    assert caught.value.status == 404


async def test_more_requests_than_slots_are_all_answered(local: LocalUpstream) -> None:
    bodies = await asyncio.gather(*(whole(local, max_tokens=2) for _ in range(6)))
    assert [body["usage"]["completion_tokens"] for body in bodies] == [2] * 6


async def test_leaving_frees_the_slots(local: LocalUpstream) -> None:
    """Four answers of 2,000 tokens would keep the next one waiting for minutes."""

    async def leave_at_once() -> None:
        asked = call(stream=True, max_tokens=2000, logit_bias={"2": -100})  # it would not end by itself
        async with local.open(asked) as reply:
            async for _ in reply.frames():
                return

    await asyncio.gather(*(leave_at_once() for _ in range(4)))
    async with asyncio.timeout(20):
        await whole(local, max_tokens=1)
