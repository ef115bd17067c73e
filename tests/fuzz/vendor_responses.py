"""OpenAI's own responses: the object, and the events in their published order (WIRE §7.2, §7.3)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.fuzz.said import Said

Json = dict[str, Any]
_REASONS = {"length": "max_output_tokens", "content_filter": "content_filter"}


@dataclass(frozen=True)
class Responses:
    """A provider that speaks responses."""

    def fits(self, said: Said) -> Said:
        """All of it."""
        return said

    def whole(self, said: Said, chance: random.Random) -> Json:
        """The response."""
        del chance
        reason = _REASONS.get(said.finish)
        done = {"status": "completed"} if reason is None else {
            "status": "incomplete", "incomplete_details": {"reason": reason}}  # fmt: skip
        return self._response(output=list(self._items(said)), usage=_usage(said), **done)

    def events(self, said: Said, chance: random.Random) -> Iterator[Json | None]:
        """Numbered from 0; the end is named for the status."""
        last = self.whole(said, chance)
        told: list[Json] = [
            {"type": "response.created", "response": self._response()},
            {"type": "response.in_progress", "response": self._response()},
            *(event for at, item in enumerate(last["output"]) for event in self._told(at, item, chance)),
            {"type": f"response.{last['status']}", "response": last},
        ]
        for number, event in enumerate(told):
            yield {"type": event["type"], "sequence_number": number, **event}

    def _items(self, said: Said) -> Iterator[Json]:
        status = "incomplete" if said.finish in _REASONS else "completed"
        if said.reasoning:
            summary = [{"type": "summary_text", "text": said.reasoning}]
            yield {"id": "rs_1", "type": "reasoning", "summary": summary}
        if said.text or said.refusal:
            part: Json = {"type": "refusal", "refusal": said.refusal}
            if said.text:
                part = {"type": "output_text", "text": said.text, "annotations": [], "logprobs": []}
            yield {"id": "msg_1", "type": "message", "role": "assistant", "status": status, "content": [part]}
        for at, call in enumerate(said.calls):
            yield {"id": f"fc_{at}", "type": "function_call", "call_id": call.id, "name": call.name,
                   "arguments": call.arguments, "status": status}  # fmt: skip

    def _told(self, at: int, item: Json, chance: random.Random) -> Iterator[Json]:
        where = {"item_id": item["id"], "output_index": at}
        empty: Json
        if item["type"] == "reasoning":
            inner, empty = self._summary(where, item, chance), {"summary": []}
        elif item["type"] == "message":
            inner, empty = self._part(where, item, chance), {"content": [], "status": "in_progress"}
        else:
            inner, empty = self._call(where, item, chance), {"arguments": "", "status": "in_progress"}
        yield {"type": "response.output_item.added", "output_index": at, "item": item | empty}
        yield from inner
        yield {"type": "response.output_item.done", "output_index": at, "item": item}

    def _summary(self, where: Json, item: Json, chance: random.Random) -> Iterator[Json]:
        part, place = item["summary"][0], where | {"summary_index": 0}
        yield {"type": "response.reasoning_summary_part.added", **place, "part": part | {"text": ""}}
        for piece in _pieces(part["text"], chance):
            yield {"type": "response.reasoning_summary_text.delta", **place, "delta": piece}
        yield {"type": "response.reasoning_summary_text.done", **place, "text": part["text"]}
        yield {"type": "response.reasoning_summary_part.done", **place, "part": part}

    def _part(self, where: Json, item: Json, chance: random.Random) -> Iterator[Json]:
        part, place = item["content"][0], where | {"content_index": 0}
        form, member = part["type"], "refusal" if part["type"] == "refusal" else "text"
        tokens: Json = {} if form == "refusal" else {"logprobs": []}
        yield {"type": "response.content_part.added", **place, "part": part | {member: ""}}
        for piece in _pieces(part[member], chance):
            yield {"type": f"response.{form}.delta", **place, "delta": piece, **tokens}
        yield {"type": f"response.{form}.done", **place, member: part[member], **tokens}
        yield {"type": "response.content_part.done", **place, "part": part}

    def _call(self, where: Json, item: Json, chance: random.Random) -> Iterator[Json]:
        kind = "response.function_call_arguments"
        for piece in _pieces(item["arguments"], chance):
            yield {"type": f"{kind}.delta", **where, "delta": piece}
        yield {"type": f"{kind}.done", **where, "name": item["name"], "arguments": item["arguments"]}

    def _response(self, **members: Any) -> Json:
        return {
            "id": "resp_theirs", "object": "response", "created_at": 1_770_000_001, "status": "in_progress",
            "background": False, "completed_at": None, "error": None, "incomplete_details": None,
            "instructions": None, "max_output_tokens": None, "max_tool_calls": None, "model": "m",
            "output": [],
            "parallel_tool_calls": True, "previous_response_id": None, "prompt_cache_key": None,
            "reasoning": {"effort": None, "summary": None}, "safety_identifier": None,
            "service_tier": "default",
            "store": False, "temperature": 1.0,
            "text": {"format": {"type": "text"}, "verbosity": "medium"},
            "tool_choice": "auto", "tools": [], "top_logprobs": 0, "top_p": 1.0, "presence_penalty": 0.0,
            "frequency_penalty": 0.0, "truncation": "disabled", "usage": None, "user": None, "metadata": {},
        } | members  # fmt: skip


def _pieces(text: str, chance: random.Random) -> Iterator[str]:
    while text:
        length = chance.randint(1, 20)
        yield text[:length]
        text = text[length:]


def _usage(said: Said) -> Json | None:
    if said.usage is None:
        return None
    usage = said.usage
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.written_tokens,
        },
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
