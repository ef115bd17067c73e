from __future__ import annotations

from typing import Any

import msgspec
import pytest
from openai.types.responses import response_create_params

from writingmate.dialects.exchange import GRAMMARS, Exchange, readable
from writingmate.dialects.responses_codec import ECHOED, FOREIGN, TRANSLATED, UNKEPT, VENDORS
from writingmate.errors import BadGateway, InvalidRequest, UnsupportedParameter, UpstreamBroken
from writingmate.types import DialectName
from writingmate.wire import document, sse

BASE = {"model": "a/b", "input": "hi"}
SPOKEN: tuple[DialectName, ...] = ("chat",)
MESSAGES = [{"role": "user", "content": "hi"}]
TOOL = {"type": "function", "name": "f", "parameters": {"type": "object"}}
SENT_TOOL = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def begin(fields: dict[str, Any]) -> Exchange:
    body = {name: value for name, value in (BASE | fields).items() if value is not ...}
    request = document.parse(msgspec.json.encode(body))
    GRAMMARS["responses"].check(request)
    return Exchange.begin("responses", request, SPOKEN, model="b", slug="a/b", request_id="req_1")


def sent(fields: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.json.decode(begin(fields).legs[0].body)
    return body


def refused(fields: dict[str, Any]) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        begin(fields)
    assert (caught.value.status, caught.value.type) == (400, "invalid_request_error")
    return caught.value


def answered(message: dict[str, Any], fields: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop", **more}
    made = begin(fields or {}).reply([msgspec.json.encode({"choices": [choice]})])
    body: dict[str, Any] = msgspec.json.decode(made)
    return body


#: Every field: a value, and what becomes of it: sent as it is, shown in the answer, sent as something
#: else, refused.
FIELDS: dict[str, tuple[Any, dict[str, Any] | str]] = {
    "model": ("a/b", {"model": "b"}),
    "input": ("hi", {"messages": MESSAGES}),
    "instructions": ("Be brief.", {"messages": [{"role": "system", "content": "Be brief."}, *MESSAGES]}),
    "max_output_tokens": (5, {"max_completion_tokens": 5}),
    "tools": ([TOOL], {"tools": [SENT_TOOL]}),
    "tool_choice": ("auto", {}),
    "parallel_tool_calls": (False, {}),
    "text": ({"format": {"type": "json_object"}}, {"response_format": {"type": "json_object"}}),
    "reasoning": ({"effort": "low", "summary": "auto"}, {"reasoning_effort": "low"}),
    "include": (["message.output_text.logprobs"], {"logprobs": True}),
    "top_logprobs": (2, {"logprobs": True, "top_logprobs": 2}),
    "stream": (True, {"stream": True, "stream_options": {"include_usage": True}}),
    "stream_options": ({"include_obfuscation": True}, {"stream_options": {"include_usage": True}}),
    "temperature": (0.5, "carried"),
    "top_p": (0.5, "carried"),
    "user": ("u", "carried"),
    "safety_identifier": ("s", "carried"),
    "service_tier": ("flex", "carried"),
    "moderation": ({"model": "m"}, "refused"),
    "prompt_cache_key": ("k", "carried"),
    "prompt_cache_options": ({"mode": "implicit"}, {"prompt_cache_options": {"mode": "implicit"}}),
    "prompt_cache_retention": ("24h", "carried"),
    "metadata": ({"a": "b"}, "shown"),
    "store": (True, "shown"),
    "background": (True, "shown"),
    "max_tool_calls": (3, "shown"),
    "truncation": ("auto", "shown"),
    "access_programs": ({"cyber": "standard"}, "refused"),
    "background_options": ({"completion_window": "soonest"}, "refused"),
    "context_management": ([{"type": "compaction"}], "refused"),
    "conversation": ("conv_1", "refused"),
    "image": ({"context_compression": "auto"}, "refused"),
    "previous_response_id": ("resp_1", "shown"),
    "prompt": ({"id": "pmpt_1"}, "refused"),
}


def test_every_field_of_the_dialect_has_its_fate() -> None:
    published = response_create_params.ResponseCreateParamsStreaming.__annotations__
    inherited = response_create_params.ResponseCreateParamsBase.__annotations__
    assert set(FIELDS) == {*published, *inherited} == set(GRAMMARS["responses"].rules)
    fates = {
        fate: {name for name, (_, each) in FIELDS.items() if each == fate} for fate in ("shown", "refused")
    }
    assert fates == {"shown": ECHOED, "refused": {*UNKEPT, *VENDORS}}
    carried = {name for name, (_, fate) in FIELDS.items() if fate == "carried"}
    assert carried == set(FIELDS) - TRANSLATED - ECHOED - {*UNKEPT, *VENDORS} - {"model", "stream"}


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_is_carried_translated_shown_or_refused_by_name(name: str) -> None:
    value, fate = FIELDS[name]
    fields: dict[str, Any] = {name: value} | ({"stream": True} if name == "stream_options" else {})
    if fate == "refused":
        error = refused(fields)
        assert isinstance(error, UnsupportedParameter)
        assert (error.param, error.code) == (name, "unsupported_parameter")
        assert f"'{name}'" in error.message
        return
    if fate == "shown":
        assert answered({"content": "x"}, fields)[name] == {"truncation": "disabled"}.get(name, value)
    expected: dict[str, Any] = {"model": "b", "messages": MESSAGES}
    expected |= {"shown": {}, "carried": {name: value}}[fate] if isinstance(fate, str) else fate
    if "stream" in fields:
        expected["stream"] = True
    assert sent(fields) == expected


@pytest.mark.parametrize(
    "name", [name for name in FIELDS if name not in {"model", "input", "user", "prompt_cache_options"}]
)
def test_null_means_the_field_was_not_given(name: str) -> None:
    outgoing = {key: value for key, value in sent({name: None}).items() if value is not None}
    assert outgoing == {"model": "b", "messages": MESSAGES}


def test_fields_never_heard_of_are_carried() -> None:
    assert sent({"top_k": 4, "stop": ["x"], "seed": 1}) == {
        "top_k": 4, "stop": ["x"], "seed": 1, "model": "b", "messages": MESSAGES,
    }  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
def test_fields_that_would_change_the_answers_kind_are_refused(name: str) -> None:
    error = refused({name: 1})
    assert (error.param, error.code) == (name, "unsupported_parameter")


def item(**members: Any) -> dict[str, Any]:
    return {"input": [members]}


def user(part: dict[str, Any]) -> dict[str, Any]:
    return item(role="user", content=[part])


CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": ""}
UNSUPPORTED = "unsupported_parameter"
MISSING = "missing_required_parameter"


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"input": ...}, "input", MISSING),
        ({"input": ..., "previous_response_id": "resp_1"}, "input", MISSING),
        ({"input": None}, "input", "invalid_type"),
        ({"input": []}, "input", "empty_array"),
        ({"input": [3]}, "input[0]", "invalid_type"),
        ({"text": {"of_tomorrow": 1}}, "text.of_tomorrow", UNSUPPORTED),
        ({"include": ["x"]}, "include[0]", "invalid_value"),
        ({"include": [1]}, "include[0]", "invalid_type"),
        ({"max_output_tokens": 0}, "max_output_tokens", "integer_below_min_value"),
        (item(type="item_reference", id="msg_1"), "input[0].type", UNSUPPORTED),
        (item(id="msg_1"), "input[0].type", UNSUPPORTED),
        (item(type="web_search_call", id="ws_1"), "input[0].type", UNSUPPORTED),
        (item(type=3), "input[0].type", "invalid_type"),
        (item(role="pilot", content="x"), "input[0].role", "invalid_value"),
        (item(role="user"), "input[0].content", MISSING),
        (item(role="user", content=3), "input[0].content", "invalid_type"),
        (item(role="user", content=[3]), "input[0].content[0]", "invalid_type"),
        (user({"type": "input_text"}), "input[0].content[0].text", MISSING),
        (user({"type": "input_text", "text": 3}), "input[0].content[0].text", "invalid_type"),
        (user({"type": "input_image", "file_id": "file_1"}), "input[0].content[0].file_id", UNSUPPORTED),
        (user({"type": "input_image"}), "input[0].content[0].image_url", MISSING),
        (user({"type": "input_file", "file_url": "https://x"}), "input[0].content[0].file_url", UNSUPPORTED),
        (user({"type": "refusal", "refusal": "x"}), "input[0].content[0].type", UNSUPPORTED),
        (item(type="function_call_output", call_id="c", output="x"), "input[0].call_id", None),
        (item(**CALL), "input", None),
        (item(**(CALL | {"arguments": None})), "input[0].arguments", MISSING),
        (item(**(CALL | {"arguments": {}})), "input[0].arguments", "invalid_type"),
        (item(**(CALL | {"name": ""})), "input[0].name", "empty_string"),
        (item(type="reasoning", id="rs_1", summary=[]), "input", None),
        ({"tools": 3}, "tools", "invalid_type"),
        ({"tools": [3]}, "tools[0]", "invalid_type"),
        ({"tools": [{}]}, "tools[0].type", MISSING),
        ({"tools": [{"type": 3}]}, "tools[0].type", "invalid_type"),
        ({"tools": [TOOL, {"type": "web_search"}]}, "tools[1].type", UNSUPPORTED),
        ({"tools": [{"type": "function"}]}, "tools[0].name", MISSING),
        ({"tools": [TOOL | {"parameters": "x"}]}, "tools[0].parameters", "invalid_type"),
        ({"tool_choice": "maybe"}, "tool_choice", "invalid_value"),
        ({"tool_choice": "required"}, "tool_choice", None),
        ({"tool_choice": {"type": "function", "name": "g"}, "tools": [TOOL]}, "tool_choice", None),
        ({"tool_choice": {}}, "tool_choice.type", MISSING),
        ({"tool_choice": {"type": "web_search"}}, "tool_choice.type", UNSUPPORTED),
        ({"tool_choice": {"type": "allowed_tools", "mode": "x"}}, "tool_choice.mode", "invalid_value"),
        ({"tool_choice": {"type": "allowed_tools", "mode": "auto"}}, "tool_choice.tools", "invalid_type"),
        (
            {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []}},
            "tool_choice.tools", "empty_array",
        ),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type", "invalid_value"),
        ({"text": {"format": {}}}, "text.format.type", MISSING),
        ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "text.format.schema", MISSING),
        ({"text": {"verbosity": "loud"}}, "text.verbosity", "invalid_value"),
        ({"reasoning": {"effort": "x"}}, "reasoning.effort", "invalid_value"),
        ({"reasoning": {"summary": "x"}}, "reasoning.summary", "invalid_value"),
        (user({"type": "input_audio", "input_audio": 3}), "input[0].content[0].input_audio", "invalid_type"),
        ({"reasoning": {"mode": "pro"}}, "reasoning.mode", UNSUPPORTED),
    ],
)  # fmt: skip
def test_what_makes_no_sense_or_cannot_be_done_is_refused_by_name(
    fields: dict[str, Any], param: str, code: str | None
) -> None:
    error = refused(fields)
    assert (error.param, error.code) == (param, code)


