"""What providers send for what a model says, whole and streamed, in each dialect that they speak.

A stream is cut into deltas by chance, with the liberties that vendors of the dialect take.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

from tests.fuzz import vendor_gemini, vendor_responses
from tests.fuzz.said import Finish, Said
from writingmate.types import Usage
from writingmate.wire import sse

Json = dict[str, Any]


class Vendor(Protocol):
    """A provider of one dialect."""

    def fits(self, said: Said) -> Said:
        """What of it the dialect has words for."""

    def whole(self, said: Said, chance: random.Random) -> Json:
        """The body."""

    def events(self, said: Said, chance: random.Random) -> Iterator[Json | None]:
        """The stream's events; None for [DONE]."""


def body(vendor: Vendor, said: Said, chance: random.Random) -> bytes:
    """A whole answer, its JSON written in one of the ways there are."""
    return _written(vendor.whole(said, chance), chance)


def stream(vendor: Vendor, said: Said, chance: random.Random) -> bytes:
    """A streamed answer, with comments and names of events as they come."""
    ascii_only, spaced, end = chance.random() < 0.5, chance.random() < 0.5, chance.choice((b"\n", b"\r\n"))
    out = bytearray()
    for event in vendor.events(said, chance):
        if chance.random() < 0.1:
            out += chance.choice((b": OPENROUTER PROCESSING\n\n", b":\n\n"))
        data = b"[DONE]" if event is None else _dumped(event, ascii_only=ascii_only, spaced=spaced)
        name = str(event["type"]).encode() if event is not None and "type" in event else None
        out += sse.event(data, name)
    return bytes(out).replace(b"\n", end)


def _written(document: Json, chance: random.Random) -> bytes:
    return _dumped(document, ascii_only=chance.random() < 0.5, spaced=chance.random() < 0.5)


def _dumped(document: Json, *, ascii_only: bool, spaced: bool) -> bytes:
    separators = (", ", ": ") if spaced else (",", ":")
    return json.dumps(document, ensure_ascii=ascii_only, separators=separators).encode()


def pieces(text: str, chance: random.Random) -> Iterator[str]:
    """The text in deltas of 1 to 20 characters."""
    while text:
        length = chance.randint(1, 20)
        yield text[:length]
        text = text[length:]


def chat_usage(usage: Usage) -> Json:
    """OpenAI's usage."""
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


@dataclass(frozen=True)
class Chat:
    """OpenAI and all who speak its chat completions."""

    def fits(self, said: Said) -> Said:
        """All of it."""
        return said

    def whole(self, said: Said, chance: random.Random) -> Json:
        """A chat completion."""
        message: Json = {"role": "assistant", "content": said.text or None, "refusal": said.refusal or None}
        if said.reasoning:
            message[chance.choice(("reasoning_content", "reasoning"))] = said.reasoning
        if said.calls:
            message["tool_calls"] = [_call(call.id, call.name, call.arguments) for call in said.calls]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": said.finish}
        usage = {} if said.usage is None else {"usage": chat_usage(said.usage)}
        return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1_770_000_001, "model": "m",
                "choices": [choice], **usage}  # fmt: skip

    def events(self, said: Said, chance: random.Random) -> Iterator[Json | None]:
        """Chunks; usage comes with the last of them, or after it."""
        deltas = list(self._deltas(said, chance))
        for delta in deltas:
            yield self._chunk([self._choice(delta, None)])
        late = chance.random() < 0.7
        usage: Json = {} if said.usage is None else {"usage": chat_usage(said.usage)}
        yield self._chunk([self._choice({}, said.finish)], **({} if late else usage))
        if late and usage:
            yield self._chunk([], **usage)
        yield None

    def _deltas(self, said: Said, chance: random.Random) -> Iterator[Json]:
        yield {"role": "assistant", "content": chance.choice(("", None))}
        for member, text in (
            (chance.choice(("reasoning_content", "reasoning")), said.reasoning),
            ("content", said.text),
            ("refusal", said.refusal),
        ):
            for piece in pieces(text, chance):
                yield {member: piece}
        for index, call in enumerate(said.calls):
            given = list(pieces(call.arguments, chance))
            at_once = chance.random() < 0.3
            first = _call(call.id, call.name, call.arguments if at_once else "")
            yield {"tool_calls": [{"index": index, **first}]}
            for piece in () if at_once else given:
                yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}

    def _choice(self, delta: Json, finish: str | None) -> Json:
        return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}

    def _chunk(self, choices: list[Json], **more: Any) -> Json:
        return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_770_000_001, "model": "m",
                "choices": choices, **more}  # fmt: skip


def _call(call_id: str, name: str, arguments: str) -> Json:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


