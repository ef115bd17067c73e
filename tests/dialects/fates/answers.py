"""Answers of providers: every field that the vendor's types have, whole and streamed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from anthropic.types import Message, RawMessageStreamEvent
from google.genai.types import GenerateContentResponse
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseOutputItem, ResponseStreamEvent

from tests.dialects.fates.published import ABSENT, Row, Walker, alternatives
from writingmate.wire import sse

Json = dict[str, Any]


@dataclass(frozen=True)
class Answers:
    """What a provider may answer: bodies of ``type`` or, ``streamed``, events of it.

    ``around`` makes the events of a whole stream, of which the example is one; ABSENT stands for none.
    Types in ``seen`` are looked into elsewhere, labels that begin with ``never`` do not happen.
    """

    type: Any
    values: Mapping[str, Any] = field(default_factory=dict)
    around: Callable[[Any], list[Json]] | None = None
    seen: tuple[Any, ...] = ()
    never: tuple[str, ...] = ()

    @property
    def streamed(self) -> bool:
        """Whether these are events."""
        return self.around is not None

    def rows(self) -> list[Row]:
        """An example of each field."""
        found = Walker(self.values, _listed).rows(self.type, "", self.seen)
        return [row for row in found if not row.label.startswith(self.never)]

    def body(self, example: Any) -> bytes:
        """What the provider sends: a body, or all the frames of a stream."""
        if self.around is None:
            return msgspec.json.encode(example)
        return b"".join(_framed(event) for event in self.around(example))


def _listed(_label: str, item: Any) -> Any:
    return [] if item is ABSENT else [item]


def _framed(event: Json) -> bytes:
    return sse.event(msgspec.json.encode(event), str(event.get("type", "")).encode())


def _chunks(kind: str, begin: Json, end: Json) -> Callable[[Any], list[Json]]:
    """A stream of chunks; the example ends it if it says why, or is between its two ends."""
    least = {"id": "x", "object": kind, "created": 7, "model": "m"}

    def around(chunk: Any) -> list[Json]:
        said = {} if chunk is ABSENT else chunk
        head = {**least, **{name: said[name] for name in said if name not in ("choices", "usage")}}
        first = {**head, "choices": [{"index": 0, **begin}]}
        last = {**head, "choices": [{"index": 0, **end, "finish_reason": "stop"}]}
        if chunk is ABSENT:
            return [first, last]
        over = any(choice.get("finish_reason") for choice in chunk["choices"])
        return [first, chunk] if over else [first, chunk, last]

    return around


_USAGE = {"input_tokens": 10, "output_tokens": 7}
_START: Json = {
    "type": "message_start",
    "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
                "stop_reason": None, "stop_sequence": None, "usage": _USAGE},
}  # fmt: skip
_OVER: Json = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}}
_BLOCKS: dict[str, Json] = {
    "thinking_delta": {"type": "thinking", "thinking": "", "signature": ""},
    "signature_delta": {"type": "thinking", "thinking": "", "signature": ""},
    "input_json_delta": {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}},
}
_TEXT: Json = {"type": "text", "text": ""}


def _events(event: Any) -> list[Json]:
    """A stream of Anthropic's with one more event where it belongs."""
    end: Json = {"type": "message_stop"}
    kind = None if event is ABSENT else event["type"]
    if kind == "message_start":
        return [event, _OVER, end]
    if kind == "message_delta":
        return [_START, event, end]
    if kind == "content_block_start":
        return [_START, event, {"type": "content_block_stop", "index": event["index"]}, _OVER, end]
    if kind == "content_block_delta":
        block = _BLOCKS.get(event["delta"]["type"], _TEXT)
        begin = {"type": "content_block_start", "index": event["index"], "content_block": block}
        return [_START, begin, event, {"type": "content_block_stop", "index": event["index"]}, _OVER, end]
    if kind == "content_block_stop":
        return [
            _START,
            {"type": "content_block_start", "index": 0, "content_block": _TEXT},
            event,
            _OVER,
            end,
        ]
    return [_START, _OVER, end]


