"""What Anthropic says and does not say in its answers."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest
from anthropic.types import StopReason
from hypothesis import given
from hypothesis import strategies as st

from writingmate.dialects import messages_reply
from writingmate.dialects.messages import MessagesSpoke
from writingmate.errors import UpstreamBroken
from writingmate.wire import sse

FINISHES = {
    "end_turn": "stop",
    "max_tokens": "length",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "pause_turn": "stop",
    "refusal": "content_filter",
    "model_context_window_exceeded": "length",
}
#: Drawn from a list: trees that are built anew for each of thirty members take a second an example.
ANYTHING: st.SearchStrategy[Any] = st.sampled_from(
    [None, False, True, 0, -9, 7, 10**30, 0.5, "", "x", "end_turn", "{}", '{"a":', "\x00\ud7ff", [], [None],
     ["x"], {}, {"type": "text"}, {"type": None, "text": []}, {"content": [{"type": "text", "text": 1}]},
     {"usage": {"input_tokens": 3, "output_tokens": None}}, {"input_tokens": 3, "output_tokens": 2},
     {"input_tokens": -1, "output_tokens": True, "cache_read_input_tokens": "x"},
     {"message": "Overloaded", "type": "overloaded_error"}, {"a": {"b": [{}, [[]]]}}]
)  # fmt: skip
KINDS = (
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
    "ping",
    "error",
    "something_new",
)
BLOCKS = ("text", "thinking", "redacted_thinking", "tool_use", "new")
DELTAS = ("text_delta", "thinking_delta", "signature_delta", "input_json_delta", "citations_delta")
MEMBERS = ("text", "thinking", "signature", "partial_json", "stop_reason", "data", "id", "name", "input")


def typed(kinds: tuple[str, ...], members: tuple[str, ...] = MEMBERS) -> st.SearchStrategy[dict[str, Any]]:
    """Objects of these types, with anything in them."""
    said = st.dictionaries(st.sampled_from(members), ANYTHING, max_size=4)
    return st.builds(lambda kind, said: {"type": kind, **said}, st.sampled_from(kinds), said)


EVENTS = st.builds(
    lambda event, block, delta: {**event, "content_block": block, "delta": delta},
    typed(KINDS, ("message", "usage", "error")),
    typed(BLOCKS),
    typed(DELTAS),
)


def spoke() -> MessagesSpoke:
    return MessagesSpoke(slug="a/b", request_id="r", cap=10, created=1)


def chunks(*events: dict[str, Any]) -> list[Any]:
    frames = [sse.event(msgspec.json.encode(event), event["type"].encode()) for event in events]
    out = spoke().stream().feed(frames)
    return [None if frame == sse.DONE else msgspec.json.decode(sse.data(frame)) for frame in out]


def test_every_stop_reason_has_its_finish_reason() -> None:
    assert set(FINISHES) == set(get_args(StopReason))
    assert {reason: messages_reply.finish_reason(reason) for reason in FINISHES} == FINISHES
    assert messages_reply.finish_reason("something_new") == "stop"


@pytest.mark.parametrize(
    ("reported", "prompt", "cached", "written"),
    [
        ({"input_tokens": 5, "output_tokens": 1}, 5, 0, 0),
        ({"input_tokens": 0, "output_tokens": 1, "cache_read_input_tokens": 7}, 7, 7, 0),
        ({"input_tokens": 2, "output_tokens": 1, "cache_creation_input_tokens": 7}, 9, 0, 7),
        ({"input_tokens": 2, "output_tokens": 1, "cache_read_input_tokens": None}, 2, 0, 0),
    ],
)
def test_the_prompt_is_all_of_it(reported: object, prompt: int, cached: int, written: int) -> None:
    usage = messages_reply.usage(reported)
    assert usage is not None
    assert (usage["prompt_tokens"], usage["total_tokens"]) == (prompt, prompt + 1)
    details = usage["prompt_tokens_details"]
    assert (details["cached_tokens"], details["cache_write_tokens"]) == (cached, written)


@pytest.mark.parametrize(
    "reported", [None, 1, {}, {"input_tokens": 1}, {"input_tokens": "1", "output_tokens": 1}]
)
def test_half_a_report_is_none(reported: object) -> None:
    assert messages_reply.usage(reported) is None


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"type":"message"}', b'{"content":{}}'])
def test_what_is_no_message(body: bytes) -> None:
    with pytest.raises(UpstreamBroken, match="no message"):
        spoke().reply(body)


def test_an_empty_answer_is_one() -> None:
    said = msgspec.json.decode(spoke().reply(b'{"content":[],"stop_reason":"end_turn"}'))
    assert said["choices"][0]["message"]["content"] == ""
    assert "usage" not in said


def test_a_call_whose_arguments_come_with_its_beginning() -> None:
    block = {"type": "tool_use", "id": "t", "name": "look", "input": {"a": 1}}
    _, arguments = chunks(
        {"type": "content_block_start", "index": 0, "content_block": block}, {"type": "content_block_stop"}
    )
    (call,) = arguments["choices"][0]["delta"]["tool_calls"]
    assert call == {"index": 0, "function": {"arguments": '{"a":1}'}}


def test_a_frame_that_is_no_event_is_an_error() -> None:
    (failure,) = spoke().stream().feed([b"data: <html>\n\n"])
    assert msgspec.json.decode(sse.data(failure)) == {"error": "<html>"}


def test_it_finishes_once() -> None:
    end = {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn"},
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    made = chunks(end, end, {"type": "message_stop"})
    assert [chunk and len(chunk["choices"]) for chunk in made] == [1, 0, None]


@given(st.lists(EVENTS, max_size=8))
def test_whatever_comes_makes_frames_of_chat(events: list[dict[str, Any]]) -> None:
    for chunk in chunks(*events):
        assert chunk is None or {"choices", "error"} & chunk.keys()