def test_tools_that_are_not_allowed_are_not_sent() -> None:
    other = TOOL | {"name": "g"}
    choice = {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]}
    outgoing = sent({"tools": [TOOL, other], "tool_choice": choice, "parallel_tool_calls": False})
    assert outgoing["tools"] == [SENT_TOOL]
    assert outgoing["tool_choice"] == "required"
    assert outgoing["parallel_tool_calls"] is False


def test_a_chosen_custom_tool_is_a_function_of_chat() -> None:
    custom = {"type": "custom", "name": "patch"}
    outgoing = sent({"tools": [custom], "tool_choice": custom})
    assert outgoing["tool_choice"] == {"type": "function", "function": {"name": "patch"}}
    assert outgoing["tools"][0]["function"]["parameters"]["required"] == ["input"]


def test_an_answer_can_be_sent_again_as_it_came() -> None:
    calls = [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}]
    output = answered({"content": "One moment.", "tool_calls": calls, "reasoning": "Hm."})["output"]
    assert [each["type"] for each in output] == ["reasoning", "message", "function_call"]
    result = {"type": "function_call_output", "call_id": "call_1", "output": "42"}
    messages = sent({"input": [{"role": "user", "content": "hi"}, *output, result]})["messages"]
    assert messages == [
        *MESSAGES,
        {"role": "assistant", "content": "One moment.", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "call_1", "content": "42"},
    ]


