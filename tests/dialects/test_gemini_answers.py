"""What Gemini says and does not say in its answers."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
import pytest
from google.genai.types import (
    BlockedReason,
    Candidate,
    FinishReason,
    FunctionCall,
    GenerateContentResponse,
    GenerateContentResponseUsageMetadata,
    LogprobsResult,
    Part,
)
from hypothesis import given
from hypothesis import strategies as st

from writingmate.dialects import gemini_reply
from writingmate.dialects.exchange import Exchange
from writingmate.dialects.gemini import GeminiSpoke
from writingmate.errors import UpstreamBroken
from writingmate.types import Usage
from writingmate.wire import document, sse
from writingmate.wire.sse import Splitter

FINISHES = {
    "FINISH_REASON_UNSPECIFIED": None,  # it goes on
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    "MALFORMED_FUNCTION_CALL": "stop",
    "UNEXPECTED_TOOL_CALL": "stop",
    "TOO_MANY_TOOL_CALLS": "stop",
    "MISSING_THOUGHT_SIGNATURE": "stop",
    "MALFORMED_RESPONSE": "stop",
    "IMAGE_OTHER": "stop",
    "NO_IMAGE": "stop",
    "OTHER": "stop",
    "PUP_LIMITED_DISABLED": "stop",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "ESCALATION": "content_filter",
    "MODEL_ARMOR": "content_filter",
}
FAULTS = [reason for reason, finish in FINISHES.items() if finish == "stop" and reason != "STOP"]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


def maybe(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Objects with any of these members, each as it should be or anything."""
    return st.fixed_dictionaries({}, optional={name: value | ANYTHING for name, value in members.items()})


PARTS = maybe(
    text=st.text(max_size=5),
    thought=st.booleans(),
    thoughtSignature=st.text(max_size=5),
    functionCall=maybe(id=st.text(max_size=3), name=st.text(max_size=3), args=maybe(a=st.integers())),
)
TOKENS = maybe(token=st.text(max_size=2), logProbability=st.floats())
CANDIDATES = maybe(
    content=maybe(parts=st.lists(PARTS, max_size=3)),
    finishReason=st.sampled_from(sorted(FINISHES)),
    index=st.integers(0, 2),
    logprobsResult=maybe(
        chosenCandidates=st.lists(TOKENS, max_size=2),
        topCandidates=st.lists(maybe(candidates=st.lists(TOKENS, max_size=2)), max_size=2),
    ),
)
COUNTS = ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount")
EVENTS = maybe(
    candidates=st.lists(CANDIDATES, max_size=3),
    usageMetadata=maybe(**dict.fromkeys(COUNTS, st.integers(0, 99))),
    promptFeedback=maybe(blockReason=st.just("SAFETY")),
    error=ANYTHING,
)


def spoke() -> GeminiSpoke:
    return GeminiSpoke(slug="a/b", request_id="r", created=1)


def framed(*events: dict[str, Any]) -> list[bytes]:
    return [sse.event(msgspec.json.encode(event)) for event in events]


def chunks(*events: dict[str, Any]) -> list[Any]:
    stream = spoke().stream()
    out = [frame for event in framed(*events) for frame in stream.feed([event])] + stream.end()
    return [None if frame == sse.DONE else msgspec.json.decode(sse.data(frame)) for frame in out]


def said(text: str, reason: str | None = None, **more: Any) -> dict[str, Any]:
    ended = {} if reason is None else {"finishReason": reason}
    return {"candidates": [{"content": {"parts": [{"text": text}]}, **ended}], **more}


def whole(body: dict[str, Any]) -> Any:
    return msgspec.json.decode(spoke().reply(msgspec.json.encode(body)))


