"""A stream of Anthropic's as a stream of chat chunks (WIRE §5.3, §10.1).

Everything that a chat stream says is said as one of those: usage in a chunk of its own, an error as an
error frame, the end as [DONE]. Whoever watches them needs to know no other dialect.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from writingmate.dialects import choices, messages_reply, messages_thinking
from writingmate.dialects.chat_completion import ChatAnswer
from writingmate.wire import sse


class MessagesStream:
    """One stream's state: the call that is being written, the usage so far."""

    def __init__(self, answer: ChatAnswer) -> None:
        self._answer = answer
        self._usage: dict[str, Any] = {}
        self._calls = 0
        self._thoughts = 0
        self._unwritten: dict[str, Any] | None = None
        self._finished = False
        self._events = {
            "message_start": self._start,
            "content_block_start": self._begin,
            "content_block_delta": self._write,
            "content_block_stop": self._stop,
            "message_delta": self._finish,
        }

    @property
    def usage(self) -> None:
        """Until it is over nothing is known of what was written."""
        return

    def feed(self, frames: Sequence[bytes]) -> list[bytes]:
        """The chunks that the frames make; an error of theirs is an error frame."""
        return [chunk for frame in frames for chunk in self._chunks(frame)]

    def end(self) -> list[bytes]:
        """Its last frame has said it all."""
        return []

    def _chunks(self, frame: bytes) -> Iterator[bytes]:
        data = sse.data(frame)
        if not data.strip():
            return
        said = choices.members(data)
        kind = said.get("type")
        if kind == "message_stop":
            yield sse.DONE
        elif kind == "error" or not isinstance(kind, str):
            yield _failure(said.get("error") or data[:300].decode("utf-8", "replace"))
        elif kind in self._events:
            yield from self._events[kind](said)

    def _start(self, said: dict[str, Any]) -> Iterator[bytes]:
        self._note(_object(said, "message").get("usage"))
        yield self._answer.chunk({"role": "assistant", "content": ""})

    def _begin(self, said: dict[str, Any]) -> Iterator[bytes]:
        block = _object(said, "content_block")
        kind = block.get("type")
        if kind == "tool_use":
            self._unwritten = block
            call = messages_reply.call({**block, "input": {}})
            call["function"]["arguments"] = ""
            yield self._answer.chunk({"tool_calls": [{"index": self._calls, **call}]})
            self._calls += 1
        elif kind == "redacted_thinking" and isinstance(block.get("data"), str):
            yield self._thought(data=block["data"])
            self._thoughts += 1
        elif kind in ("text", "thinking"):
            yield from self._said(f"{kind}_delta", block.get(kind))

    def _write(self, said: dict[str, Any]) -> Iterator[bytes]:
        delta = _object(said, "delta")
        kind = str(delta.get("type"))
        member = "partial_json" if kind == "input_json_delta" else kind.removesuffix("_delta")
        yield from self._said(kind, delta.get(member))

    def _said(self, kind: str, text: object) -> Iterator[bytes]:
        if not isinstance(text, str) or not text:
            return
        if kind == "text_delta":
            yield self._answer.chunk({"content": text})
        elif kind == "thinking_delta":
            yield self._thought(text=text)
        elif kind == "signature_delta":
            yield self._thought(signature=text)
            self._thoughts += 1
        elif kind == "input_json_delta" and self._calls:
            self._unwritten = None
            yield self._arguments(text)

    def _stop(self, _: dict[str, Any]) -> Iterator[bytes]:
        """A call that is made without arguments has them all the same: none."""
        if self._unwritten is not None:
            arguments = messages_reply.call(self._unwritten)["function"]["arguments"]
            self._unwritten = None
            yield self._arguments(arguments)

    def _finish(self, said: dict[str, Any]) -> Iterator[bytes]:
        self._note(said.get("usage"))
        reason = _object(said, "delta").get("stop_reason")
        if reason is None or self._finished:
            return
        self._finished = True
        yield self._answer.chunk({}, messages_reply.finish_reason(reason))
        usage = messages_reply.usage(self._usage)
        if usage is not None:
            yield self._answer.usage_chunk(usage)

    def _note(self, usage: object) -> None:
        """Counts are cumulative: the last word on each counts."""
        if isinstance(usage, dict):
            self._usage.update({name: count for name, count in usage.items() if count is not None})

    def _thought(self, **said: str) -> bytes:
        delta: dict[str, Any] = {"reasoning_details": [messages_thinking.detail(self._thoughts, **said)]}
        if "text" in said:
            delta = {"reasoning_content": said["text"], **delta}
        return self._answer.chunk(delta)

    def _arguments(self, piece: str) -> bytes:
        call = {"index": self._calls - 1, "function": {"arguments": piece}}
        return self._answer.chunk({"tool_calls": [call]})


def _object(said: dict[str, Any], name: str) -> dict[str, Any]:
    value = said.get(name)
    return value if isinstance(value, dict) else {}


def _failure(error: object) -> bytes:
    return sse.event(msgspec.json.encode({"error": error}))
