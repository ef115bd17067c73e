"""Responses for a provider that speaks them: what changes on the way, and that nothing else does."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.dialects.recordings import CASES, Recording, frames, recordings
from tests.dialects.test_responses_fuzz import ANYTHING, HUGE, WORDS
from writingmate.dialects import attachments, demand
from writingmate.dialects.exchange import GRAMMARS, Exchange, readable
from writingmate.dialects.responses_native import ResponsesNative
from writingmate.dialects.responses_reasoning import ENCRYPTED
from writingmate.dialects.responses_watch import ResponsesWatch
from writingmate.errors import BadGateway, InvalidRequest, UnsupportedParameter, UpstreamBroken
from writingmate.metering.prompts.careful import careful
from writingmate.types import DialectName, Usage
from writingmate.wire import document, sse
from writingmate.wire.document import Document

BASE = {"model": "openai/m", "input": "hi"}
NATIVE: tuple[DialectName, ...] = ("chat", "responses")
CHAT: tuple[DialectName, ...] = ("chat",)
RESPONSE = {"id": "resp_theirs", "object": "response", "status": "completed", "output": []}
STREAM = Recording(CASES / "responses" / "stream")
LIFECYCLE = (b"response.created", b"response.in_progress", b"response.completed", b"response.incomplete")


def asked(fields: dict[str, Any]) -> Document:
    request = document.parse(msgspec.json.encode(BASE | fields))
    GRAMMARS["responses"].check(request)
    return request


def begin(fields: dict[str, Any], model: str = "gpt-4.1", max_tokens: int | None = None) -> Exchange:
    return Exchange.begin(
        "responses",
        asked(fields),
        NATIVE,
        model=model,
        slug="openai/m",
        request_id="req_1",
        max_tokens=max_tokens,
    )


def sent(fields: dict[str, Any], model: str = "gpt-4.1", max_tokens: int | None = None) -> dict[str, Any]:
    (leg,) = begin(fields, model, max_tokens).legs
    assert leg.dialect == "responses"
    body: dict[str, Any] = msgspec.json.decode(leg.body)
    return body


#: What chat cannot express, or has no field for.
WHATEVER: dict[str, Any] = {
    "tools": [{"type": "web_search", "filters": {"allowed_domains": ["a.b"]}}, {"type": "mcp", "x": 1.50}],
    "tool_choice": {"type": "web_search"},
    "truncation": "auto",
    "context_management": [{"type": "compaction", "compact_threshold": 1000}],
    "max_tool_calls": 3,
    "image": {"a": 1},
    "access_programs": {"cyber": "standard"},
    "include": ["web_search_call.action.sources"],
    "reasoning": {"effort": "low", "context": "all", "mode": "pro"},
    "stream_options": {"include_obfuscation": False},
    "stream": True,
    "metadata": {"a": "b"},
    "input": [
        {"role": "user", "content": [{"type": "input_file", "file_id": "file-1"}]},
        {"type": "web_search_call", "id": "ws_1", "status": "completed"},
        {"type": "of_tomorrow", "x": [1, {"y": None}]},
    ],
    "of_tomorrow": {"deep": [1.0, "é"]},
}


def test_a_limit_too_low_for_a_response_goes_as_chat_if_chat_can_express_it() -> None:
    for fields, most in (({"max_output_tokens": 5}, None), ({"max_output_tokens": 50}, 5), ({}, 5)):
        exchange = begin(fields, max_tokens=most)
        assert exchange.legs[0].dialect == "chat"
        assert msgspec.json.decode(exchange.legs[0].body)["max_completion_tokens"] == 5
        search = {"tools": [{"type": "web_search"}]}
        assert sent(fields | search, max_tokens=most)["max_output_tokens"] == 5
    assert sent({"max_output_tokens": 16})["max_output_tokens"] == 16


def test_everything_else_of_a_request_is_sent_as_it_came() -> None:
    assert sent(WHATEVER) == {"model": "gpt-4.1", "store": False, **WHATEVER}


def test_the_very_bytes_of_a_value_are_sent() -> None:
    body = b'{"model":"openai/m","input":"h\\u0069","temperature": 1.00,"metadata":{ "a" : "b" }}'
    request = document.parse(body)
    exchange = Exchange.begin("responses", request, NATIVE, model="m", slug="s", request_id="r")
    assert exchange.legs[0].body == (
        b'{"model":"m","input":"h\\u0069","temperature":1.00,"metadata":{ "a" : "b" },"store":false}'
    )


@pytest.mark.parametrize("store", [True, False, None])
def test_nothing_is_stored_at_the_provider(store: bool | None) -> None:  # noqa: FBT001  # a value of the field
    nothing = {"previous_response_id": None, "conversation": None, "background": False, "store": store}
    assert sent(nothing) == {"model": "gpt-4.1", "input": "hi", "store": False}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("conversation", {"id": "conv_1"}),
        ("background_options", {}),
        ("prompt", {"id": "pmpt_1"}),
    ],
)
def test_what_would_need_the_providers_own_state_is_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        begin({name: value})
    assert caught.value.param == name


@pytest.mark.parametrize(
    ("model", "reasons"),
    [
        ("gpt-5.1", True),
        ("gpt-5-mini-2026-01-01", True),
        ("o4-mini", True),
        ("openai/gpt-5.2-codex", True),
        ("gpt-oss-120b", True),
        ("gpt-4.1", False),
        ("gpt-4o", False),
        ("gpt-5-chat-latest", False),
        ("omni", False),
    ],
)
def test_reasoning_is_asked_for_where_a_model_reasons(model: str, *, reasons: bool) -> None:
    assert sent({}, model).get("include") == ([ENCRYPTED] if reasons else None)
    also = {"include": ["message.output_text.logprobs", ENCRYPTED]}
    assert sent(also, model)["include"] == also["include"]


def test_reasoning_that_cannot_be_read_again_is_left_out() -> None:
    bare = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "x"}]}
    kept = bare | {"id": "rs_2", "encrypted_content": "gAAAA"}
    said = {"role": "user", "content": "reasoning"}
    conversation = [said, bare, kept, bare | {"encrypted_content": None}, said]
    assert sent({"input": conversation})["input"] == [said, kept, said]
    assert sent({"input": 'say "reasoning"'})["input"] == 'say "reasoning"'


@pytest.mark.parametrize(("wanted", "most", "given_"), [(None, 50, 50), (20, 50, 20), (80, 50, 50)])
def test_the_limit_is_lowered_in_its_own_field(wanted: int | None, most: int, given_: int) -> None:
    fields = {} if wanted is None else {"max_output_tokens": wanted}
    body = sent(fields, max_tokens=most)
    assert body["max_output_tokens"] == given_
    assert not {"max_tokens", "max_completion_tokens"} & set(body)


@pytest.mark.parametrize("case", [each for each in recordings() if each.codec == "responses"], ids=str)
def test_only_events_that_hold_the_response_change(case: Recording) -> None:
    if not case.streaming:
        return
    exchange = case.begin()
    for frame in frames(case.replies[0]):
        try:
            out = exchange.feed(exchange.legs[0], [frame])
        except UpstreamBroken:
            return
        if sse.name(frame) not in LIFECYCLE:
            assert out is frame
        elif out:
            ours = frame.replace(b'"id":"resp_up1f"', b'"id":"resp_req1"')
            assert out == ours.replace(b'"store":false', b'"store":true')


def test_a_word_of_the_model_changes_nothing() -> None:
    said = msgspec.json.encode({"type": "response.output_text.delta", "delta": '{"response":{"id":"x"}}'})
    item = msgspec.json.encode({"type": "response.x", "item": {"response": {"id": "x"}, "error": {}}})
    exchange = begin({"stream": True})
    for data in (said, item, b'{"type":"response.y","response":7}'):
        frame = sse.event(data, b"response.output_text.delta")
        assert exchange.feed(exchange.legs[0], [frame]) == frame


def test_a_whole_response_keeps_its_bytes_but_for_what_is_ours() -> None:
    body = b'{"id":"resp_x","status":"completed","output":[ {"z": 1.50} ],"store":false,"of_tomorrow":{ }}'
    assert begin({}).reply([body]) == (
        b'{"id":"resp_1","status":"completed","output":[ {"z": 1.50} ],"store":true,"of_tomorrow":{ },'
        b'"background":false,"previous_response_id":null}'
    )


@pytest.mark.parametrize("case", [each for each in recordings() if each.codec == "responses"], ids=str)
def test_what_was_answered_is_known_once_it_is_over(case: Recording) -> None:
    exchange = case.begin()
    codec = exchange._codec
    assert isinstance(codec, ResponsesNative)
    try:
        if case.streaming:
            exchange.feed(exchange.legs[0], frames(case.replies[0]))
            assert codec.answered is None
            exchange.end(exchange.legs[0])
            last = frames(exchange.closing())[0]
        else:
            assert exchange.reply(case.replies) == codec.answered
            return
    except UpstreamBroken:
        if not case.streaming:
            return
        last = frames(exchange.failure(BadGateway("It failed.")))[-2]
    assert codec.answered is not None
    assert msgspec.json.decode(codec.answered) == msgspec.json.decode(sse.data(last))["response"]


def test_an_error_before_anything_came_has_a_whole_stream_around_it() -> None:
    events = [msgspec.json.decode(sse.data(frame)) for frame in _broken([])]
    assert [(event["type"], event["sequence_number"]) for event in events] == [
        ("response.created", 0),
        ("response.in_progress", 1),
        ("error", 2),
        ("response.failed", 3),
    ]
    assert {event["response"]["id"] for event in events if "response" in event} == {"resp_1"}


def test_an_error_goes_on_counting_where_the_provider_stopped() -> None:
    came = frames(STREAM.replies[0])[:5]
    error, failed = (msgspec.json.decode(sse.data(frame)) for frame in _broken(came))
    assert (error["sequence_number"], failed["sequence_number"]) == (5, 6)
    assert (failed["response"]["id"], failed["response"]["output"]) == ("resp_1", [])
    unnumbered = sse.event(b'{"type":"response.output_text.delta"}', b"response.output_text.delta")
    assert msgspec.json.decode(sse.data(_broken([unnumbered])[0]))["sequence_number"] == 0


def _broken(came: list[bytes]) -> list[bytes]:
    exchange = begin({"stream": True})
    exchange.feed(exchange.legs[0], came)
    with pytest.raises(UpstreamBroken):
        exchange.end(exchange.legs[0])
    *events, done = frames(exchange.failure(BadGateway("It failed.")))
    assert done == sse.DONE
    return events


@pytest.mark.parametrize(
    "frame",
    [
        b'event: error\ndata: {"type":"error","code":"x","message":"m","param":null,"sequence_number":1}\n\n',
        b'data: {"type":"error","error":{"message":"m"}}\n\n',
        b'data: {"error":{"message":"m"}}\n\n',
        b'event: error\ndata: {"message":"m"}\n\n',
        b'event: response.failed\ndata: {"type":"response.failed","response":{"error":{"code":"x"}}}\n\n',
        b'event: response.completed\ndata: {"type":"response.completed","response":7}\n\n',
        b'event: response.created\ndata: {"type":"response.created","response":{"id"}}\n\n',
    ],
)
def test_an_error_in_any_form_is_the_providers_failure(frame: bytes) -> None:
    exchange = begin({"stream": True})
    with pytest.raises(UpstreamBroken):
        exchange.feed(exchange.legs[0], [frame])


@pytest.mark.parametrize("status", ["failed", "cancelled", "in_progress", "queued", ""])
def test_a_whole_answer_that_is_no_answer(status: str) -> None:
    usage = {"input_tokens": 3, "output_tokens": 2}
    exchange = begin({})
    with pytest.raises(UpstreamBroken):
        exchange.reply([msgspec.json.encode(RESPONSE | {"status": status, "usage": usage})])
    assert exchange.usage == Usage(3, 2)
    for body in (b"", b"[]", b'{"error":{"message":"m"}}', b"\xff"):
        with pytest.raises(UpstreamBroken):
            begin({}).reply([body])


def test_keep_alives_and_the_word_done_are_not_for_the_client() -> None:
    exchange = begin({"stream": True})
    assert exchange.feed(exchange.legs[0], [b": keep-alive\n\n", sse.DONE]) == b""


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"input_tokens": 10, "output_tokens": 5}, Usage(10, 5)),
        (
            {
                "input_tokens": 10,
                "input_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 1},
                "output_tokens": 5,
                "output_tokens_details": {"reasoning_tokens": 4},
                "total_tokens": 15,
            },
            Usage(10, 5, 8, 4, 1),
        ),
        (
            {"input_tokens": 10, "output_tokens": 5, "input_tokens_details": {"cached_tokens": 11}},
            Usage(10, 5),
        ),
        ({"input_tokens": -1, "output_tokens": 5}, None),
        ({"input_tokens": 0, "output_tokens": 0}, None),
        (None, None),
        (7, None),
    ],
)
def test_usage_is_read_as_what_it_is(usage: object, expected: Usage | None) -> None:
    exchange = begin({})
    exchange.reply([msgspec.json.encode(RESPONSE | {"usage": usage})])
    assert exchange.usage == expected


def test_what_chat_cannot_express_is_still_read_for_limits() -> None:
    read = readable("responses", asked(WHATEVER | {"max_output_tokens": 9, "instructions": "Be brief."}))
    assert demand.output(read, 1000) == 9
    assert attachments.hosted(read) == 2
    assert attachments.attached(read)
    size = len(msgspec.json.encode(WHATEVER))
    assert attachments.cheap(read, size) >= attachments.WINDOW
    assert "Be brief." in bytes(read["messages"]).decode()
    picture = {"role": "user", "content": [{"type": "input_image", "file_id": "file-1", "detail": "low"}]}
    seen = attachments.cheap(readable("responses", asked({"input": [picture]})), 0)
    assert attachments.IMAGE <= seen < attachments.WINDOW
    words = readable("responses", asked({"input": "hello", "tools": [{"type": "web_search"}]}))
    assert bytes(words["messages"]).count(b"hello") == 1
    assert attachments.cheap(words, 0) < attachments.WINDOW


def test_an_odd_request_is_counted_carefully_too() -> None:
    read = readable("responses", asked(WHATEVER | {"instructions": "Be brief."}))
    counted = careful(read, dialect="responses", slug="gpt-5.1")
    assert counted.files >= attachments.WINDOW
    assert counted.tools >= 2 * attachments.HOSTED
    assert 0 < counted.prompt_tokens <= attachments.cheap(read, len(document.encode(read)))


def test_a_route_that_has_only_chat_refuses_what_chat_cannot_express() -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        Exchange.begin("responses", asked(WHATEVER), CHAT, model="m", slug="s", request_id="r")
    assert caught.value.param == "tools[0].type"


@given(st.dictionaries(st.sampled_from(["input", "tools", "text", "reasoning", "instructions"]), ANYTHING))
@example({"input": [{"content": [{"type": "input_file", "file_id": HUGE}], "x": HUGE}]})
def test_whatever_is_asked_is_read_and_sent_or_refused(fields: dict[str, Any]) -> None:
    try:
        request = asked(fields)
        read = readable("responses", request)
    except InvalidRequest:
        return
    assert attachments.cheap(read, 0) >= 0
    assert demand.output(read, 10) >= 0
    assert sent(fields)["store"] is False


@given(
    st.sampled_from(["response.completed", "response.created", "error", "response.output_item.done", "x"]),
    st.dictionaries(st.sampled_from(["response", "item", "error", "delta"]), ANYTHING),
    st.dictionaries(WORDS, ANYTHING),
)
def test_whatever_a_provider_says_is_an_answer_or_broken(
    name: str, event: dict[str, Any], body: dict[str, Any]
) -> None:
    watch = ResponsesWatch()
    codec = ResponsesNative(asked({}), model="m", slug="s", request_id="r")
    try:
        codec.reply([msgspec.json.encode(body | {"status": "completed"})], [watch])
    except UpstreamBroken:
        assert codec.answered is None
    exchange = begin({"stream": True})
    frame = sse.event(msgspec.json.encode({"type": name} | event), name.encode())
    try:
        exchange.feed(exchange.legs[0], [frame])
        exchange.end(exchange.legs[0])
        out = exchange.closing()
    except UpstreamBroken:
        out = exchange.failure(BadGateway("It failed."))
    assert out.endswith(sse.DONE)
    assert isinstance(exchange.observed_text(), str)