def test_every_reason_has_its_finish_reason() -> None:
    assert set(FINISHES) == {reason.value for reason in FinishReason}
    for reason, finish in FINISHES.items():
        if finish is not None:
            assert whole(said("x", reason))["choices"][0]["finish_reason"] == finish
            assert chunks(said("x"), said("", reason))[-2]["choices"][0]["finish_reason"] == finish
    assert whole(said("x", "SOMETHING_NEW"))["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("reason", FAULTS)
def test_nothing_but_a_fault_is_no_answer(reason: str) -> None:
    with pytest.raises(UpstreamBroken, match=reason):
        whole({"candidates": [{"finishReason": reason}]})
    (failure,) = chunks({"candidates": [{"finishReason": reason}]})
    assert reason in failure["error"]


def test_a_fault_among_several_candidates_leaves_the_others() -> None:
    body = said("x", "STOP")
    body["candidates"].append({"finishReason": "OTHER", "index": 1})
    assert [choice["message"]["content"] for choice in whole(body)["choices"]] == ["x", ""]


@pytest.mark.parametrize("reason", [reason.value for reason in BlockedReason])
def test_a_blocked_prompt_is_filtered(reason: str) -> None:
    blocked = {"promptFeedback": {"blockReason": reason}}
    (choice,) = whole(blocked)["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == (None, "content_filter")
    opening, finish, done = chunks(blocked)
    assert opening["choices"][0]["delta"] == {"role": "assistant", "content": None}
    assert (finish["choices"][0]["finish_reason"], done) == ("content_filter", None)


@pytest.mark.parametrize(
    ("reported", "usage"),
    [
        ({"promptTokenCount": 5, "candidatesTokenCount": 1, "totalTokenCount": 6}, Usage(5, 1)),
        ({"promptTokenCount": 5, "candidatesTokenCount": 1, "thoughtsTokenCount": 3}, Usage(5, 4, 0, 3)),
        ({"promptTokenCount": 5, "thoughtsTokenCount": 3, "totalTokenCount": 8}, Usage(5, 3, 0, 3)),
        ({"promptTokenCount": 5, "thoughtsTokenCount": 3, "totalTokenCount": 9}, Usage(5, 4, 0, 3)),
        ({"promptTokenCount": 5, "totalTokenCount": 5}, Usage(5, 0)),
        ({"promptTokenCount": 5, "cachedContentTokenCount": 4, "candidatesTokenCount": 1}, Usage(5, 1, 4)),
        ({"promptTokenCount": 5, "cachedContentTokenCount": 9, "candidatesTokenCount": 1}, Usage(5, 1, 5)),
        (
            {"promptTokenCount": 5, "toolUsePromptTokenCount": 7, "totalTokenCount": 13},
            Usage(12, 1),
        ),
        ({"promptTokenCount": 0, "candidatesTokenCount": 2}, Usage(0, 2)),
    ],
)
def test_thoughts_are_written_and_tools_are_read(reported: object, usage: Usage) -> None:
    assert gemini_reply.usage(reported) == usage


@pytest.mark.parametrize(
    "reported",
    [None, 1, {}, {"candidatesTokenCount": 1}, {"promptTokenCount": "1"}, {"promptTokenCount": -1}],
)
def test_half_a_report_is_none(reported: object) -> None:
    assert gemini_reply.usage(reported) is None


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"<html>", b"{}", b'{"candidates":[]}', b'{"candidates":[1]}', b'{"error":{}}']
)
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(UpstreamBroken, match="no candidates"):
        spoke().reply(body)


def test_an_empty_answer_is_one() -> None:
    made = whole({"candidates": [{"finishReason": "STOP"}]})
    assert made["choices"][0]["message"]["content"] == ""
    assert "usage" not in made


def test_a_signature_of_text_is_the_messages() -> None:
    parts = [{"text": "x"}, {"text": "", "thoughtSignature": "c2lnbmVk"}]
    message = whole({"candidates": [{"content": {"parts": parts}}]})["choices"][0]["message"]
    assert (message["content"], message["extra_content"]) == (
        "x",
        {"google": {"thought_signature": "c2lnbmVk"}},
    )
    (entry,) = message["reasoning_details"]
    assert (entry["data"], "id" in entry) == ("c2lnbmVk", False)


