"""Whatever Anthropic's client asks and whatever a provider says: an answer, or an error that was meant."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from writingmate.dialects.exchange import GRAMMARS, Exchange, readable
from writingmate.errors import BadGateway, InvalidRequest, UpstreamBroken
from writingmate.metering.prompts.careful import careful
from writingmate.types import DialectName
from writingmate.wire import document, sse

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
WORDS = st.sampled_from((
    "type", "role", "content", "name", "text", "custom", "message", "user", "assistant", "tool_use",
    "tool_result", "tool_use_id", "input", "input_schema", "image", "document", "source", "base64",
    "url", "data", "media_type", "search_result", "thinking", "redacted_thinking", "signature",
    "wm1.e30=", "enabled", "budget_tokens", "adaptive", "effort", "format", "json_schema", "schema",
    "auto", "any", "edits", "index", "id", "function", "arguments", "tool_calls", "reasoning",
    "reasoning_content", "reasoning_details", "extra_content", "usage", "input_tokens", "output_tokens",
    "iterations", "delta", "content_block", "stop_reason", "message_start", "message_delta",
    "message_stop", "content_block_delta", "is_error",
))  # fmt: skip
ANYTHING = st.recursive(
    SCALARS | WORDS | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=5),
    max_leaves=12,
)
ODD = 10**30
CALL = {"type": "tool_use", "id": "c", "name": "f", "input": {"x": ODD}}
HELLO: list[Any] = [{"role": "user", "content": "x"}]
GIVEN = {"model": "a/b", "max_tokens": 9, "messages": HELLO}
PROVIDERS: list[tuple[DialectName, ...]] = [("chat",), ("messages",)]


def encode(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8", "replace")


def begin(fields: dict[str, Any], spoken: tuple[DialectName, ...], most: int | None = None) -> Exchange:
    request = document.parse(encode(GIVEN | fields))
    GRAMMARS["messages"].check(request)
    read = readable("messages", request)
    assert careful(read, dialect="messages", slug="a/b").prompt_tokens >= 0
    return Exchange.begin(
        "messages", request, spoken, model="b", slug="a/b", request_id="req_1", max_tokens=most
    )


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(
            ["messages", "tools", "tool_choice", "system", "thinking", "output_config", "output_format",
             "metadata", "context_management", "stop_sequences", "mcp_servers", "max_tokens"]
        ),
        ANYTHING | st.lists(st.dictionaries(WORDS, ANYTHING, max_size=5), max_size=3),
    ),
    st.sampled_from(PROVIDERS),
    st.none() | st.integers(1, 5000),
)  # fmt: skip
@example({"messages": [*HELLO, {"role": "assistant", "content": [CALL]}, *HELLO]}, ("chat",), None)
@example({"messages": [{"role": "user", "content": [{"type": "x", "y": ODD}]}]}, ("messages",), None)
@example({"tools": [{"name": "f", "input_examples": [{"x": ODD}]}]}, ("chat",), None)
@example({"tools": [{"name": "f", "input_schema": {"x": ODD}}]}, ("messages",), None)
@example({"thinking": {"type": "enabled", "budget_tokens": 4000}, "max_tokens": 5000}, ("messages",), 1024)
@example({"max_tokens": ODD}, ("messages",), 1)
def test_whatever_is_asked_is_understood_or_refused(
    fields: dict[str, Any], spoken: tuple[DialectName, ...], most: int | None
) -> None:
    with contextlib.suppress(InvalidRequest):
        exchange = begin(fields, spoken, most)
        assert msgspec.json.decode(exchange.legs[0].body)["messages"]
        assert isinstance(exchange.prompt_text(), str)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(WORDS, ANYTHING), ANYTHING)
@example({"tool_calls": [{"function": {"name": "f", "arguments": {"x": ODD}}}]}, None)
@example({"tool_calls": [{"function": {"name": "f", "arguments": '{"x":1' + "0" * 400 + "}"}}]}, None)
@example({"tool_calls": [{"id": "c", "function": {"name": "f"}, "extra_content": {"x": ODD}}]}, "stop")
@example({"reasoning": "x", "reasoning_details": [{"type": [], "index": {}}, {"signature": 5}]}, "stop")
def test_whatever_a_chat_says_is_a_message_or_broken(delta: dict[str, Any], finish: Any) -> None:
    said = encode({"choices": [{"delta": delta, "message": delta, "finish_reason": finish}]})
    with contextlib.suppress(UpstreamBroken):
        assert msgspec.json.decode(begin({}, ("chat",)).reply([said]))["type"] == "message"
    check_stream(begin({"stream": True}, ("chat",)), [sse.event(said), sse.DONE])


def check_stream(exchange: Exchange, frames: list[bytes]) -> None:
    out = b""
    try:
        out += exchange.feed(exchange.legs[0], frames)
        out += exchange.end(exchange.legs[0])
        out += exchange.closing()
    except UpstreamBroken:
        out += exchange.failure(BadGateway("It failed."))
    *_, last = sse.Splitter().feed(out)
    assert sse.name(last) in {b"message_stop", b"error"}
    assert isinstance(exchange.observed_text(), str)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.dictionaries(WORDS, ANYTHING, max_size=6), max_size=4))
@example([{"type": "message_start", "message": {"usage": {"input_tokens": ODD, "output_tokens": 1}}}])
@example([{"type": "content_block_start", "content_block": {"name": "f", "input": {"x": ODD}}}])
@example([{"type": "message_delta", "usage": {"input_tokens": 1, "output_tokens": 1, "iterations": [5, {}]}}])
def test_whatever_anthropic_says_passes_or_is_broken(events: list[dict[str, Any]]) -> None:
    with contextlib.suppress(UpstreamBroken):
        exchange = begin({}, ("messages",))
        exchange.reply([encode(events[0] if events else {})])
        assert isinstance(exchange.observed_text(), str)
    frames = [sse.event(encode(event), str(event.get("type")).encode()[:40] or None) for event in events]
    stream = begin({"stream": True}, ("messages",))
    check_stream(stream, [frame for frame in frames if frame[-2:] == b"\n\n"])


@pytest.mark.parametrize("spoken", PROVIDERS)
def test_deep_nesting_is_refused_not_crashed_on(spoken: tuple[DialectName, ...]) -> None:
    deep: Any = "x"
    for _ in range(200):
        deep = [deep]
    with contextlib.suppress(InvalidRequest):
        begin({"messages": [{"role": "user", "content": [{"type": "x", "y": deep}]}]}, spoken)
