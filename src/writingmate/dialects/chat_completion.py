"""The shape of an answer in the chat dialect, whole and in chunks (WIRE §5.2, §5.3)."""

from __future__ import annotations

import time
from typing import Any

import msgspec

from writingmate.types import Usage
from writingmate.wire import sse

_CHUNK = "chat.completion.chunk"


class ChatAnswer:
    """What a body and every chunk of one answer say alike: id, time, model.

    A stream that ``reports`` its usage says so in every chunk: null, but for the one that has it (WIRE §5.3).
    """

    def __init__(
        self, *, reply_id: str, model: str, created: int | None = None, reports: bool = False
    ) -> None:
        self._reports = reports
        self._id = reply_id
        self._model = model
        self._created = int(time.time()) if created is None else created

    def reporting(self) -> ChatAnswer:
        """The same, of a stream whose client wants its usage."""
        return ChatAnswer(reply_id=self._id, model=self._model, created=self._created, reports=True)

    def whole(self, message: dict[str, Any], finish_reason: str, usage: dict[str, Any] | None) -> bytes:
        """The body of an answer that is not streamed, of one choice."""
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason}
        return self.several([choice], usage)

    def several(self, choices: list[dict[str, Any]], usage: dict[str, Any] | None) -> bytes:
        """The same of any number of choices."""
        return self._encoded("chat.completion", choices, usage)

    def chunk(
        self,
        delta: dict[str, Any],
        finish_reason: str | None = None,
        *,
        index: int = 0,
        logprobs: dict[str, Any] | None = None,
    ) -> bytes:
        """A frame with a piece of a choice."""
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}
        return sse.event(self._encoded(_CHUNK, [choice], None))

    def usage_chunk(self, usage: dict[str, Any]) -> bytes:
        """The frame that reports what it took."""
        return sse.event(self._encoded(_CHUNK, [], usage))

    def _encoded(self, kind: str, choices: list[dict[str, Any]], usage: dict[str, Any] | None) -> bytes:
        said: dict[str, Any] = {
            "id": self._id,
            "object": kind,
            "created": self._created,
            "model": self._model,
            "choices": choices,
        }
        if usage is not None or (self._reports and kind == _CHUNK):
            said["usage"] = usage
        return msgspec.json.encode(said)


def usage_object(usage: Usage) -> dict[str, Any]:
    """Usage as OpenAI reports it."""
    cached = {"cached_tokens": usage.cached_tokens, "cache_write_tokens": usage.written_tokens}
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": cached,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
    }