def test_a_message_carries_one_signature_of_text_however_many_come() -> None:
    signed = [{"text": "x", "thoughtSignature": each} for each in ("b25l", "dHdv")]
    made = chunks(*({"candidates": [{"content": {"parts": [part]}}]} for part in signed))
    deltas = [chunk["choices"][0]["delta"] for chunk in made]
    carried = [delta["extra_content"] for delta in deltas if "extra_content" in delta]
    assert carried == [{"google": {"thought_signature": "b25l"}}]
    details = [entry for delta in deltas for entry in delta.get("reasoning_details", ())]
    assert [(entry["data"], entry["index"]) for entry in details] == [("b25l", 0), ("dHdv", 1)]


def test_a_frame_without_data_says_nothing() -> None:
    assert spoke().stream().feed([b"data: \n\n", b": still here\n\n"]) == []


def test_a_frame_that_is_no_object_is_an_error() -> None:
    (failure,) = spoke().stream().feed([b"data: <html>\n\n"])
    assert msgspec.json.decode(sse.data(failure)) == {"error": "<html>"}


def test_the_last_count_is_the_one() -> None:
    counts = [{"promptTokenCount": 9, "candidatesTokenCount": count} for count in (1, 2, 5)]
    events = [said("x", usageMetadata=each) for each in counts[:2]]
    made = chunks(*events, said("x", "STOP", usageMetadata=counts[2]))
    assert [chunk["usage"]["completion_tokens"] for chunk in made if chunk and "usage" in chunk] == [5]


def test_it_is_over_when_every_candidate_is() -> None:
    one = said("x", "STOP")
    two = said("y")
    two["candidates"][0]["index"] = 1
    assert chunks(one)[-1] is None
    assert chunks(one, two)[-1] is not None
    assert chunks() == []


def exchange(**fields: Any) -> Exchange:
    asked = {"model": "a/b", "messages": [{"role": "user", "content": "x"}], "stream": True, **fields}
    request = document.parse(msgspec.json.encode(asked))
    return Exchange.begin("chat", request, ["gemini"], model="gemini-x", slug="a/b", request_id="r")


def test_what_a_stream_took_is_known_before_its_end() -> None:
    begun = exchange()
    (leg,) = begun.legs
    begun.feed(leg, framed(said("x", usageMetadata={"promptTokenCount": 9, "totalTokenCount": 9})))
    assert begun.usage_so_far is None
    counts = {"promptTokenCount": 9, "candidatesTokenCount": 2, "thoughtsTokenCount": 3}
    begun.feed(leg, framed(said("x", usageMetadata=counts)))
    assert begun.usage is None
    assert begun.usage_so_far == Usage(9, 5, 0, 3)
    begun.feed(leg, framed(said("", "STOP")))
    begun.end(leg)
    assert begun.usage == begun.usage_so_far == Usage(9, 5, 0, 3)


def test_of_several_calls_it_is_known_if_it_is_of_all_that_answered() -> None:
    request = document.parse(b'{"model": "a/b", "prompt": ["x", "y"], "stream": true}')
    begun = Exchange.begin("completions", request, ["gemini"], model="m", slug="a/b", request_id="r")
    one, two = begun.legs
    counts = {"promptTokenCount": 9, "candidatesTokenCount": 2}
    begun.feed(one, framed(said("x", "STOP", usageMetadata=counts)))
    begun.end(one)
    assert begun.usage_so_far == Usage(9, 2)
    begun.feed(two, framed(said("y")))
    assert begun.usage_so_far is None
    begun.feed(two, framed(said("y", usageMetadata=counts)))
    assert begun.usage_so_far == Usage(18, 4)


