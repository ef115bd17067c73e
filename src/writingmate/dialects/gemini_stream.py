"""A stream of Gemini's as a stream of chat chunks (WIRE §5.3, §10.2).

Nothing in it says that it is over, and its counts are cumulative. So what ends a choice, and what it took,
is said at the end, when nothing can follow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from writingmate.dialects import choices, gemini_reply
from writingmate.dialects.chat_completion import ChatAnswer
from writingmate.dialects.gemini_candidate import Candidate, Reading
from writingmate.dialects.gemini_logprobs import logprobs
from writingmate.types import Usage
from writingmate.wire import sse

_LONGEST_DETAIL = 300
_OPENING = {"role": "assistant", "content": ""}


class GeminiStream:
    """One stream's state: its candidates, the usage so far."""

    def __init__(self, answer: ChatAnswer, reading: Reading) -> None:
        self._answer = answer
        self._reading = reading
        self._candidates: dict[int, Candidate] = {}
        self._last: dict[str, Any] = {}
        self._blocked = False
        self._failed = False

    @property
    def usage(self) -> Usage | None:
        """What it took so far, if that is known."""
        reported = self._last.get("usageMetadata", {})
        return gemini_reply.usage(reported) if gemini_reply.says_completion(reported) else None

    def feed(self, frames: Sequence[bytes]) -> list[bytes]:
        """The chunks that the frames make; an error of theirs is an error frame."""
        return [chunk for frame in frames for chunk in self._chunks(frame)]

    def end(self) -> list[bytes]:
        """The ends of all choices, the usage and [DONE]; nothing if the stream was cut or has failed."""
        reasons = [candidate.reason for candidate in self._candidates.values()]
        if self._failed or None in reasons or not (reasons or self._blocked):
            return []
        ends = [
            self._answer.chunk({}, candidate.finish_reason, index=place)
            for place, candidate in sorted(self._candidates.items())
        ]
        if not ends:
            ends = [
                self._answer.chunk(_OPENING | {"content": None}),
                self._answer.chunk({}, "content_filter"),
            ]
        usage = gemini_reply.usage_of(self._last)
        if usage is not None:
            ends.append(self._answer.usage_chunk(usage))
        return [*ends, sse.DONE]

    def _chunks(self, frame: bytes) -> Iterator[bytes]:
        data = sse.data(frame)
        if not data.strip():
            return
        said = choices.members(data)
        if not said or said.get("error"):
            yield self._failure(said.get("error") or data[:_LONGEST_DETAIL].decode("utf-8", "replace"))
            return
        if isinstance(said.get("usageMetadata"), dict):
            self._last = {"usageMetadata": said["usageMetadata"]}
        self._blocked = self._blocked or gemini_reply.blocked(said)
        for place, each in gemini_reply.candidates(said):
            yield from self._more(place, each)

    def _more(self, place: int, said: dict[str, Any]) -> Iterator[bytes]:
        candidate = self._candidates.get(place)
        opened = candidate is not None
        if candidate is None:
            candidate = self._candidates[place] = Candidate(self._reading, place)
        deltas = list(candidate.deltas(said))
        if candidate.faulty:
            yield self._failure(f"the candidate ended with {candidate.reason}")
            return
        if not opened:
            yield self._answer.chunk(_OPENING, index=place)
        tokens = logprobs(said)
        for delta in deltas:
            with_tokens, tokens = (tokens, None) if "content" in delta else (None, tokens)
            for piece in _pieces(delta):
                yield self._answer.chunk(piece, index=place, logprobs=with_tokens)

    def _failure(self, error: object) -> bytes:
        self._failed = True
        return sse.event(msgspec.json.encode({"error": error}))


def _pieces(delta: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A call comes in two: what it is, and its arguments."""
    if "tool_calls" not in delta:
        yield delta
        return
    (call,) = delta["tool_calls"]
    function = call["function"]
    yield {**delta, "tool_calls": [call | {"function": function | {"arguments": ""}}]}
    yield {"tool_calls": [{"index": call["index"], "function": {"arguments": function["arguments"]}}]}