@dataclass(frozen=True)
class Completions:
    """OpenAI's legacy completions."""

    def fits(self, said: Said) -> Said:
        """Its text."""
        finish: Finish = "stop" if said.finish == "tool_calls" else said.finish
        return replace(said, reasoning="", refusal="", calls=(), finish=finish)

    def whole(self, said: Said, chance: random.Random) -> Json:
        """A text completion."""
        del chance
        usage = {} if said.usage is None else {"usage": chat_usage(said.usage)}
        return self._completion([self._choice(said.text, said.finish)], **usage)

    def events(self, said: Said, chance: random.Random) -> Iterator[Json | None]:
        """Chunks, then usage."""
        for piece in pieces(said.text, chance):
            yield self._completion([self._choice(piece, None)])
        yield self._completion([self._choice("", said.finish)])
        if said.usage is not None:
            yield self._completion([], usage=chat_usage(said.usage))
        yield None

    def _choice(self, text: str, finish: str | None) -> Json:
        return {"text": text, "index": 0, "logprobs": None, "finish_reason": finish}

    def _completion(self, choices: list[Json], **more: Any) -> Json:
        return {
            "id": "cmpl-1",
            "object": "text_completion",
            "created": 1,
            "model": "m",
            "choices": choices,
            **more,
        }


@dataclass(frozen=True)
class Messages:
    """Anthropic."""

    def fits(self, said: Said) -> Said:
        """What is no refusal by itself; it always says what it took."""
        return replace(said, refusal="", usage=said.usage or Usage(3, 2))

    def whole(self, said: Said, chance: random.Random) -> Json:
        """A message."""
        blocks: list[Json] = []
        if said.reasoning:
            blocks.append({"type": "thinking", "thinking": said.reasoning, "signature": "c2ln"})
        if said.text:
            blocks.append({"type": "text", "text": said.text})
        for call, given in zip(said.calls, said.arguments(), strict=True):
            blocks.append({"type": "tool_use", "id": call.id, "name": call.name, "input": given})
        return self._message(blocks, self._stop(said, chance), self._usage(said))

    def events(self, said: Said, chance: random.Random) -> Iterator[Json | None]:
        """Each block begins, goes on and stops; counts come at both ends."""
        usage = self._usage(said)
        first = {**usage, "output_tokens": 1}
        yield {"type": "message_start", "message": self._message([], None, first)}
        for index, block in enumerate(self.whole(said, chance)["content"]):
            if chance.random() < 0.2:
                yield {"type": "ping"}
            yield from ({**event, "index": index} for event in self._block(block, chance))
        late = {name: usage[name] for name in ("output_tokens", "output_tokens_details")}
        delta = {"stop_reason": self._stop(said, chance), "stop_sequence": None}
        yield {"type": "message_delta", "delta": delta, "usage": chance.choice((usage, late))}
        yield {"type": "message_stop"}

    def _block(self, block: Json, chance: random.Random) -> Iterator[Json]:
        kind = block["type"]
        empty: dict[str, Json] = {
            "text": {"text": ""},
            "thinking": {"thinking": "", "signature": ""},
            "tool_use": {"input": {}},
        }
        yield {"type": "content_block_start", "content_block": block | empty[kind]}
        if kind == "tool_use":
            given = json.dumps(block["input"])
            parts = [("input_json_delta", "partial_json", piece) for piece in ("", *pieces(given, chance))]
            parts = parts[:1] if given == "{}" and chance.random() < 0.5 else parts
        else:
            parts = [(f"{kind}_delta", kind, piece) for piece in pieces(block[kind], chance)]
        if kind == "thinking":
            parts.append(("signature_delta", "signature", block["signature"]))
        for form, member, piece in parts:
            yield {"type": "content_block_delta", "delta": {"type": form, member: piece}}
        yield {"type": "content_block_stop"}

    def _message(self, blocks: list[Json], stop: str | None, usage: Json) -> Json:
        return {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": blocks,
                "stop_reason": stop, "stop_sequence": None, "usage": usage}  # fmt: skip

    def _stop(self, said: Said, chance: random.Random) -> str:
        reasons = {
            "stop": ("end_turn", "stop_sequence", "pause_turn"),
            "length": ("max_tokens", "model_context_window_exceeded"),
            "tool_calls": ("tool_use",),
            "content_filter": ("refusal",),
        }
        return chance.choice(reasons[said.finish])

    def _usage(self, said: Said) -> Json:
        usage = said.usage or Usage()
        return {
            "input_tokens": usage.prompt_tokens - usage.cached_tokens - usage.written_tokens,
            "cache_creation_input_tokens": usage.written_tokens,
            "cache_read_input_tokens": usage.cached_tokens,
            "output_tokens": usage.completion_tokens,
            "output_tokens_details": {"thinking_tokens": usage.reasoning_tokens},
        }


VENDORS: dict[str, Vendor] = {
    "chat": Chat(),
    "completions": Completions(),
    "messages": Messages(),
    "responses": vendor_responses.Responses(),
    "gemini": vendor_gemini.Gemini(),
}
