"""The vendors' own types as judges: of what clients are given, and of what providers are asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_args

import msgspec
from anthropic.types import Message, RawMessageStreamEvent
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter, ValidationError

from tests.fakes import anthropic_judge, gemini_judge
from writingmate.wire import sse

Json = dict[str, Any]


_LONGEST = 600


def _reader(of: Any) -> Callable[[Json], None]:
    adapter: TypeAdapter[Any] = TypeAdapter(of)

    def read(document: Json) -> None:
        try:
            adapter.validate_python(document)
        except ValidationError as error:
            raise AssertionError(f"{str(error)[:_LONGEST]} in {str(document)[:_LONGEST]}") from None

    return read


def _told_apart(union: Any) -> Callable[[Json], None]:
    """A union of events, of which only the one is tried that has the event's ``type``."""
    members = get_args(get_args(union)[0])
    readers = {get_args(member.model_fields["type"].annotation)[0]: _reader(member) for member in members}

    def read(document: Json) -> None:
        assert document.get("type") in readers, f"no event is called {document.get('type')!r}"
        readers[document["type"]](document)

    return read


def _completion(document: Json) -> None:
    """``finish_reason`` is null until the last chunk, which the published type forgets."""
    choices = [
        {**choice, "finish_reason": choice["finish_reason"] or "stop"} for choice in document["choices"]
    ]
    _COMPLETION(document | {"choices": choices})


_COMPLETION = _reader(Completion)

#: What a client's SDK makes of a body, and of an event's data.
BODIES: dict[str, Callable[[Json], None]] = {
    "chat": _reader(ChatCompletion),
    "completions": _completion,
    "responses": _reader(Response),
    "messages": _reader(Message),
}
EVENTS: dict[str, Callable[[Json], None]] = {
    "chat": _reader(ChatCompletionChunk),
    "completions": _completion,
    "responses": _told_apart(ResponseStreamEvent),
    "messages": _told_apart(RawMessageStreamEvent),
}


def judge_body(dialect: str, answer: bytes) -> None:
    """Raise AssertionError unless the official types read it."""
    BODIES[dialect](msgspec.json.decode(answer))


#: Events that the official clients know without a type of theirs.
_UNTYPED = ("error", "ping")


def judge_stream(dialect: str, answer: bytes) -> None:
    """Raise AssertionError unless they read every event that is no error."""
    for frame in sse.Splitter().feed(answer):
        data = sse.data(frame)
        if sse.is_comment(frame) or data == b"[DONE]":
            continue
        said = msgspec.json.decode(data)
        if "error" not in said and said.get("type") not in _UNTYPED:
            EVENTS[dialect](said)


_WHOLE: TypeAdapter[Any] = TypeAdapter(CompletionCreateParamsNonStreaming)
_STREAMED: TypeAdapter[Any] = TypeAdapter(CompletionCreateParamsStreaming)


#: Fields in which other vendors have words of their own.
_ELSEWHERE = ("service_tier", "reasoning_effort")


def _chat_fault(request: Json, _model: str) -> str | None:
    typed = {name: value for name, value in request.items() if name not in _ELSEWHERE}
    try:
        _read((_STREAMED if request.get("stream") else _WHOLE).validate_python(typed))
    except ValidationError as error:
        return str(error)
    return None


def _read(value: object) -> None:
    """These types are lazy: an iterable is checked while it is read."""
    if isinstance(value, Mapping):
        for member in value.values():
            _read(member)
    elif isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        for member in value:
            _read(member)


#: What a provider's own types have against a request that a codec made for a model, by its dialect.
FAULTS: dict[str, Callable[[Json, str], str | None]] = {
    "chat": _chat_fault,
    "messages": lambda request, _model: anthropic_judge.fault(request),
    "gemini": gemini_judge.fault,
}
