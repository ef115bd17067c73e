"""Watches a provider's answer go by: its usage, its errors, its end, and what the model wrote.

A frame is looked into only if a substring says that there is something to see; text is read from the
frames only if somebody asks for it, or when they have grown to 64 KiB.
"""

from __future__ import annotations

from collections.abc import Iterable, Sized
from typing import Any, TypeVar

import msgspec

from writingmate.dialects import chat, choices, inner_errors, usage
from writingmate.errors import UpstreamBroken
from writingmate.types import Usage
from writingmate.wire import sse

T = TypeVar("T")

_FOLD = 64 * 1024
_LONGEST_DETAIL = 300
#: What reading bytes that are no JSON raises.
UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)
_DUMMY = 512  # bytes: no choice that says nothing is longer
_NOTHING = frozenset((b"", b"null", b"false", b'""', b"{}", b"[]"))


class _Head(msgspec.Struct):
    """The members of an answer or of a frame that this module cares for, unread."""

    choices: msgspec.Raw = msgspec.Raw()
    usage: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()
    x_groq: msgspec.Raw = msgspec.Raw()


_HEAD = msgspec.json.Decoder(_Head)


class Watch:
    """One leg's answer. ``usage`` is the last that meant something; ``heard`` says that any came.

    ``begun`` is what was reported of the prompt before the answer, in a dialect that does so.
    ``over`` is the event that ended it, which was not passed on, in dialects that have one.
    """

    __slots__ = (
        "_body", "_broken", "_finished", "_frames", "_held", "_open", "_pass_usage", "_text",
        "begun", "done", "heard", "over", "usage",
    )  # fmt: skip

    def __init__(self, *, pass_usage: bool = False) -> None:
        self.usage: Usage | None = None
        self.begun: Usage | None = None
        self.heard = False
        self.done = False
        self.over = b""
        self._pass_usage = pass_usage
        self._body = b""
        self._broken: UpstreamBroken | None = None
        self._frames: list[bytes] = []
        self._held = 0
        self._text: list[str] = []
        self._open: set[int] = set()
        self._finished: set[int] = set()

    def passing(self, frames: Iterable[bytes]) -> list[bytes]:
        """Those frames that are for the client: not the end, comments, or usage nobody asked for.

        Raises UpstreamBroken if one of them is an error, once those before it have been passed.
        """
        if self._broken is not None:
            raise self._broken
        kept: list[bytes] = []
        try:
            kept.extend(frame for frame in frames if not self.done and self._passes(frame))
        except UpstreamBroken as broken:
            self.fail(broken, after=kept)
        if kept:
            self._keep(kept)
        return kept

    def fail(self, broken: UpstreamBroken, *, after: Sized) -> None:
        """Raise ``broken``, or if there is something to pass on first, when next asked."""
        if not after:
            raise broken
        self._broken = broken

    def body(self, body: bytes) -> None:
        """See a whole answer. Raises UpstreamBroken unless it is one."""
        head = _head(body)
        _no_error(body, head)
        if not _answers(head):
            raise UpstreamBroken(f"the answer has no choices: {excerpt(body)}")
        self._report(head)
        self.heard = True
        self._body = body

    def finish(self) -> None:
        """The stream is over. Raises UpstreamBroken if it stopped before its answer did."""
        if self._broken is not None:
            raise self._broken
        if not self.heard:
            raise UpstreamBroken("the stream ended without an answer")
        if self.done:
            return
        self._fold()
        if not self._finished or self._open != self._finished:
            raise UpstreamBroken("the stream ended without [DONE] and without a finish_reason")

    def text(self) -> str:
        """All that the model wrote so far."""
        self._fold()
        return "".join(self._text)

    def _passes(self, frame: bytes) -> bool:
        if not frame.startswith(b"data: {") and not self._carries(frame):
            return False
        # find() costs half of `in` here, and this runs for every event.
        if frame.find(b'"error"') >= 0 or _may_report(frame):
            return self._inspect(sse.data(frame))
        return True

    def _keep(self, frames: list[bytes]) -> None:
        self.heard = True
        self._frames += frames
        self._held += sum(map(len, frames))
        if self._held > _FOLD:
            self._fold()

    def _carries(self, frame: bytes) -> bool:
        data = sse.data(frame).strip()
        if data == b"[DONE]":
            self.done = True
            return False
        if sse.name(frame) == b"error":
            raise UpstreamBroken(f"the stream carried an error: {excerpt(data)}")
        return bool(data)

    def _inspect(self, data: bytes) -> bool:
        head = _head(data)
        self._report(head)
        _no_error(data, head)
        if self._pass_usage or not _says_something(head.usage):
            return True
        return _answers(head) and not _only_reports(head)

    def _report(self, head: _Head) -> None:
        reported = usage.read(head.usage) or _usage_at_groq(head) or _usage_at_moonshot(head)
        if reported is not None:
            self.usage = reported

    def _fold(self) -> None:
        frames, self._frames, self._held = self._frames, [], 0
        for frame in frames:
            for choice in choices.found(sse.data(frame)):
                self._note(choice)
        body, self._body = self._body, b""
        for choice in choices.found(body):
            self._note(choice)

    def _note(self, choice: dict[str, Any]) -> None:
        index = choices.place(choice)
        self._open.add(index)
        if choice.get("finish_reason") is not None:
            self._finished.add(index)
        self._text.extend(chat.texts(choice.get("text")))
        said = choice.get("delta") or choice.get("message")
        if isinstance(said, dict):
            self._text.extend(chat.written(said))