def test_refusals_are_sent_again_as_refusals() -> None:
    output = answered({"content": None, "refusal": "No."})["output"]
    messages = sent({"input": [*output, {"role": "user", "content": "Why?"}]})["messages"]
    assert messages[0] == {"role": "assistant", "content": None, "refusal": "No."}


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ({"function": {"name": "patch", "arguments": "not json"}}, "not json"),
        ({"function": {"name": "patch", "arguments": '{"input": 3}'}}, '{"input": 3}'),
        ({"function": {"name": "patch", "arguments": {"input": "x"}}}, "x"),
        ({"type": "custom", "custom": {"name": "patch", "input": '{"input":"y"}'}}, '{"input":"y"}'),
    ],
)
def test_what_a_custom_tool_is_given(call: dict[str, Any], expected: str) -> None:
    tools = {"tools": [{"type": "custom", "name": "patch"}]}
    (made,) = answered({"content": None, "tool_calls": [call]}, tools)["output"]
    assert (made["type"], made["input"]) == ("custom_tool_call", expected)
    assert made["call_id"] == "call_1_0"


def test_thoughts_among_the_content_are_reasoning() -> None:
    thought = {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}
    output = answered({"content": [thought, {"type": "text", "text": "So."}]})["output"]
    assert [each["type"] for each in output] == ["reasoning", "message"]
    assert output[0]["summary"][0]["text"] == "Hm."


