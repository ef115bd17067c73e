"""Watches a message of Anthropic's go by: usage, errors, the end, and what the model wrote (WIRE §10.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from writingmate.dialects import anthropic_usage, choices, watch
from writingmate.dialects.watch import UNREADABLE, Watch, excerpt
from writingmate.errors import UpstreamBroken
from writingmate.wire import sse

#: The events that make up nearly all of a stream, and say nothing but what the model writes.
_WRITTEN = b"event: content_block_"


class _Message(msgspec.Struct):
    usage: dict[str, Any] | None = None


class _Delta(msgspec.Struct):
    stop_reason: str | None = None


class _Event(msgspec.Struct):
    type: str = ""
    message: _Message | None = None
    delta: _Delta | None = None
    usage: dict[str, Any] | None = None
    error: msgspec.Raw = msgspec.Raw(b"null")


class _Whole(msgspec.Struct):
    content: list[msgspec.Raw] | None = None
    usage: dict[str, Any] | None = None
    error: msgspec.Raw = msgspec.Raw(b"null")


class AnthropicWatch(Watch):
    """One leg's message.

    A stream opens with the usage of the prompt (``begun``) and says the rest, cumulatively, as it ends.
    """

    __slots__ = ("_reported", "_stopped")

    def __init__(self) -> None:
        super().__init__()
        self._reported: dict[str, Any] = {}
        self._stopped = False

    def body(self, body: bytes) -> None:
        """See a whole message. Raises UpstreamBroken unless it is one."""
        try:
            said = msgspec.json.decode(body, type=_Whole)
        except UNREADABLE:
            raise UpstreamBroken(f"the answer is no message: {excerpt(body)}") from None
        if said.content is None:
            raise UpstreamBroken(f"the answer is no message: {excerpt(body)}")
        self.usage = anthropic_usage.read(said.usage or {})
        self.heard = True
        self._body = body

    def finish(self) -> None:
        """The stream is over. Raises UpstreamBroken if it stopped before its message did."""
        if self._broken is not None:
            raise self._broken
        if not self.over and not self._stopped:
            raise UpstreamBroken("the stream ended before its message did")

    def _passes(self, frame: bytes) -> bool:
        return frame.startswith(_WRITTEN) or self._looked(frame)

    def _looked(self, frame: bytes) -> bool:
        event = watch.event(frame, _Event)
        if event is None:
            return False
        if event.type == "error" or sse.name(frame) == b"error" or bytes(event.error) != b"null":
            raise UpstreamBroken(f"the stream carried an error: {excerpt(sse.data(frame))}")
        if event.type == "message_start":
            self.begun = self._noted(event.message.usage if event.message else None)
        elif event.type == "message_delta":
            self.usage = self._noted(event.usage)
            self._stopped = self._stopped or (event.delta is not None and event.delta.stop_reason is not None)
        elif event.type == "message_stop":
            self.heard = self.done = True
            self.over = frame
            return False
        return True

    def _noted(self, reported: dict[str, Any] | None) -> Any:  # noqa: ANN401  # usage or None
        """Counts are cumulative: the last word on each counts."""
        self._reported.update({name: value for name, value in (reported or {}).items() if value is not None})
        return anthropic_usage.read(self._reported)

    def _fold(self) -> None:
        frames, self._frames, self._held = self._frames, [], 0
        for frame in frames:
            if frame.startswith(_WRITTEN) or frame.find(b'"content_block_') >= 0:
                self._text.extend(_growth(choices.members(sse.data(frame))))
        body, self._body = self._body, b""
        content = choices.members(body).get("content") if body else None
        for block in content if isinstance(content, list) else ():
            if isinstance(block, dict):
                self._text.extend(written(block))


def written(block: dict[str, Any]) -> Iterator[str]:
    """What the model wrote in a block: text, thinking, a summary, calls of tools."""
    for name in ("text", "thinking", "content", "name"):
        if isinstance(block.get(name), str):
            yield block[name]
    if isinstance(block.get("input"), dict):
        yield msgspec.json.encode(block["input"]).decode()


def _growth(event: dict[str, Any]) -> Iterator[str]:
    block, delta = event.get("content_block"), event.get("delta")
    if isinstance(block, dict):
        yield from written({name: block.get(name) for name in ("text", "thinking", "name")})
    if isinstance(delta, dict):
        for name in ("text", "thinking", "content", "partial_json"):
            if isinstance(delta.get(name), str):
                yield delta[name]