def summed(watches: Iterable[Watch]) -> Usage | None:
    """The usage of all answers that came; None if one of them reported none, or none came."""
    reported = [seen.usage for seen in watches if seen.heard]
    known = [each for each in reported if each is not None]
    return sum(known, Usage()) if known and len(known) == len(reported) else None


def _may_report(frame: bytes) -> bool:
    at = frame.rfind(b'"usage"')
    if at < 0:
        return False
    # OpenAI writes null into every frame but the last.
    return not frame.startswith(b'"usage":null', at) or frame.find(b'"usage"') != at


def _head(data: bytes) -> _Head:
    try:
        return _HEAD.decode(data)
    except UNREADABLE:
        raise UpstreamBroken(f"the answer is not a JSON object: {excerpt(data)}") from None


def _no_error(data: bytes, head: _Head) -> None:
    """Raise UpstreamBroken for an error at the top, in Groq's own place, or as a choice's end."""
    if data.find(b'"error"') < 0:
        return
    if _says_something(head.error):
        raise inner_errors.error_of(_value(head.error), bytes(head.error))
    if said := choices.members(bytes(head.x_groq)).get("error"):
        raise inner_errors.error_of(said, bytes(head.x_groq))
    if broken := inner_errors.of_choices(_choices(head), bytes(head.choices)):
        raise broken


def _choices(head: _Head) -> list[dict[str, Any]]:
    return choices.found(b'{"choices":' + bytes(head.choices) + b"}")


def _answers(head: _Head) -> bool:
    return bytes(memoryview(head.choices)[:1]) == b"[" and not chat.is_empty_array(head.choices)


def _only_reports(head: _Head) -> bool:
    """OpenRouter's and Azure's usage comes with a choice that says nothing (WIRE §5.3)."""
    return len(memoryview(head.choices)) < _DUMMY and all(map(choices.is_empty, _choices(head)))


def _value(raw: msgspec.Raw) -> object:
    try:
        return msgspec.json.decode(raw)
    except UNREADABLE:
        return None


def _says_something(raw: msgspec.Raw) -> bool:
    return bytes(raw) not in _NOTHING


def _usage_at_groq(head: _Head) -> Usage | None:
    """Groq's own place, ``x_groq.usage``, which it fills whether it was asked or not."""
    if not _says_something(head.x_groq):
        return None
    return usage.normalised(choices.members(bytes(head.x_groq)).get("usage"))


def _usage_at_moonshot(head: _Head) -> Usage | None:
    """Moonshot's place, inside the last frame's first choice."""
    if b'"usage"' not in bytes(head.choices):
        return None
    found = _choices(head)
    return usage.normalised(found[0].get("usage")) if found else None


def event(frame: bytes, kind: type[T]) -> T | None:
    """What an event says; None if it says nothing, or only that it is the end. Raises UpstreamBroken."""
    data = sse.data(frame).strip()
    if not data or data == b"[DONE]":
        return None
    try:
        return msgspec.json.decode(data, type=kind)
    except UNREADABLE:
        raise UpstreamBroken(f"an event is no JSON object: {excerpt(data)}") from None


def excerpt(data: bytes) -> str:
    """The beginning of what a provider said, for a log line."""
    return data[:_LONGEST_DETAIL].decode("utf-8", "replace")
