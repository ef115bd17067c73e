"""A provider's stream of a response: events as they came, those with the response in them as ours.

A delta is not looked into: only an event that has the word ``response`` for a key can hold one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import msgspec

from writingmate.dialects.responses_echo import Echo
from writingmate.dialects.responses_events import Event
from writingmate.dialects.watch import UNREADABLE, Watch, excerpt
from writingmate.errors import ApiError, UpstreamBroken
from writingmate.wire import document, sse
from writingmate.wire.document import Document

_RATE_LIMITED = 429
_DONE_ITEM = b"event: response.output_item.done"
_ANY = msgspec.json.Decoder(Document)


class _Numbered(msgspec.Struct):
    sequence_number: int = -1


class _Done(msgspec.Struct):
    item: msgspec.Raw


class Ours(Protocol):
    """Whose stream it is."""

    answered: bytes | None

    def ours(self, response: Document) -> bytes:
        """A response object of the provider's, changed."""

    def echo(self) -> Echo:
        """A response of ours."""


class NativeStream:
    """The one leg of a response streamed by a provider. Its last event waits until the request is settled."""

    def __init__(self, codec: Ours, watched: Watch) -> None:
        self._codec = codec
        self._watch = watched
        self._last = b""
        self._end = b""
        self._response: Document | None = None
        self._items: list[bytes] = []

    def feed(self, frames: Sequence[bytes]) -> bytes:
        """The frames that are for the client."""
        passed: list[bytes] = []
        try:
            for frame in self._watch.passing(frames):
                passed.append(self._passed(frame))
                self._last = frame
        except UpstreamBroken as broken:
            self._watch.fail(broken, after=passed)
        return passed[0] if len(passed) == 1 else b"".join(passed)

    def end(self) -> bytes:
        """Nothing; raises UpstreamBroken if the response did not come to its end."""
        self._watch.finish()
        self._end = self._changed(self._watch.over)
        return b""

    def closing(self) -> bytes:
        """``response.completed`` or ``response.incomplete``, as ours."""
        self._codec.answered = document.encode(self._response or {})
        return self._end + sse.DONE

    def failure(self, error: ApiError) -> bytes:
        """An error in both of its published forms, then ``response.failed``, numbered on from what came."""
        code = "rate_limit_exceeded" if error.status == _RATE_LIMITED else "server_error"
        told = {"code": error.code, "message": error.message, "param": error.param}
        failed = self._failed(code, error.message)
        self._codec.answered = msgspec.json.encode(failed)
        events: list[Event] = [
            *self._beginning(),
            ("error", told | {"error": {"type": error.type, **told}}),
            ("response.failed", {"response": failed}),
        ]
        return b"".join(self._framed(events)) + sse.DONE

    def _passed(self, frame: bytes) -> bytes:
        if frame.find(b'"response"') >= 0:
            return self._changed(frame)
        if frame.startswith(_DONE_ITEM):
            self._items.append(frame)
        return frame

    def _changed(self, frame: bytes) -> bytes:
        try:
            event = _ANY.decode(sse.data(frame))
            held = event.get("response")
            if held is None or bytes(memoryview(held)[:1]) != b"{":
                return frame
            changed = self._codec.ours(_ANY.decode(held))
            self._response = _ANY.decode(changed)
        except UNREADABLE:
            raise UpstreamBroken(f"an event is no JSON object: {excerpt(frame)}") from None
        event["response"] = msgspec.Raw(changed)
        return sse.event(document.encode(event), sse.name(frame) or None)

    def _failed(self, code: str, message: str) -> dict[str, Any]:
        """The response that an error ended, with the items that were complete."""
        items = [item for frame in self._items if (item := _item(frame)) is not None]
        if self._response is None:
            return self._codec.echo().failed([], code, message)
        return self._response | {
            "status": "failed",
            "error": {"code": code, "message": message},
            "incomplete_details": None,
            "completed_at": None,
            "output": items,
            "usage": None,
        }

    def _beginning(self) -> Iterator[Event]:
        if not self._last:
            for name in ("response.created", "response.in_progress"):
                yield name, {"response": self._codec.echo().under_way()}

    def _framed(self, events: Sequence[Event]) -> Iterator[bytes]:
        first = 0 if not self._last else _number(self._last) + 1
        for number, (name, members) in enumerate(events, first):
            numbered: dict[str, Any] = {"type": name, "sequence_number": number, **members}
            yield sse.event(msgspec.json.encode(numbered), name.encode())


def _item(frame: bytes) -> msgspec.Raw | None:
    try:
        return msgspec.json.decode(sse.data(frame), type=_Done).item
    except UNREADABLE:
        return None


def _number(frame: bytes) -> int:
    try:
        return msgspec.json.decode(sse.data(frame), type=_Numbered).sequence_number
    except UNREADABLE:
        return -1
