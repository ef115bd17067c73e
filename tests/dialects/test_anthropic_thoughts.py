"""Thinking goes there and back: what a chat provider sent with it returns to the same model, to no other."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.dialects.test_anthropic_request import HELLO, begun, sent
from writingmate.dialects import anthropic_thoughts
from writingmate.errors import UpstreamBroken
from writingmate.wire import sse

DATA = {
    "type": "reasoning.encrypted",
    "data": "gAAA",
    "id": "rs_1",
    "format": "openai-responses-v1",
    "index": 1,
}
SUMMARY = {"type": "reasoning.summary", "summary": "Hm.", "format": "openai-responses-v1", "index": 0}
CLAUDES = {
    "type": "reasoning.text",
    "text": "Hm.",
    "signature": "EqQB",
    "format": "anthropic-claude-v1",
    "index": 0,
}
HIDDEN = {"type": "reasoning.encrypted", "data": "Abc=", "format": "anthropic-claude-v1", "index": 1}
CALL = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
THOUGHTS = ("reasoning_content", "reasoning", "reasoning_details")
SIGNED = CALL | {"extra_content": {"google": {"thought_signature": "Cs"}}}

#: What a model said, and what of it comes back beside its words.
MESSAGES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"content": "x", "reasoning_content": "Hm."}, {"reasoning_content": "Hm."}),
    ({"content": "x", "reasoning": "Hm."}, {}),
    ({"content": "x", "reasoning": "Hm.", "reasoning_details": [SUMMARY]}, {"reasoning_details": [SUMMARY]}),
    (
        {"content": "x", "reasoning": "Hm.", "reasoning_details": [SUMMARY, DATA]},
        {"reasoning_details": [SUMMARY, DATA]},
    ),
    ({"content": "x", "reasoning_details": [DATA]}, {"reasoning_details": [DATA]}),
    ({"content": None, "tool_calls": [SIGNED]}, {"tool_calls": [SIGNED]}),
    (
        {"content": "x", "reasoning_content": "Hm.", "reasoning_details": [SUMMARY], "tool_calls": [SIGNED]},
        {"reasoning_content": "Hm.", "reasoning_details": [SUMMARY], "tool_calls": [SIGNED]},
    ),
]


def answered(message: dict[str, Any], model: str, **fields: Any) -> list[dict[str, Any]]:
    body = {"choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}]}
    made = begun(fields, model).reply([msgspec.json.encode(body)])
    return msgspec.json.decode(made)["content"]  # type: ignore[no-any-return]


def streamed(message: dict[str, Any], model: str, **fields: Any) -> list[dict[str, Any]]:
    """The blocks that the events make, as a client puts them together."""
    exchange = begun({"stream": True, **fields}, model)
    calls = [{"index": at, **call} for at, call in enumerate(message.get("tool_calls") or ())]
    thoughts = {name: message[name] for name in THOUGHTS if name in message}
    said = [thoughts, {"content": message["content"]}, *({"tool_calls": [call]} for call in calls)]
    deltas = [delta for delta in said if any(delta.values())]
    chunks = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    frames = [*(sse.event(msgspec.json.encode(chunk)) for chunk in chunks), sse.DONE]
    out = exchange.feed(exchange.legs[0], frames) + exchange.end(exchange.legs[0])
    blocks: list[dict[str, Any]] = []
    for frame in sse.Splitter().feed(out):
        event = msgspec.json.decode(sse.data(frame))
        if event["type"] == "content_block_start":
            assert event["index"] == len(blocks)
            blocks.append(event["content_block"])
        elif event["type"] == "content_block_delta":
            delta = dict(event["delta"])
            kind = delta.pop("type")
            if kind == "input_json_delta":
                blocks[-1]["input"] = msgspec.json.decode(delta["partial_json"])
                continue
            for name, value in delta.items():
                blocks[-1][name] += value
    return blocks


def returned(content: list[dict[str, Any]], model: str) -> dict[str, Any]:
    turns = [*HELLO, {"role": "assistant", "content": content}, *HELLO]
    return sent({"messages": turns}, model)["messages"][1]  # type: ignore[no-any-return]


@pytest.mark.parametrize(("message", "back"), MESSAGES, ids=str)
@pytest.mark.parametrize("how", [answered, streamed])
def test_it_returns_to_its_model_and_to_no_other(
    message: dict[str, Any], back: dict[str, Any], how: Any
) -> None:
    content = how(message, "gpt-5")
    plain = {"role": "assistant", "content": message["content"]}
    assert returned(content, "gpt-5") == {**plain, **back}
    calls = {"tool_calls": [CALL]} if "tool_calls" in message else {}
    assert returned(content, "gpt-6") == {**plain, **calls}


def test_a_stream_and_an_answer_of_one_piece_come_to_the_same_blocks() -> None:
    for message, _ in MESSAGES:
        assert streamed(message, "gpt-5") == answered(message, "gpt-5")


def test_claudes_own_signature_is_kept_for_every_route() -> None:
    model = "anthropic/claude-opus-5"
    message = {"content": "x", "reasoning": "Hm.", "reasoning_details": [CLAUDES]}
    thought = {"type": "thinking", "thinking": "Hm.", "signature": "EqQB"}
    assert answered(message, model) == [thought, {"type": "text", "text": "x"}]
    assert returned([thought], model)["reasoning_details"] == [CLAUDES]
    hidden = {"type": "redacted_thinking", "data": "Abc="}
    assert answered({"content": "x", "reasoning_details": [HIDDEN]}, model)[0] == hidden
    assert returned([thought, hidden], model)["reasoning_details"] == [CLAUDES, HIDDEN]
    assert "reasoning_details" not in returned([thought, hidden], "gpt-5")


def test_thinking_that_is_not_to_be_shown() -> None:
    omitted = {"thinking": {"type": "adaptive", "display": "omitted"}}
    message = {"content": "x", "reasoning": "Hm.", "reasoning_content": "Hm.", "reasoning_details": [SUMMARY]}
    for how in (answered, streamed):
        content = how({**message}, "gpt-5", **omitted)
        assert content[0]["thinking"] == ""
        assert returned(content, "gpt-5")["reasoning_details"] == [SUMMARY]


def test_pieces_of_a_stream_are_put_together() -> None:
    pieces = [
        {"type": "reasoning.text", "text": "Let", "index": 0, "format": "x", "signature": None},
        {"type": "reasoning.text", "text": " me", "index": 0, "format": "x"},
        {"type": "reasoning.text", "signature": "s", "index": 0, "format": None},
        {"type": "reasoning.encrypted", "data": "a", "index": 1},
        {"type": "reasoning.encrypted", "data": "b", "index": 2},
    ]
    assert anthropic_thoughts.joined(pieces) == [
        {"type": "reasoning.text", "text": "Let me", "index": 0, "format": "x", "signature": "s"},
        {"type": "reasoning.encrypted", "data": "a", "index": 1},
        {"type": "reasoning.encrypted", "data": "b", "index": 2},
    ]


@pytest.mark.parametrize("proof", ["wm1.", "wm1.?", "wm1.W10=", "wm1.e30=", "EqQB", ""])
def test_a_signature_that_was_changed_brings_nothing_back(proof: str) -> None:
    thought = {"type": "thinking", "thinking": "Hm.", "signature": proof}
    assert returned([thought, {"type": "text", "text": "x"}], "gpt-5") == {
        "role": "assistant",
        "content": "x",
    }


@pytest.mark.parametrize(
    "calls",
    [[{"index": 0, "function": {"arguments": "{}"}}], [CALL | {"index": 0}, CALL | {"index": 1, "id": "d"},
                                                      {"index": 0, "function": {"arguments": "x"}}]],
)  # fmt: skip
def test_calls_that_make_no_sense_break_the_stream(calls: list[dict[str, Any]]) -> None:
    exchange = begun({"stream": True})
    frames = [
        sse.event(msgspec.json.encode({"choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}))
        for call in calls
    ]
    exchange.feed(exchange.legs[0], frames)  # what came before it is passed on first
    with pytest.raises(UpstreamBroken, match="a call of a tool"):
        exchange.end(exchange.legs[0])


def test_calls_in_other_shapes() -> None:
    unnamed = {"type": "function", "function": {"name": "look", "arguments": {"a": 1}}}
    block = answered({"content": None, "tool_calls": [unnamed, "x"]}, "m")[0]
    assert block == {"type": "tool_use", "id": "toolu_1_1", "name": "look", "input": {"a": 1}}


@pytest.mark.parametrize("body", [{}, {"choices": []}, {"choices": [{}, {}]}, {"choices": [{"message": 5}]}])
def test_what_is_no_answer_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(UpstreamBroken):
        begun({}).reply([msgspec.json.encode(body)])


@pytest.mark.parametrize(
    ("finish", "calls", "reason"),
    [
        ("stop", False, "end_turn"),
        ("stop", True, "tool_use"),
        ("length", True, "max_tokens"),
        ("tool_calls", True, "tool_use"),
        ("function_call", False, "tool_use"),
        ("content_filter", False, "refusal"),
        ("new", False, "end_turn"),
        (None, True, "tool_use"),
    ],
)
def test_why_it_stopped(finish: str | None, *, calls: bool, reason: str) -> None:
    message = {"role": "assistant", "content": "x", "tool_calls": [CALL] if calls else None}
    body = {"choices": [{"index": 0, "message": message, "finish_reason": finish}]}
    made = msgspec.json.decode(begun({}).reply([msgspec.json.encode(body)]))
    assert (made["stop_reason"], made["stop_sequence"]) == (reason, None)