STREAM = b"".join(
    frame.replace(b"\n", b"\r\n")
    for frame in framed(
        said("Héllo", usageMetadata={"promptTokenCount": 9}),
        {"candidates": [{"content": {"parts": [{"functionCall": {"name": "f", "args": {"a": "\n"}}}]}}]},
        said("!", "STOP", usageMetadata={"promptTokenCount": 9, "candidatesTokenCount": 2}),
    )
)


@given(st.lists(st.integers(0, len(STREAM)), max_size=6))
def test_however_it_is_cut_into_pieces_it_says_the_same(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(STREAM)]
    splitter, stream = Splitter(), spoke().stream()
    out = [frame for at, until in pairwise(places) for frame in stream.feed(splitter.feed(STREAM[at:until]))]
    once = spoke().stream()
    assert out + stream.end() == once.feed(Splitter().feed(STREAM)) + once.end()


@given(st.integers(0, len(STREAM) - 1))
def test_wherever_it_stops_it_is_over_or_broken(cut: int) -> None:
    begun = exchange()
    (leg,) = begun.legs
    frames = Splitter().feed(STREAM[:cut])
    begun.feed(leg, frames)
    if len(frames) == 3:
        begun.end(leg)
    else:
        with pytest.raises(UpstreamBroken):
            begun.end(leg)


@given(st.lists(EVENTS, max_size=6))
def test_whatever_comes_makes_frames_of_chat(events: list[dict[str, Any]]) -> None:
    for chunk in chunks(*events):
        assert chunk is None or {"choices", "error"} & chunk.keys()


@given(EVENTS)
def test_whatever_comes_whole_is_an_answer_or_none(event: dict[str, Any]) -> None:
    try:
        made = whole(event)
    except UpstreamBroken:
        return
    assert made["choices"]


#: What is read of an answer, by Google's types of it.
READ: dict[Any, set[str]] = {
    GenerateContentResponse: {"candidates", "prompt_feedback", "usage_metadata"},
    Candidate: {"content", "finish_reason", "index", "logprobs_result"},
    Part: {"function_call", "text", "thought", "thought_signature"},
    FunctionCall: {"id", "name", "args"},
    GenerateContentResponseUsageMetadata: {
        "prompt_token_count",
        "candidates_token_count",
        "thoughts_token_count",
        "cached_content_token_count",
        "tool_use_prompt_token_count",
        "total_token_count",
    },
    LogprobsResult: {"chosen_candidates", "top_candidates"},
}
#: What is not: about the call, the same in other words, or only there if it is asked for, which it is not.
LEFT_OUT: dict[Any, set[str]] = {
    GenerateContentResponse: {
        "sdk_http_response",
        "create_time",
        "model_version",
        "response_id",
        "model_status",
        "automatic_function_calling_history",
        "parsed",
    },
    Candidate: {
        "citation_metadata",
        "finish_message",
        "token_count",
        "grounding_metadata",
        "avg_logprobs",
        "safety_ratings",
        "url_context_metadata",
        "continuation_token",
    },
    Part: {
        "media_resolution",
        "code_execution_result",
        "executable_code",
        "file_data",
        "function_response",
        "inline_data",
        "video_metadata",
        "tool_call",
        "tool_response",
        "part_metadata",
        "audio_transcription",
        "media_processing",
        "speech_metadata",
        "document_metadata",
        "spreadsheet_metadata",
        "audio_metadata",
    },
    FunctionCall: {"partial_args", "will_continue"},
    GenerateContentResponseUsageMetadata: {
        "cache_tokens_details",
        "candidates_tokens_details",
        "prompt_tokens_details",
        "tool_use_prompt_tokens_details",
        "traffic_type",
    },
    LogprobsResult: {"log_probability_sum"},
}


@pytest.mark.parametrize("kind", READ, ids=lambda kind: str(kind.__name__))
def test_every_member_of_an_answer_is_read_or_left_out_knowingly(kind: Any) -> None:
    assert READ[kind] | LEFT_OUT[kind] == set(kind.model_fields)