@pytest.mark.parametrize(
    ("reason", "status", "why"),
    [
        ("stop", "completed", None),
        ("tool_calls", "completed", None),
        ("length", "incomplete", {"reason": "max_output_tokens"}),
        ("content_filter", "incomplete", {"reason": "content_filter"}),
    ],
)
def test_how_it_ended(reason: str, status: str, why: dict[str, str] | None) -> None:
    made = answered({"content": "x"}, finish_reason=reason)
    assert (made["status"], made["incomplete_details"]) == (status, why)
    assert made["output"][0]["status"] == status
    assert (made["completed_at"] is None) == (why is not None)
    assert made["usage"] is None


@pytest.mark.parametrize("choices", [[{"index": 0}], [{"message": {}}, {"message": {}}]])
def test_what_is_no_answer_is_broken(choices: list[Any]) -> None:
    with pytest.raises(UpstreamBroken):
        begin({}).reply([msgspec.json.encode({"choices": choices})])


def chunk(**delta: Any) -> bytes:
    return sse.event(msgspec.json.encode({"choices": [{"index": 0, "delta": delta}]}))


def call(index: int, call_id: str | None, name: str | None, arguments: str) -> bytes:
    function = {"arguments": arguments} | ({"name": name} if name else {})
    return chunk(tool_calls=[{"index": index, "id": call_id, "type": "function", "function": function}])


def calls_of(*frames: bytes) -> list[tuple[str, str]]:
    exchange = begin({"stream": True, "tools": [TOOL]})
    exchange.feed(exchange.legs[0], [*frames, sse.DONE])
    exchange.end(exchange.legs[0])
    last = exchange.closing().removesuffix(sse.DONE)
    output = msgspec.json.decode(sse.data(last))["response"]["output"]
    return [(each["call_id"], each["arguments"]) for each in output]


def test_providers_that_repeat_ids_or_reuse_an_index() -> None:
    assert calls_of(call(0, "a", "f", '{"x"'), call(0, "a", "f", ":1}")) == [("a", '{"x":1}')]
    assert calls_of(call(0, "a", "f", "{}"), call(0, "b", "f", "[]")) == [("a", "{}"), ("b", "[]")]


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ([call(0, "a", None, "{}")], "no name"),
        ([call(0, "a", "f", "{"), call(1, "b", "f", "{"), call(0, None, None, "}")], "another had begun"),
        ([sse.event(b'{"choices":[{"index":1,"delta":{}}]}')], "index 1"),
        ([b"data: {not json}\n\n"], "not a JSON object"),
    ],
)
def test_a_stream_that_makes_no_sense_is_broken(frames: list[bytes], words: str) -> None:
    exchange = begin({"stream": True, "tools": [TOOL]})
    exchange.feed(exchange.legs[0], [chunk(content="x"), *frames])  # what came before an error is passed on
    with pytest.raises(UpstreamBroken, match=words):
        exchange.feed(exchange.legs[0], [])


def test_an_error_before_the_first_event_is_still_a_whole_stream() -> None:
    told = begin({"stream": True}).failure(BadGateway("It failed.", param="x"))
    *events, done = sse.Splitter().feed(told)
    assert done == sse.DONE
    assert [sse.name(event) for event in events] == [
        b"response.created", b"response.in_progress", b"error", b"response.failed",
    ]  # fmt: skip
    error = msgspec.json.decode(sse.data(events[2]))
    flat = {"code": "upstream_error", "message": "It failed.", "param": "x"}
    assert error == {
        "type": "error", "sequence_number": 2, **flat, "error": {"type": "upstream_error", **flat},
    }  # fmt: skip
    failed = msgspec.json.decode(sse.data(events[3]))["response"]
    assert failed["status"] == "failed"
    assert failed["error"] == {"code": "server_error", "message": "It failed."}


def test_an_end_that_was_not_sent_leaves_no_gap() -> None:
    exchange = begin({"stream": True})
    sent = exchange.feed(exchange.legs[0], [chunk(content="x"), sse.DONE]) + exchange.end(exchange.legs[0])
    exchange.closing()
    *events, _ = sse.Splitter().feed(sent + exchange.failure(BadGateway("Not settled.")))
    said = [msgspec.json.decode(sse.data(event)) for event in events]
    assert [event["sequence_number"] for event in said] == list(range(len(said)))
    assert said[-1]["response"]["output"][0]["content"][0]["text"] == "x"


def test_what_prompts_and_limits_are_read_from() -> None:
    request = document.parse(msgspec.json.encode(BASE | {"max_output_tokens": 5, "instructions": "x"}))
    read = readable("responses", request)
    assert document.value(read["max_completion_tokens"]) == 5
    assert [each["role"] for each in document.value(read["messages"])] == ["system", "user"]
    assert readable("chat", request) is request
    clamped = Exchange.begin(
        "responses", request, SPOKEN, model="b", slug="a/b", request_id="r", max_tokens=3
    )
    assert msgspec.json.decode(clamped.legs[0].body)["max_completion_tokens"] == 3
