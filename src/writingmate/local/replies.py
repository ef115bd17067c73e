"""Answers as OpenAI's chat dialect has them: chunks, or one body (WIRE §5.2, §5.3)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import msgspec

from writingmate.local.calls import Call
from writingmate.local.manifest import LocalModel
from writingmate.local.reading import Delta
from writingmate.local.requests import Request
from writingmate.types import Usage
from writingmate.wire import sse


class _Answer:
    """What every chunk and body of one answer carries."""

    def __init__(self, model: LocalModel, request: Request) -> None:
        self._request = request
        self._common = {
            "id": f"chatcmpl-{os.urandom(12).hex()}",
            "created": int(time.time()),
            "model": model.slug,
            "service_tier": "default",
            "system_fingerprint": f"fp_{model.sha256[:12]}",
        }

    def _logprobs(self, content: list[Any]) -> dict[str, Any] | None:
        if self._request.alternatives is None:
            return None
        return {"content": content, "refusal": None}


class Stream(_Answer):
    """Chunks of an answer."""

    def __init__(self, model: LocalModel, request: Request) -> None:
        super().__init__(model, request)
        self._begun: set[int] = set()

    def frames(self, delta: Delta) -> list[bytes]:
        """The events that say what is new."""
        said = list(self._calling(delta) if delta.calls else self._saying(delta))
        if delta.finish:
            said.append(self._chunk(delta.index, {}, finish=delta.finish))
        return said

    def closing(self, usage: Usage) -> list[bytes]:
        """The last events."""
        if not self._request.usage:
            return [sse.DONE]
        last = {**self._common, "object": "chat.completion.chunk", "choices": [], "usage": _usage(usage)}
        return [sse.event(msgspec.json.encode(last)), sse.DONE]

    def _saying(self, delta: Delta) -> Iterator[bytes]:
        # While tools may be called, what the first chunk says of the content is not known yet.
        undecided = self._request.toolbox.functions and not (delta.text or delta.finish)
        if not undecided:
            yield from self._beginning(delta.index, "")
        if delta.text:
            yield self._chunk(delta.index, {"content": delta.text}, delta.logprobs)

    def _calling(self, delta: Delta) -> Iterator[bytes]:
        yield from self._beginning(delta.index, None)
        for at, call in enumerate(delta.calls):
            named = {"name": call.name, "arguments": ""}
            yield self._calls(
                delta.index, {"index": at, "id": _call_id(), "type": "function", "function": named}
            )
            yield self._calls(delta.index, {"index": at, "function": {"arguments": call.arguments}})

    def _calls(self, index: int, call: dict[str, Any]) -> bytes:
        return self._chunk(index, {"tool_calls": [call]})

    def _beginning(self, index: int, content: str | None) -> Iterator[bytes]:
        if index not in self._begun:
            self._begun.add(index)
            yield self._chunk(index, {"role": "assistant", "content": content, "refusal": None})

    def _chunk(
        self,
        index: int,
        delta: dict[str, Any],
        logprobs: list[Any] | None = None,
        *,
        finish: str | None = None,
    ) -> bytes:
        shown = self._logprobs(logprobs) if logprobs else None
        choice = {"index": index, "delta": delta, "logprobs": shown, "finish_reason": finish}
        chunk = {**self._common, "object": "chat.completion.chunk", "choices": [choice]}
        if self._request.usage:
            chunk["usage"] = None
        return sse.event(msgspec.json.encode(chunk))


class Whole(_Answer):
    """An answer in one body."""

    def __init__(self, model: LocalModel, request: Request) -> None:
        super().__init__(model, request)
        self._choices = [Delta(index) for index in range(request.choices)]

    def take(self, delta: Delta) -> None:
        """Add what is new."""
        choice = self._choices[delta.index]
        choice.text += delta.text
        choice.logprobs += delta.logprobs
        choice.calls += delta.calls
        choice.finish = delta.finish

    def body(self, usage: Usage) -> bytes:
        """All of it."""
        choices = [self._choice(choice) for choice in self._choices]
        whole = {**self._common, "object": "chat.completion", "choices": choices, "usage": _usage(usage)}
        return msgspec.json.encode(whole)

    def _choice(self, said: Delta) -> dict[str, Any]:
        content = None if said.calls and not said.text else said.text
        message: dict[str, Any] = {
            "role": "assistant",
            "content": content,
            "refusal": None,
            "annotations": [],
        }
        if said.calls:
            message["tool_calls"] = [_whole_call(call) for call in said.calls]
        return {
            "index": said.index,
            "message": message,
            "logprobs": None if said.calls else self._logprobs(said.logprobs),
            "finish_reason": said.finish,
        }


def _usage(used: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": used.prompt_tokens,
        "completion_tokens": used.completion_tokens,
        "total_tokens": used.prompt_tokens + used.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": used.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": 0,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _whole_call(call: Call) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": _call_id(), "type": "function", "function": function}


def _call_id() -> str:
    return f"call_{os.urandom(12).hex()}"
