"""Messages where the provider speaks them: what is changed of a request, and what is seen of an answer."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from writingmate.dialects import anthropic, anthropic_errors, anthropic_thoughts
from writingmate.dialects.exchange import Exchange, readable
from writingmate.errors import (
    ApiError,
    BadGateway,
    Conflict,
    GatewayTimeout,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    ServerError,
    Unavailable,
    UnsupportedParameter,
    UpstreamBroken,
)
from writingmate.types import Usage
from writingmate.wire import document, sse

HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
GIVEN = {"model": "a/b", "max_tokens": 9000, "messages": HELLO}


def begun(fields: dict[str, Any], max_tokens: int | None = None) -> Exchange:
    request = document.parse(msgspec.json.encode({**GIVEN, **fields}))
    anthropic.GRAMMAR.check(request)
    return Exchange.begin(
        "messages",
        request,
        ["messages"],
        model="claude-opus-5",
        slug="a/b",
        request_id="req_1",
        max_tokens=max_tokens,
    )


def sent(fields: dict[str, Any], max_tokens: int | None = None) -> dict[str, Any]:
    made: dict[str, Any] = msgspec.json.decode(begun(fields, max_tokens).legs[0].body)
    return made


def thinks(budget: int) -> dict[str, Any]:
    return {"thinking": {"type": "enabled", "budget_tokens": budget, "display": "omitted"}}


@pytest.mark.parametrize(
    ("fields", "most", "expected"),
    [
        ({}, 5000, {"max_tokens": 5000}),
        ({}, 9001, {"max_tokens": 9000}),
        (thinks(2000), 5000, {"max_tokens": 5000, **thinks(2000)}),
        (thinks(8000), 5000, {"max_tokens": 5000, **thinks(4999)}),
        (thinks(5000), 5000, {"max_tokens": 5000, **thinks(4999)}),
        (thinks(8000), 1025, {"max_tokens": 1025, **thinks(1024)}),
        (thinks(20_000), 5000, {"max_tokens": 5000, **thinks(20_000)}),
        ({"thinking": {"type": "adaptive"}}, 10, {"max_tokens": 10, "thinking": {"type": "adaptive"}}),
    ],
)
def test_a_lower_limit_keeps_a_budget_below_it(
    fields: dict[str, Any], most: int, expected: dict[str, Any]
) -> None:
    assert sent(fields, most) == {**GIVEN, "model": "claude-opus-5", **fields, **expected}
    assert begun(fields, most).max_tokens == most


def test_a_limit_without_room_for_the_least_budget_is_refused() -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        begun(thinks(8000), 1024)
    assert caught.value.param == "thinking.budget_tokens"
    assert "1024" in caught.value.message


@pytest.mark.parametrize("name", ["workspace_id", "user_profile_id"])
def test_what_names_something_of_the_operators_account_is_refused(name: str) -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        begun({name: "x"})
    assert caught.value.param == name
    assert sent({name: None})[name] is None


def test_thinking_of_other_models_is_left_out() -> None:
    ours = anthropic_thoughts.sealed("gpt-5", content=True, details=[], text="Hm.")
    theirs = {"type": "thinking", "thinking": "Hm.", "signature": "EqQB"}
    word = {"type": "text", "text": "x"}
    mine = {"type": "thinking", "thinking": "Hm.", "signature": ours}
    hidden = {"type": "redacted_thinking", "data": ours}
    turns = [*HELLO, {"role": "assistant", "content": [theirs, mine, hidden, word]}, *HELLO]
    assert sent({"messages": turns})["messages"][1]["content"] == [theirs, word]
    only = [*HELLO, {"role": "assistant", "content": [mine]}, *HELLO]
    assert sent({"messages": only})["messages"] == only


START: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {
        "input_tokens": 5,
        "cache_creation_input_tokens": 20,
        "cache_read_input_tokens": 100,
        "output_tokens": 3,
    },
}
ADVISOR = {"type": "advisor_message", "input_tokens": 100, "output_tokens": 10, "cache_read_input_tokens": 1}
EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": START},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 12},
    },
    {"type": "message_stop"},
]


def framed(events: list[dict[str, Any]], *, named: bool = True) -> list[bytes]:
    return [sse.event(msgspec.json.encode(each), each["type"].encode() if named else None) for each in events]


@pytest.mark.parametrize("named", [True, False])
def test_usage_begins_with_the_prompt_and_ends_with_the_rest(*, named: bool) -> None:
    exchange = begun({"stream": True})
    frames = framed(EVENTS, named=named)
    assert exchange.feed(exchange.legs[0], frames[:4]) == b"".join(frames[:4])
    assert (exchange.usage, exchange.begun) == (None, Usage(125, 3, 100, 0, 20))
    with pytest.raises(UpstreamBroken):
        exchange.end(exchange.legs[0])
    assert exchange.feed(exchange.legs[0], frames[4:]) == b"".join(frames[4:-1])
    assert exchange.usage == Usage(125, 12, 100, 0, 20)
    assert exchange.end(exchange.legs[0]) == b""
    assert exchange.closing() == frames[-1]
    assert exchange.observed_text() == "Hello"


def test_a_stream_that_ends_without_its_last_event_gets_one() -> None:
    exchange = begun({"stream": True})
    exchange.feed(exchange.legs[0], framed(EVENTS[:-1]))
    assert exchange.end(exchange.legs[0]) == b""
    assert exchange.closing() == b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


@pytest.mark.parametrize(
    "frame",
    [
        b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"x"}}\n\n',
        b'data: {"type":"error","error":{}}\n\n',
        b'data: {"error":"no"}\n\n',
        b"event: error\ndata: {}\n\n",
        b"data: <html>\n\n",
        b"data: []\n\n",
    ],
)
def test_an_error_ends_the_stream(frame: bytes) -> None:
    exchange = begun({"stream": True})
    with pytest.raises(UpstreamBroken):
        exchange.feed(exchange.legs[0], [frame])
    exchange = begun({"stream": True})
    first = framed(EVENTS[:1])
    assert exchange.feed(exchange.legs[0], [*first, frame]) == first[0]
    with pytest.raises(UpstreamBroken):
        exchange.end(exchange.legs[0])


def test_what_is_no_event_is_not_passed_on() -> None:
    exchange = begun({"stream": True})
    assert exchange.feed(exchange.legs[0], [b": keep\n\n", b"data: [DONE]\n\n", b"event: x\n\n"]) == b""


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        ({"input_tokens": 5, "output_tokens": 7}, Usage(5, 7)),
        ({"input_tokens": 5}, None),
        ({"input_tokens": -5, "output_tokens": 7}, None),
        ({"input_tokens": True, "output_tokens": 7}, None),
        ({"input_tokens": 0, "output_tokens": 0}, None),
        ({"input_tokens": 5, "output_tokens": 7, "cache_read_input_tokens": "x"}, Usage(5, 7)),
        ({"input_tokens": 5, "output_tokens": 7, "output_tokens_details": {"thinking_tokens": 9}},
         Usage(5, 7, 0, 7)),
        ({"input_tokens": 5, "output_tokens": 7, "iterations": [
            {"type": "message", "input_tokens": 5, "output_tokens": 7},
            ADVISOR, "x"]}, Usage(106, 17, 1)),
    ],
)  # fmt: skip
def test_usage_of_a_whole_answer(reported: dict[str, Any], usage: Usage | None) -> None:
    exchange = begun({})
    body = msgspec.json.encode({**START, "usage": reported})
    assert exchange.reply([body]) == body
    assert exchange.usage == usage


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"content":5}', b'{"type":"error","error":{}}'])
def test_what_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        begun({}).reply([body])


def test_what_was_written_is_seen_whole() -> None:
    blocks = [
        {"type": "thinking", "thinking": "Hm. ", "signature": "x"},
        {"type": "text", "text": "Ho "},
        {"type": "tool_use", "id": "t", "name": "look", "input": {"a": 1}},
        "x",
    ]
    exchange = begun({})
    exchange.reply([msgspec.json.encode({**START, "content": blocks})])
    assert exchange.observed_text() == 'Hm. Ho look{"a":1}'


#: What a reader gets of requests that chat could not express: as much as they hold.
PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}}
WEB = {"type": "web_search_20250305", "name": "web_search"}


def read(fields: dict[str, Any]) -> dict[str, Any]:
    request = document.parse(msgspec.json.encode({**GIVEN, **fields}))
    made: dict[str, Any] = msgspec.json.decode(document.encode(readable("messages", request)))
    return made


def test_a_reader_gets_all_that_a_request_holds() -> None:
    hosted = {
        "type": "web_search_tool_result",
        "tool_use_id": "x",
        "content": [PICTURE, {"type": "web", "a": 1}],
    }
    turns = [{"role": "user", "content": [hosted, PICTURE, {"type": "image", "source": 5}]}, "odd"]
    made = read({"system": "Be kind.", "messages": turns, "tools": [WEB, {"name": "own"}]})
    parts = made["messages"][0]["content"]
    shown = [part for part in parts if part["type"] == "image_url"]
    words = "".join(part["text"] for part in parts if part["type"] == "text")
    assert len(shown) == 2
    for text in ("Be kind.", "web_search_tool_result", '"a":1', '"source":5', "odd"):
        assert text in words
    assert [tool["type"] for tool in made["tools"]] == ["web_search_20250305", "custom"]
    assert made["max_completion_tokens"] == 9000


def test_a_reader_gets_the_schema_and_the_thinking() -> None:
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "EqQB"}
    turns = [*HELLO, {"role": "assistant", "content": [thought, {"type": "text", "text": "x"}]}, *HELLO]
    form = {"format": {"type": "json_schema", "schema": {}}}
    made = read({"messages": turns, "output_config": form})
    assert made["messages"][1] == {"role": "assistant", "content": "x", "reasoning_content": "Hm."}
    assert made["response_format"] == form["format"]


def test_what_makes_no_sense_is_refused_before_anybody_is_asked() -> None:
    with pytest.raises(InvalidRequest):
        read({"messages": [{"role": "user", "content": 5}]})


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (InvalidRequest("x"), "invalid_request_error"),
        (NotFound("x"), "not_found_error"),
        (MethodNotAllowed("x"), "invalid_request_error"),
        (Conflict("x"), "invalid_request_error"),
        (ServerError("x"), "api_error"),
        (BadGateway("x"), "api_error"),
        (Unavailable("x"), "overloaded_error"),
        (GatewayTimeout("x"), "timeout_error"),
    ],
)
def test_errors_have_the_types_of_anthropic(error: ApiError, kind: str) -> None:
    told = {"type": "error", "error": {"type": kind, "message": "x"}, "request_id": "req_1"}
    assert msgspec.json.decode(anthropic_errors.envelope(error, "req_1")) == told
    frame = anthropic_errors.event(error, "req_1")
    assert (sse.name(frame), msgspec.json.decode(sse.data(frame))) == (b"error", told)
