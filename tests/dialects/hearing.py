"""What a client makes of an answer, whole or streamed, in each client's dialect (WIRE §2.4, §3, §7.3).

A reader is strict about what a client relies on: one end, nothing after it, numbers without a gap. It
raises AssertionError for an answer that no client should ever get.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from writingmate.dialects import usage
from writingmate.types import Usage
from writingmate.wire import sse

Json = dict[str, Any]


@dataclass
class Called:
    """One call of a tool, as far as it was told."""

    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass
class Heard:
    """By choice: text, refusal, reasoning and why it finished; the calls of tools in their order.

    ``error`` is what the answer ended with instead of its end, ``ended`` that its end was told.
    """

    texts: dict[int, str] = field(default_factory=lambda: defaultdict(str))
    refusals: dict[int, str] = field(default_factory=lambda: defaultdict(str))
    reasoning: dict[int, str] = field(default_factory=lambda: defaultdict(str))
    calls: dict[tuple[int, int], Called] = field(default_factory=lambda: defaultdict(Called))
    finishes: dict[int, str | None] = field(default_factory=dict)
    usage: Usage | None = None
    error: Json | None = None
    ended: bool = False

    @property
    def complete(self) -> bool:
        """Whether it was told that all is said."""
        return self.ended and self.error is None

    def words(self) -> str:
        """All that was told of what the model wrote."""
        said = [*self.reasoning.values(), *self.texts.values(), *self.refusals.values()]
        return "".join(said + [call.name + call.arguments for call in self.calls.values()])


def streamed(dialect: str, answer: bytes) -> Heard:
    """A whole stream, to its last byte; comments are skipped as clients do."""
    frames = [frame for frame in sse.Splitter().feed(answer) if not sse.is_comment(frame)]
    assert answer.endswith((b"\n\n", b"\r\n\r\n", b"")), "the stream ends inside an event"
    heard = Heard()
    STREAMS[dialect](heard, frames)
    return heard


def whole(dialect: str, answer: bytes) -> Heard:
    """An answer in one piece."""
    heard = Heard(ended=True)
    BODIES[dialect](heard, msgspec.json.decode(answer))
    return heard


def is_the_providers_fault(dialect: str, error: Json) -> bool:
    """Whether a stream's error says that the provider failed, in the words of the dialect."""
    if dialect == "messages":
        return bool(error["type"] == "api_error" and error["message"])
    return (error["type"], error["code"]) == ("upstream_error", "upstream_error") and bool(error["message"])


def _chat_stream(heard: Heard, frames: list[bytes]) -> None:
    for said in _chunks(heard, frames):
        _note(heard, said.get("usage"))
        for choice in said["choices"]:
            _take(heard, choice, choice.get("delta") or {})


def _completions_stream(heard: Heard, frames: list[bytes]) -> None:
    for said in _chunks(heard, frames):
        _completion(heard, said)


def _chunks(heard: Heard, frames: list[bytes]) -> list[Json]:
    """Those before [DONE], or before the error after which nothing comes."""
    data = [sse.data(frame) for frame in frames]
    if data and data[-1] == b"[DONE]":
        heard.ended = True
        data.pop()
    assert b"[DONE]" not in data, "something comes after [DONE]"
    said: list[Json] = [msgspec.json.decode(each) for each in data]
    for each in said:
        assert "error" not in each or each is said[-1], "something comes after an error"
    if said and "error" in said[-1]:
        assert not heard.ended, "an error is followed by a good end"
        heard.error = said.pop()["error"]
        heard.ended = True
    return said


def _chat(heard: Heard, said: Json) -> None:
    _note(heard, said.get("usage"))
    for choice in said["choices"]:
        _take(heard, choice, choice["message"])


def _take(heard: Heard, choice: Json, said: Json) -> None:
    at = choice.get("index", 0)
    heard.finishes[at] = choice.get("finish_reason") or heard.finishes.get(at)
    heard.texts[at] += _text(said.get("content"))
    heard.refusals[at] += said.get("refusal") or ""
    heard.reasoning[at] += _text(said.get("reasoning_content") or said.get("reasoning"))
    for place, call in enumerate(said.get("tool_calls") or ()):
        made = heard.calls[at, call.get("index", place)]
        function = call.get("function") or call.get("custom") or {}
        made.id = call.get("id") or made.id
        made.name += function.get("name") or ""
        made.arguments += function.get("arguments") or function.get("input") or ""


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "".join(_text(part.get("text") or part.get("thinking")) for part in content)
    return content or ""


def _completion(heard: Heard, said: Json) -> None:
    _note(heard, said.get("usage"))
    for choice in said["choices"]:
        at = choice["index"]
        heard.texts[at] += choice["text"]
        heard.finishes[at] = choice.get("finish_reason") or heard.finishes.get(at)


def _note(heard: Heard, reported: Any) -> None:
    heard.usage = usage.normalised(reported) or heard.usage


_DELTAS = {
    "response.output_text.delta": "texts",
    "response.refusal.delta": "refusals",
    "response.reasoning_summary_text.delta": "reasoning",
    "response.reasoning_text.delta": "reasoning",
}
_CALLS = ("function_call", "custom_tool_call")
_ENDS = ("response.completed", "response.incomplete", "response.failed")


