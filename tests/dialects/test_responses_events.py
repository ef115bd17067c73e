"""Recorded responses against the official types, and their events against the published order."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from tests.dialects.recordings import Recording, frames, recordings
from writingmate.wire import sse

EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)

#: What the published specification of the format requires in every response.
KEYS = {
    "id",
    "object",
    "created_at",
    "completed_at",
    "status",
    "background",
    "error",
    "incomplete_details",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "model",
    "output",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt_cache_key",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "truncation",
    "usage",
    "user",
    "metadata",
}

BEGUN = ["response.created", "response.in_progress"]
TEXT = [
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
]
THOUGHT = [
    "response.output_item.added",
    "response.reasoning_summary_part.added",
    "response.reasoning_summary_text.delta",
    "response.reasoning_summary_text.done",
    "response.reasoning_summary_part.done",
    "response.output_item.done",
]
CALLED = [
    "response.output_item.added",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.output_item.done",
]
PATCHED = [name.replace("function_call_arguments", "custom_tool_call_input") for name in CALLED]
REFUSED = [name.replace("output_text", "refusal") for name in TEXT[1:5]]
ORDERS = {
    "stream": [*BEGUN, *TEXT, "response.completed"],
    "stream-incomplete": [*BEGUN, *TEXT, "response.incomplete"],
    "stream-error": [*BEGUN, *TEXT[:3], "error", "response.failed"],
    "stream-refusal": [*BEGUN, *TEXT[:5], *REFUSED, TEXT[5], "response.completed"],
    "stream-reasoning-tools": [
        *BEGUN, *THOUGHT, *TEXT, *CALLED, *PATCHED, *CALLED, "response.completed",
    ],
}  # fmt: skip


def named(case: Recording) -> str:
    return f"{case.codec}/{case.folder.name}"


CASES = [case for case in recordings() if case.codec.startswith("responses") and case.answer]


@pytest.mark.parametrize("case", [case for case in CASES if not case.streaming], ids=named)
def test_the_official_type_reads_a_response(case: Recording) -> None:
    made = msgspec.json.decode(case.answer)
    assert set(made) == KEYS
    Response.model_validate(made, strict=True)


@pytest.mark.parametrize("case", [case for case in CASES if case.streaming], ids=named)
def test_the_official_types_read_every_event(case: Recording) -> None:
    *events, last = frames(case.answer)
    assert last == sse.DONE
    made: dict[str, Any] = {}
    added, done = [], []
    for number, frame in enumerate(events):
        made = msgspec.json.decode(sse.data(frame))
        assert sse.name(frame).decode() == made["type"]
        assert made["sequence_number"] == number
        assert EVENTS.validate_python(made).type == made["type"]
        if "response" in made:
            assert set(made["response"]) == KEYS
        added += [made["item"]["id"]] if made["type"] == "response.output_item.added" else []
        done += [made["item"]] if made["type"] == "response.output_item.done" else []
    if "broken" not in case.facts:
        assert made["response"]["output"] == done
        assert [item["id"] for item in done] == added


@pytest.mark.parametrize("name", ORDERS)
def test_events_come_in_the_published_order(name: str) -> None:
    case = next(case for case in CASES if named(case) == f"responses_over_chat/{name}")
    names = [sse.name(frame).decode() for frame in frames(case.answer)[:-1]]
    assert [each for at, each in enumerate(names) if _is_first(names, at)] == ORDERS[name]


def _is_first(names: list[str], at: int) -> bool:
    """Of deltas, which may be any number, the first."""
    return not names[at].endswith("delta") or names[at - 1] != names[at]
