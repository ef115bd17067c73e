"""Google's generateContent, whole and streamed (WIRE §10.2)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tests.fuzz.said import Said
from writingmate.types import Usage

Json = dict[str, Any]
_REASONS = {
    "stop": ("STOP",),
    "tool_calls": ("STOP",),
    "length": ("MAX_TOKENS",),
    "content_filter": ("SAFETY", "RECITATION", "PROHIBITED_CONTENT"),
}


@dataclass(frozen=True)
class Gemini:
    """A provider that speaks it."""

    def fits(self, said: Said) -> Said:
        """What is no refusal by itself; it always says what it took, and not what went into a cache."""
        usage = replace(said.usage or Usage(3, 2), written_tokens=0)
        return replace(said, refusal="", usage=usage)

    def whole(self, said: Said, chance: random.Random) -> Json:
        """One candidate, and what it took."""
        parts = [part for part in self._parts(said) if part]
        end = {"finishReason": chance.choice(_REASONS[said.finish])}
        return self._frame([self._candidate(parts) | end], _usage(said, chance))

    def events(self, said: Said, chance: random.Random) -> Iterator[Json | None]:
        """Frames of some parts each; counts so far come with each, why it ended with the last."""
        whole = self.whole(said, chance)
        (candidate,) = whole["candidates"]
        usage = whole["usageMetadata"]
        early = {"promptTokenCount": usage["promptTokenCount"], "totalTokenCount": usage["promptTokenCount"]}
        for part in candidate["content"]["parts"]:
            for piece in _pieces(part, chance):
                yield self._frame([self._candidate([piece])], chance.choice((early, usage)))
        last = [{"text": ""}] if chance.random() < 0.5 else []
        yield self._frame([self._candidate(last) | {"finishReason": candidate["finishReason"]}], usage)

    def _parts(self, said: Said) -> Iterator[Json]:
        if said.reasoning:
            yield {"text": said.reasoning, "thought": True}
        if said.text:
            yield {"text": said.text}
        for call, given in zip(said.calls, said.arguments(), strict=True):
            yield {"functionCall": {"id": call.id, "name": call.name, "args": given}}

    def _candidate(self, parts: list[Json]) -> Json:
        return {"content": {"parts": parts, "role": "model"}, "index": 0}

    def _frame(self, candidates: list[Json], usage: Json) -> Json:
        return {"candidates": candidates, "usageMetadata": usage, "modelVersion": "gemini", "responseId": "r"}


def _pieces(part: Json, chance: random.Random) -> Iterator[Json]:
    if "text" not in part:
        yield part
        return
    text = part["text"]
    while text:
        length = chance.randint(1, 30)
        yield part | {"text": text[:length]}
        text = text[length:]


def _usage(said: Said, chance: random.Random) -> Json:
    usage = said.usage or Usage()
    searched = usage.prompt_tokens // 3 if chance.random() < 0.2 else 0
    counts = {
        "promptTokenCount": usage.prompt_tokens - searched,
        "toolUsePromptTokenCount": searched,
        "cachedContentTokenCount": min(usage.cached_tokens, usage.prompt_tokens),
        "candidatesTokenCount": usage.completion_tokens - usage.reasoning_tokens,
        "thoughtsTokenCount": usage.reasoning_tokens,
        "totalTokenCount": usage.prompt_tokens + usage.completion_tokens,
    }
    return {name: count for name, count in counts.items() if count}