def _responses_stream(heard: Heard, frames: list[bytes]) -> None:
    if frames and sse.data(frames[-1]) == b"[DONE]":
        frames = frames[:-1]
        heard.ended = True
    events: list[Json] = [msgspec.json.decode(sse.data(frame)) for frame in frames]
    numbers = [event["sequence_number"] for event in events]
    assert numbers == list(range(len(events))), f"numbers with a gap: {numbers}"
    assert [sse.name(frame).decode() for frame in frames] == [event["type"] for event in events]
    kinds = [event["type"] for event in events]
    ends = [kind for kind in kinds if kind in _ENDS]
    assert len(ends) == int(heard.ended), f"{ends} and {'an' if heard.ended else 'no'} end"
    if heard.ended:
        assert kinds[-1] == ends[0], "something comes after the end"
    assert ("error" in kinds) == ("response.failed" in kinds), "half an error"
    for event in events:
        _event(heard, event)
    if heard.complete:
        assert kinds.count("response.output_item.added") == kinds.count("response.output_item.done")
        _agrees(heard, events[-1]["response"])


def _event(heard: Heard, event: Json) -> None:
    kind, at = event["type"], event.get("output_index", 0)
    if kind in _DELTAS:
        getattr(heard, _DELTAS[kind])[0] += event["delta"]
    elif kind == "response.output_item.added" and event["item"]["type"] in _CALLS:
        heard.calls[0, at] = Called(event["item"]["call_id"], event["item"]["name"])
    elif kind in {"response.function_call_arguments.delta", "response.custom_tool_call_input.delta"}:
        heard.calls[0, at].arguments += event["delta"]
    elif kind == "error":
        assert heard.error is None, "two errors"
        heard.error = event["error"]
        assert all(event[name] == event["error"][name] for name in ("code", "message", "param"))
    elif kind in _ENDS:
        _status(heard, event["response"])


def _status(heard: Heard, said: Json) -> None:
    why = (said.get("incomplete_details") or {}).get("reason")
    heard.finishes[0] = why or said["status"]
    reported = said.get("usage")
    heard.usage = usage.of_response(msgspec.Raw(msgspec.json.encode(reported))) or heard.usage
    if said["status"] == "failed":
        assert said["error"]["message"]
        heard.error = heard.error or said["error"]


def _agrees(heard: Heard, response: Json) -> None:
    """What came in pieces is what the response has in one."""
    told = Heard()
    _response(told, response)
    assert dict(told.texts) == {at: text for at, text in heard.texts.items() if text}
    assert dict(told.refusals) == {at: text for at, text in heard.refusals.items() if text}
    assert list(told.calls.values()) == list(heard.calls.values())


def _response(heard: Heard, said: Json) -> None:
    _status(heard, said)
    for at, item in enumerate(said["output"]):
        if item["type"] == "message":
            for part in item["content"]:
                into = heard.refusals if part["type"] == "refusal" else heard.texts
                if text := part.get("text") or part.get("refusal"):
                    into[0] += text
        elif item["type"] == "reasoning":
            for part in (*item["summary"], *(item.get("content") or ())):
                heard.reasoning[0] += part["text"]
        elif item["type"] in _CALLS:
            given = item.get("arguments", item.get("input"))
            heard.calls[0, at] = Called(item["call_id"], item["name"], given)


def _messages_stream(heard: Heard, frames: list[bytes]) -> None:
    """Anthropic's own events, for clients of Anthropic's."""
    events: list[Json] = [msgspec.json.decode(sse.data(frame)) for frame in frames]
    kinds = [event["type"] for event in events]
    assert [sse.name(frame).decode() for frame in frames] == kinds
    last = [kind for kind in kinds if kind in {"message_stop", "error"}]
    assert len(last) <= 1, "two ends"
    assert not last or kinds[-1] == last[0], "something comes after the end"
    heard.ended = bool(last)
    reported: Json = {}
    for event in events:
        _anthropic_event(heard, event, reported)
    heard.usage = _anthropic_usage(reported)


def _anthropic_event(heard: Heard, event: Json, reported: Json) -> None:
    kind, at = event["type"], event.get("index", 0)
    if kind == "message_start":
        reported.update(event["message"]["usage"])
    elif kind == "content_block_start":
        _block(heard, at, event["content_block"], {})
    elif kind == "content_block_delta":
        delta = event["delta"]
        heard.texts[0] += delta.get("text", "")
        heard.reasoning[0] += delta.get("thinking", "")
        if "partial_json" in delta:
            heard.calls[0, at].arguments += delta["partial_json"]
    elif kind == "message_delta":
        heard.finishes[0] = event["delta"]["stop_reason"]
        reported.update({name: count for name, count in event["usage"].items() if count is not None})
    elif kind == "error":
        heard.error = event["error"]


def _block(heard: Heard, at: int, block: Json, otherwise: Any) -> None:
    heard.texts[0] += block.get("text", "")
    heard.reasoning[0] += block.get("thinking", "")
    if block["type"] == "tool_use":
        given = block["input"]
        arguments = "" if given == otherwise else msgspec.json.encode(given).decode()
        heard.calls[0, at] = Called(block["id"], block["name"], arguments)


def _message(heard: Heard, said: Json) -> None:
    for at, block in enumerate(said["content"]):
        _block(heard, at, block, None)
    heard.finishes[0] = said["stop_reason"]
    heard.usage = _anthropic_usage(said["usage"])


def _anthropic_usage(reported: Json) -> Usage | None:
    if "input_tokens" not in reported or "output_tokens" not in reported:
        return None
    read, written = (reported.get(f"cache_{how}_input_tokens") or 0 for how in ("read", "creation"))
    return Usage(reported["input_tokens"] + read + written, reported["output_tokens"], read, 0, written)


STREAMS: dict[str, Callable[[Heard, list[bytes]], None]] = {
    "chat": _chat_stream,
    "completions": _completions_stream,
    "responses": _responses_stream,
    "messages": _messages_stream,
}
BODIES: dict[str, Callable[[Heard, Json], None]] = {
    "chat": _chat,
    "completions": _completion,
    "responses": _response,
    "messages": _message,
}
