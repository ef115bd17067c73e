"""From the child's frames, as recorded, to OpenAI's."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.local.wheels import model
from writingmate.errors import UpstreamBroken
from writingmate.local.reading import Reading
from writingmate.local.replies import Stream, Whole
from writingmate.local.requests import prepared
from writingmate.wire import sse

MODEL = model(b"x")
TOOL = {"type": "function", "function": {"name": "add"}}
LOGPROB = {"id": 504, "token": "The", "bytes": [84, 104, 101], "logprob": -1.5}
USAGE = {
    "completion_tokens": 6,
    "prompt_tokens": 27,
    "total_tokens": 33,
    "prompt_tokens_details": {"cached_tokens": 26},
}


def chunk(*choices: dict[str, Any], **members: Any) -> bytes:
    said = {
        "choices": choices,
        "created": 1,
        "id": "chatcmpl-4RPr",
        "model": "x",
        "object": "chat.completion.chunk",
    }
    return sse.event(msgspec.json.encode({**said, **members}))


def began(index: int = 0) -> bytes:
    return chunk({"finish_reason": None, "index": index, "delta": {"role": "assistant", "content": None}})


def text(words: str, index: int = 0, **members: Any) -> bytes:
    return chunk({"finish_reason": None, "index": index, "delta": {"content": words}, **members})


def over(reason: str = "stop", index: int = 0) -> bytes:
    return chunk({"finish_reason": reason, "index": index, "delta": {}})


def used() -> bytes:
    return chunk(usage=USAGE, timings={"cache_n": 26})


def streamed(*frames: bytes, **fields: Any) -> list[dict[str, Any]]:
    """What a client gets, without the end, which is checked here."""
    asked = {"messages": [{"role": "user", "content": "hi"}], "stream": True, **fields}
    request = prepared(asked, MODEL)
    reading, stream = Reading(request), Stream(MODEL, request)
    events = [event for frame in frames for delta in reading.read([frame]) for event in stream.frames(delta)]
    reading.end()
    events += stream.closing(reading.usage)
    assert events.pop() == sse.DONE
    return [msgspec.json.decode(sse.data(event)) for event in events]


def whole(*frames: bytes, **fields: Any) -> dict[str, Any]:
    request = prepared({"messages": [{"role": "user", "content": "hi"}], **fields}, MODEL)
    reading, reply = Reading(request), Whole(MODEL, request)
    for delta in reading.read(frames):
        reply.take(delta)
    reading.end()
    body: dict[str, Any] = msgspec.json.decode(reply.body(reading.usage))
    return body


def choices(chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [choice for each in chunks for choice in each["choices"]]


def test_a_whole_answer() -> None:
    body = whole(began(), text("Hel"), text("lo"), over(), used(), sse.DONE)
    assert body.pop("id").startswith("chatcmpl-")
    assert body.pop("created") > 0
    assert body == {
        "object": "chat.completion",
        "model": "local/tiny",
        "service_tier": "default",
        "system_fingerprint": f"fp_{MODEL.sha256[:12]}",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello", "refusal": None, "annotations": []},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 27,
            "completion_tokens": 6,
            "total_tokens": 33,
            "prompt_tokens_details": {"cached_tokens": 26, "audio_tokens": 0},
            "completion_tokens_details": {
                "reasoning_tokens": 0,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        },
    }


def test_a_stream() -> None:
    chunks = streamed(began(), text("Hel"), text("lo"), over("length"), used(), sse.DONE)
    assert [choice["delta"] for choice in choices(chunks)] == [
        {"role": "assistant", "content": "", "refusal": None},
        {"content": "Hel"},
        {"content": "lo"},
        {},
    ]
    assert [choice["finish_reason"] for choice in choices(chunks)] == [None, None, None, "length"]
    assert {(each["id"], each["created"], each["model"]) for each in chunks} == {
        (chunks[0]["id"], chunks[0]["created"], "local/tiny")
    }
    assert all("usage" not in each and "timings" not in each for each in chunks)


def test_usage_comes_last_if_it_was_asked_for() -> None:
    chunks = streamed(began(), text("x"), over(), used(), stream_options={"include_usage": True})
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["total_tokens"] == 33
    assert [each["usage"] for each in chunks[:-1]] == [None] * 3


def test_usage_of_several_choices_is_added_up() -> None:
    """The child reports each choice by itself, and in a plain reply only one of them."""
    frames = [began(1), text("b", 1), began(0), text("a"), over("stop", 1), used(), over("length", 0), used()]
    body = whole(*frames, n=2)
    assert [choice["message"]["content"] for choice in body["choices"]] == ["a", "b"]
    assert [choice["finish_reason"] for choice in body["choices"]] == ["length", "stop"]
    assert (body["usage"]["prompt_tokens"], body["usage"]["completion_tokens"]) == (27, 12)


@pytest.mark.parametrize(("top", "shown"), [(None, 0), (0, 0), (1, 1)])
def test_logprobs_have_openais_keys(top: int | None, shown: int) -> None:
    frame = text("The", logprobs={"content": [{**LOGPROB, "top_logprobs": [LOGPROB, LOGPROB]}]})
    clean = {"token": "The", "bytes": [84, 104, 101], "logprob": -1.5}
    expected = {"content": [{**clean, "top_logprobs": [clean] * shown}], "refusal": None}
    assert whole(frame, over(), logprobs=True, top_logprobs=top)["choices"][0]["logprobs"] == expected
    chunks = choices(streamed(began(), frame, over(), logprobs=True, top_logprobs=top))
    assert [choice["logprobs"] for choice in chunks] == [None, expected, None]


def test_a_call_in_a_whole_answer() -> None:
    frames = [began(), text('```json\n{"name": "add", '), text('"arguments": {"a": 1}}\n```'), over(), used()]
    choice = whole(*frames, tools=[TOOL])["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    call = choice["message"]["tool_calls"][0]
    assert call.pop("id").startswith("call_")
    assert call == {"type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}


def test_a_call_in_a_stream() -> None:
    frames = [began(), text('{"name": "add", "arguments": {"a": 1}}'), over(), used()]
    chunks = choices(streamed(*frames, tools=[TOOL], tool_choice="required"))
    assert chunks[0]["delta"] == {"role": "assistant", "content": None, "refusal": None}
    first, second = (chunk["delta"]["tool_calls"][0] for chunk in chunks[1:3])
    assert first.pop("id").startswith("call_")
    assert first == {"index": 0, "type": "function", "function": {"name": "add", "arguments": ""}}
    assert second == {"index": 0, "function": {"arguments": '{"a": 1}'}}
    assert (chunks[3]["delta"], chunks[3]["finish_reason"]) == ({}, "tool_calls")


@pytest.mark.parametrize(("parallel", "count"), [(None, 2), (True, 2), (False, 1)])
def test_parallel_calls(parallel: object, count: int) -> None:
    call = '{{"name": "add", "arguments": {{"a": {}}}}}\n'
    frames = [began(), text(call.format(1) + call.format(2)), over()]
    choice = whole(*frames, tools=[TOOL], parallel_tool_calls=parallel)["choices"][0]
    assert len(choice["message"]["tool_calls"]) == count
    chunks = choices(streamed(*frames, tools=[TOOL], parallel_tool_calls=parallel))
    assert {call["index"] for chunk in chunks for call in chunk["delta"].get("tool_calls", [])} == set(
        range(count)
    )


def test_text_with_tools_is_streamed_at_once() -> None:
    chunks = choices(streamed(began(), text("Hel"), text("lo"), over(), tools=[TOOL]))
    assert [chunk["delta"].get("content") for chunk in chunks] == ["", "Hel", "lo", None]


def test_what_turns_out_to_be_no_call_is_said() -> None:
    frames = [began(), text('{"name"'), text(': "else"}'), over()]
    assert whole(*frames, tools=[TOOL])["choices"][0]["message"]["content"] == '{"name": "else"}'
    chunks = choices(streamed(*frames, tools=[TOOL]))
    assert [chunk["delta"].get("content") for chunk in chunks] == ["", '{"name": "else"}', None]


def test_an_empty_answer_still_begins() -> None:
    chunks = choices(streamed(began(), over(), tools=[TOOL]))
    assert [chunk["delta"] for chunk in chunks] == [{"role": "assistant", "content": "", "refusal": None}, {}]
    assert whole(began(), over())["choices"][0]["message"]["content"] == ""


@pytest.mark.parametrize(
    "frame",
    [
        b"data: nonsense\n\n",
        b"data: []\n\n",
        b"data: {}\n\n",
        b'data: {"choices": [{"index": 7, "delta": {}}]}\n\n',
        b'data: {"error": {"code": 500, "message": "secret prompt", "type": "server_error"}}\n\n',
    ],
)
def test_what_is_no_chunk_breaks_the_answer(frame: bytes) -> None:
    with pytest.raises(UpstreamBroken) as caught:
        whole(frame)
    assert "secret" not in caught.value.detail


def test_an_answer_that_stops_is_broken() -> None:
    with pytest.raises(UpstreamBroken, match="in the middle"):
        whole(began(), text("x"), sse.DONE)
