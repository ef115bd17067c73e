"""The output items of a response, and the events that tell of them as they grow (WIRE §7.2, §7.3).

`Items` takes what a model said in chat, whole or in pieces, so that a stream and an answer of one
piece come to the same items. An event is its type and its members; what numbers it is elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import msgspec

from writingmate.dialects.responses_calls import Call
from writingmate.dialects.responses_events import Event, added, done
from writingmate.dialects.responses_message import Message, citations, logprobs, pieces
from writingmate.errors import UpstreamBroken


class _Growing(Protocol):
    def closed(self, status: str) -> Iterator[Event]: ...

    def item(self, status: str) -> dict[str, Any]: ...


class Items:
    """The items of one answer, one of them growing at a time.

    Args:
        name: makes an item's id of its prefix and its place.
        custom: names of the tools that take text.
    """

    def __init__(self, name: Callable[[str, int], str], custom: frozenset[str]) -> None:
        self._name = name
        self._custom = custom
        self._done: list[dict[str, Any]] = []
        self._growing: _Growing | None = None
        self._called: set[int] = set()

    def take(self, said: dict[str, Any], chances: object = None) -> Iterator[Event]:
        """What a message or a delta adds. Raises UpstreamBroken for calls that make no sense."""
        tokens = logprobs(chances)
        for kind, text in pieces(said):
            if kind == "reasoning":
                yield from self._think(text)
            else:
                yield from self._say(kind, text, tokens if kind == "text" else [])
                tokens = []
        cited = citations(said)
        if cited and isinstance(self._growing, Message):
            yield from self._growing.cite(cited)
        calls = said.get("tool_calls")
        for at, call in enumerate(calls if isinstance(calls, list) else ()):
            if isinstance(call, dict):
                yield from self._call(at, call)

    def close(self, status: str) -> Iterator[Event]:
        """The end of the item that grows, if one does: ``completed`` or ``incomplete``."""
        growing, self._growing = self._growing, None
        if growing is not None:
            yield from growing.closed(status)
            self._done.append(growing.item(status))

    def output(self) -> list[dict[str, Any]]:
        """All items so far; one that grows is incomplete."""
        return [*self._done, *([self._growing.item("incomplete")] if self._growing else ())]

    def _think(self, text: str) -> Iterator[Event]:
        growing = self._growing
        if not isinstance(growing, Reasoning):
            yield from self.close("completed")
            self._growing = growing = Reasoning(self._name("rs", len(self._done)), len(self._done))
            yield from growing.opened()
        yield from growing.more(text)

    def _say(self, kind: str, text: str, tokens: list[dict[str, Any]]) -> Iterator[Event]:
        growing = self._growing
        if not isinstance(growing, Message):
            yield from self.close("completed")
            self._growing = growing = Message(self._name("msg", len(self._done)), len(self._done))
            yield from growing.opened()
        yield from growing.more(kind, text, tokens)

    def _call(self, at: int, call: dict[str, Any]) -> Iterator[Event]:
        function = call.get("function") or call.get("custom")
        inner = function if isinstance(function, dict) else {}
        place = call["index"] if type(call.get("index")) is int else at
        growing = self._growing
        if not isinstance(growing, Call) or not growing.continues(place, call.get("id")):
            yield from self.close("completed")
            self._growing = growing = self._begun(place, call, inner)
            yield from growing.opened()
        yield from growing.more(_written(inner))

    def _begun(self, place: int, call: dict[str, Any], inner: dict[str, Any]) -> Call:
        name = inner.get("name")
        if not isinstance(name, str) or not name:
            again = "goes on after another had begun" if place in self._called else "has no name"
            raise UpstreamBroken(f"a call of a tool {again}")
        self._called.add(place)
        native = isinstance(call.get("custom"), dict)
        at = len(self._done)
        custom = native or name in self._custom
        item_id = self._name("ctc" if custom else "fc", at)
        call_id = call.get("id")
        known = call_id if isinstance(call_id, str) and call_id else self._name("call", at)
        return Call(item_id, at, place, known, name, custom=custom, wrapped=not native)


class Reasoning:
    """What a model thought, as a summary: raw reasoning has two names on the wire, a summary one."""

    def __init__(self, item_id: str, at: int) -> None:
        self._id = item_id
        self._at = at
        self._text: list[str] = []

    def opened(self) -> Iterator[Event]:
        """The item, and its one part."""
        yield added(self._at, {"id": self._id, "type": "reasoning", "summary": [], "status": "in_progress"})
        yield "response.reasoning_summary_part.added", self._place() | {"part": _summary("")}

    def more(self, text: str) -> Iterator[Event]:
        """More of it."""
        self._text.append(text)
        yield "response.reasoning_summary_text.delta", self._place() | {"delta": text}

    def closed(self, status: str) -> Iterator[Event]:
        """Its end."""
        text = "".join(self._text)
        yield "response.reasoning_summary_text.done", self._place() | {"text": text}
        yield "response.reasoning_summary_part.done", self._place() | {"part": _summary(text)}
        yield done(self._at, self.item(status))

    def item(self, status: str) -> dict[str, Any]:
        """As it stands in the output."""
        summary = [_summary("".join(self._text))]
        return {"id": self._id, "type": "reasoning", "summary": summary, "status": status}

    def _place(self) -> dict[str, Any]:
        return {"item_id": self._id, "output_index": self._at, "summary_index": 0}


def _summary(text: str) -> dict[str, str]:
    return {"type": "summary_text", "text": text}


def _written(inner: dict[str, Any]) -> str:
    """The arguments of a call, which a few providers send as an object."""
    value = inner.get("arguments", inner.get("input"))
    if value is None or isinstance(value, str):
        return value or ""
    try:
        return msgspec.json.encode(value).decode()
    except OverflowError:
        raise UpstreamBroken("the arguments of a call hold a number out of every range") from None
