"""Watches a provider's response go by: usage, errors, the end, and what the model wrote (WIRE §7.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from writingmate.dialects import usage, watch
from writingmate.dialects.watch import UNREADABLE, Watch, excerpt
from writingmate.errors import UpstreamBroken
from writingmate.wire import sse

_ENDS = frozenset(("response.completed", "response.incomplete", "response.failed"))
_OVER = frozenset(("completed", "incomplete"))
#: How what a client is to be given begins, and how what it need not see does not.
_SAID = (b"event: response.", b"data: {")


class _Response(msgspec.Struct):
    """A response, or what stands in its place."""

    status: str = ""
    output: list[msgspec.Raw] | None = None
    usage: msgspec.Raw = msgspec.Raw(b"null")
    error: msgspec.Raw = msgspec.Raw(b"null")


class _Event(msgspec.Struct):
    type: str = ""
    response: msgspec.Raw = msgspec.Raw(b"null")
    error: msgspec.Raw = msgspec.Raw(b"null")


class ResponsesWatch(Watch):
    """One leg's response."""

    __slots__ = ()

    def body(self, body: bytes) -> None:
        """See a whole response. Raises UpstreamBroken unless it is one that came to its end."""
        said = self._reported(body)
        self.heard = True
        self._body = body
        if said.status not in _OVER or said.output is None:
            raise UpstreamBroken(f"the answer is no response that is over: {excerpt(bytes(said.error))}")

    def finish(self) -> None:
        """The stream is over. Raises UpstreamBroken if it stopped before its response did."""
        if self._broken is not None:
            raise self._broken
        if not self.over:
            raise UpstreamBroken("the stream ended before its response did")

    def _passes(self, frame: bytes) -> bool:
        # find() costs half of `in` here, and this runs for every event.
        if frame.find(b'"response"') < 0 and frame.find(b'"error"') < 0 and frame.startswith(_SAID):
            return True
        return self._looked(frame)

    def _looked(self, frame: bytes) -> bool:
        event = watch.event(frame, _Event)
        if event is None:
            return False
        if not event.type.startswith("response.") and (
            event.type == "error" or sse.name(frame) == b"error" or bytes(event.error) != b"null"
        ):
            raise UpstreamBroken(f"the stream carried an error: {excerpt(sse.data(frame))}")
        if event.type not in _ENDS:
            return True
        response = self._reported(bytes(event.response))
        if event.type == "response.failed":
            raise UpstreamBroken(f"the response failed: {excerpt(bytes(response.error))}")
        self.heard = self.done = True
        self.over = frame
        return False

    def _reported(self, data: bytes) -> _Response:
        try:
            response = msgspec.json.decode(data, type=_Response)
        except UNREADABLE:
            raise UpstreamBroken(f"the answer is no response: {excerpt(data)}") from None
        self.usage = usage.of_response(response.usage) or self.usage
        return response

    def _fold(self) -> None:
        frames, self._frames, self._held = self._frames, [], 0
        for frame in frames:
            if frame.find(b'.delta"') >= 0 or frame.find(b'output_item.added"') >= 0:
                self._text.extend(_growth(sse.data(frame)))
        body, self._body = self._body, b""
        for item in _listed(_decoded(body), "output"):
            self._text.extend(written(item))


def written(item: dict[str, Any]) -> Iterator[str]:
    """What the model wrote in an output item: text, refusals, reasoning, calls of tools."""
    for part in (*_listed(item, "summary"), *_listed(item, "content")):
        yield from _texts(part, ("text", "refusal"))
    yield from _texts(item, ("name", "arguments", "input", "code"))


def _growth(data: bytes) -> Iterator[str]:
    event = _decoded(data)
    yield from _texts(event, ("delta",))
    if isinstance(event, dict) and isinstance(event.get("item"), dict):
        yield from _texts(event["item"], ("name",))


def _texts(holder: object, names: tuple[str, ...]) -> Iterator[str]:
    if isinstance(holder, dict):
        yield from (holder[name] for name in names if isinstance(holder.get(name), str))


def _listed(holder: object, name: str) -> list[dict[str, Any]]:
    found = holder.get(name) if isinstance(holder, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _decoded(data: bytes) -> object:
    try:
        return msgspec.json.decode(data) if data else None
    except UNREADABLE:
        return None