def _responses(event: Any) -> list[Json]:
    """A stream of a response: the example between its beginning and its end, unless it is one of them."""
    response = Walker({}).least(Response, "")
    created = {"type": "response.created", "sequence_number": 0, "response": response}
    over = {
        "type": "response.completed",
        "sequence_number": 9,
        "response": {**response, "status": "completed"},
    }
    if event is ABSENT:
        return [created, over]
    last = {"response.completed", "response.failed", "response.incomplete"}
    return [created, event] if event["type"] in last else [created, event, over]


#: Of the client's own making: its HTTP response, what it has called and parsed.
_NOT_GOOGLES = ("automaticFunctionCallingHistory", "parsed", "sdkHttpResponse")
_CANDIDATE = {
    "candidates[]": {"content": {"role": "model", "parts": [{"text": "ho"}]}, "finishReason": "STOP"},
    "candidates[].content": {"role": "model", "parts": [{"text": "ho"}]},
    "usageMetadata": {"promptTokenCount": 90, "candidatesTokenCount": 70, "totalTokenCount": 160},
    "index": 0,
}


def _content(event: Any) -> list[Json]:
    """A stream of Google's, of which the example may be the last."""
    first = {"candidates": [{"content": {"role": "model", "parts": [{"text": "h"}]}, "index": 0}]}
    last = {"candidates": [{"content": {"role": "model", "parts": [{"text": ""}]}, "finishReason": "STOP"}]}
    if event is ABSENT:
        return [first, last]
    over = any(candidate.get("finishReason") for candidate in event.get("candidates", ()))
    return [first, event] if over else [first, event, last]


_CHOICES = {
    "choices[].index": 0,
    "arguments": '{"a":1}',
    "choices[].message": {"content": "ho"},
    "choices[].delta": {"content": "ho"},
    "tool_calls[].function": {"name": "f", "arguments": "{}"},
    "tool_calls[].index": 0,
    "tool_calls[]": {"id": "call_1", "function": {"name": "f", "arguments": "{}"}},
}
_TOKENS = {
    "completion_tokens": 7,
    "prompt_tokens": 9,
    "total_tokens": 16,
    "cached_tokens": 3,
    "reasoning_tokens": 2,
}

#: Whole, then streamed.
ANSWERS: dict[str, tuple[Answers, Answers]] = {
    "chat": (
        Answers(ChatCompletion, _CHOICES | _TOKENS),
        Answers(
            ChatCompletionChunk,
            _CHOICES | _TOKENS,
            _chunks("chat.completion.chunk", {"delta": {"role": "assistant", "content": ""}}, {"delta": {}}),
        ),
    ),
    "completions": (
        Answers(Completion, _CHOICES | _TOKENS),
        Answers(
            Completion, _CHOICES | _TOKENS, _chunks("text_completion", {"text": "h"}, {"text": ""})
        ),
    ),
    "responses": (
        Answers(Response, {"": {"status": "completed"}}),
        Answers(
            ResponseStreamEvent, around=_responses, seen=(Response, *alternatives(ResponseOutputItem))
        ),
    ),
    "gemini": (
        Answers(GenerateContentResponse, _CANDIDATE, never=_NOT_GOOGLES),
        Answers(GenerateContentResponse, _CANDIDATE, _content, never=_NOT_GOOGLES),
    ),
    "messages": (
        Answers(Message, {"usage": _USAGE, "thinking_tokens": 3, "[thinking]": {"signature": "sig"}}),
        Answers(
            RawMessageStreamEvent,
            {"usage": {"output_tokens": 7}, "thinking_tokens": 3, "message.usage": _USAGE,
             "message": {"content": []},
             "[message_delta].delta": {"stop_reason": "end_turn"}},
            _events,
            never=("[message_start].message.content[",),  # it begins empty
        ),
    ),
}  # fmt: skip
