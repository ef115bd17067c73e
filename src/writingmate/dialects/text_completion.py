"""The shape of an answer in the completions dialect, whole and in chunks (WIRE §6)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from writingmate.types import Usage
from writingmate.wire import sse

_REASONS = {"stop": "stop", "length": "length", "content_filter": "content_filter"}


class Choice(msgspec.Struct):
    """One completion, or a piece of one."""

    text: str
    index: int
    logprobs: dict[str, Any] | None = None
    finish_reason: str | None = None


class _Completion(msgspec.Struct):
    id: str
    object: str
    created: int
    model: str
    choices: Sequence[Choice]
    usage: dict[str, Any] | msgspec.UnsetType | None = msgspec.UNSET
    system_fingerprint: str | msgspec.UnsetType = msgspec.UNSET


class Answer:
    """What every body and chunk of one answer says alike: id, time, model."""

    def __init__(self, *, reply_id: str, model: str, usage_asked: bool) -> None:
        self._id = reply_id
        self._model = model
        self._usage_asked = usage_asked
        self._created = 0
        self._fingerprint: str | msgspec.UnsetType = msgspec.UNSET

    def began(self, said: Mapping[str, Any]) -> None:
        """Take the time and the fingerprint from the first members that the provider sent."""
        if self._created:
            return
        created, fingerprint = said.get("created"), said.get("system_fingerprint")
        self._created = created if type(created) is int and created > 0 else int(time.time())
        if isinstance(fingerprint, str):
            self._fingerprint = fingerprint

    def whole(self, choices: Sequence[Choice], usage: Usage | None) -> bytes:
        """The body of an answer that is not streamed."""
        return msgspec.json.encode(self._completion(choices, usage_object(usage) if usage else msgspec.UNSET))

    def chunk(self, choice: Choice) -> bytes:
        """A frame with a piece of text."""
        return sse.event(
            msgspec.json.encode(self._completion((choice,), None if self._usage_asked else msgspec.UNSET))
        )

    def usage_chunk(self, usage: Usage | None) -> bytes:
        """The frame with the usage, if it was asked for and is known."""
        if usage is None or not self._usage_asked:
            return b""
        return sse.event(msgspec.json.encode(self._completion((), usage_object(usage))))

    def _completion(
        self, choices: Sequence[Choice], usage: dict[str, Any] | msgspec.UnsetType | None
    ) -> _Completion:
        return _Completion(
            self._id, "text_completion", self._created, self._model, choices, usage, self._fingerprint
        )


def usage_object(usage: Usage) -> dict[str, Any]:
    """OpenAI's usage object, normalised: cached in the prompt, reasoning in the completion."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.written_tokens,
        },
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }


def finish_reason(reason: object) -> str | None:
    """The dialect's three words; what it has no word for, such as tool_calls, is a stop."""
    if reason is None:
        return None
    return _REASONS.get(str(reason), "stop")


def message_text(message: Mapping[str, Any]) -> str:
    """What a chat message or delta says to the reader, without the model's reasoning."""
    content = message.get("content")
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, dict))
        return "".join(part for part in parts if isinstance(part, str))
    if isinstance(content, str) and content:
        return content
    refusal = message.get("refusal")
    return refusal if isinstance(refusal, str) else ""
