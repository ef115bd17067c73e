"""Whatever a client asks and whatever a provider says: an answer, or an error that was meant."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from tests.dialects.test_responses_over_chat import BASE, SPOKEN, TOOL, begin
from writingmate.dialects.exchange import GRAMMARS, Exchange
from writingmate.errors import BadGateway, InvalidRequest, UpstreamBroken
from writingmate.wire import document, sse

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
WORDS = st.sampled_from(
    ["type", "role", "content", "name", "text", "function", "custom", "message", "user", "assistant",
     "function_call", "function_call_output", "call_id", "arguments", "output", "input_text", "refusal",
     "input_image", "image_url", "input_file", "input_audio", "format", "json_schema", "schema", "effort",
     "summary", "auto", "allowed_tools", "mode", "tools", "tool_calls", "index", "id", "input",
     "custom_tool_call",
     "reasoning", "reasoning_content", "logprobs", "token", "logprob", "bytes", "annotations", "url_citation",
     "start_index", "thinking"]
)  # fmt: skip
ANYTHING = st.recursive(
    SCALARS | WORDS | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=12,
)
HUGE = 10**30


def encode(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8", "replace")


@given(
    st.dictionaries(
        st.sampled_from(["input", "tools", "tool_choice", "text", "reasoning", "instructions", "metadata"]),
        ANYTHING,
    )
)
@example({"tools": [TOOL | {"parameters": {"maximum": HUGE}}]})
@example({"tools": [TOOL | {"x": HUGE}]})
@example({"input": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": HUGE}}]}]})
def test_whatever_is_asked_is_understood_or_refused(fields: dict[str, Any]) -> None:
    request = document.parse(encode(BASE | fields))
    try:
        GRAMMARS["responses"].check(request)
        exchange = Exchange.begin("responses", request, SPOKEN, model="b", slug="a/b", request_id="r")
    except InvalidRequest:
        return
    assert msgspec.json.decode(exchange.legs[0].body)["messages"]


@given(st.dictionaries(WORDS, ANYTHING), ANYTHING, ANYTHING)
@example(
    {"content": "x", "annotations": [{"url_citation": {"start_index": HUGE, "end_index": -1}}]}, HUGE, None
)
@example({"tool_calls": [{"function": {"name": "f", "arguments": {"x": HUGE}}}]}, None, None)
@example({"content": "x"}, [], {"content": [{"token": "x", "logprob": HUGE, "bytes": [HUGE]}]})
def test_whatever_a_provider_says_is_an_answer_or_broken(
    delta: dict[str, Any], created: Any, logprobs: Any
) -> None:
    choice = {"delta": delta, "message": delta, "logprobs": logprobs, "finish_reason": created}
    said = encode({"created": created, "service_tier": created, "choices": [choice]})
    with contextlib.suppress(UpstreamBroken):
        assert msgspec.json.decode(begin({}).reply([said]))["object"] == "response"
    exchange = begin({"stream": True})
    out = b""
    try:
        out += exchange.feed(exchange.legs[0], [sse.event(said), sse.DONE])
        out += exchange.end(exchange.legs[0])
        out += exchange.closing()
    except UpstreamBroken:
        out += exchange.failure(BadGateway("It failed."))
    *events, done = sse.Splitter().feed(out)
    assert done == sse.DONE
    numbers = [msgspec.json.decode(sse.data(event))["sequence_number"] for event in events]
    assert numbers == list(range(len(events)))
