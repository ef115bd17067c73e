"""The output items of a response, and the events that tell of them as they grow (WIRE §7.2, §7.3).

`Items` takes what a model said in chat, whole or in pieces, so that a stream and an answer of one
piece come to the same items. An event is its type and its members; what numbers it is elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any, Protocol

import msgspec

from writingmate.dialects.responses_calls import Call
from writingmate.dialects.responses_events import Event
from writingmate.dialects.responses_message import Message, citations, logprobs, pieces
from writingmate.dialects.responses_reasoning import joined, wrapped
from writingmate.dialects.responses_thought import Reasoning, unseen
from writingmate.errors import UpstreamBroken


class _Growing(Protocol):
    def closed(self, status: str) -> Iterator[Event]: ...

    def item(self, status: str) -> dict[str, Any]: ...


class Items:
    """The items of one answer, one of them growing at a time.

    Args:
        name: makes an item's id of its prefix and its place.
        custom: names of the tools that take text.
        origin: who can read what proves the reasoning again.
        included: whether that is shown.
    """

    def __init__(
        self,
        name: Callable[[str, int], str],
        custom: frozenset[str],
        *,
        origin: str = "",
        included: bool = False,
    ) -> None:
        self._name = name
        self._custom = custom
        self._origin = origin
        self._included = included
        self._late: list[dict[str, Any]] = []
        self._proofs: dict[int, str] = {}
        self._unseen: dict[int, list[dict[str, Any]]] = {}
        self._done: list[dict[str, Any]] = []
        self._growing: _Growing | None = None
        self._called: set[int] = set()

    def take(self, said: dict[str, Any], chances: object = None) -> Iterator[Event]:
        """What a message or a delta adds. Raises UpstreamBroken for calls that make no sense."""
        tokens = logprobs(chances)
        proofs = _details(said)
        for kind, text in pieces(said):
            if kind == "reasoning":
                yield from self._think(text)
            else:
                yield from self._prove(proofs)
                yield from self._say(kind, text, tokens if kind == "text" else [])
                tokens, proofs = [], []
        yield from self._prove(proofs)
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
        if isinstance(growing, Reasoning) and growing.proof:
            self._proofs[len(self._done) - 1] = growing.proof
        if self._late:
            late, self._late = self._late, []
            yield from self._prove(late)
            yield from self.close("completed")

    def output(self) -> list[dict[str, Any]]:
        """All items so far; one that grows is incomplete."""
        return [*self._done, *([self._growing.item("incomplete")] if self._growing else ())]

    def kept(self) -> list[dict[str, Any]] | None:
        """The same with what proves the reasoning, where it is there and not shown; else None."""
        if self._included or not (self._proofs or self._unseen):
            return None
        output = self.output()
        for at, proof in self._proofs.items():
            output[at] = output[at] | {"encrypted_content": proof}
        for at, proofs in sorted(self._unseen.items(), reverse=True):
            output.insert(at, unseen(f"{self._name('rs', at)}h", wrapped(self._origin, proofs)))
        return output

    def _think(self, text: str) -> Iterator[Event]:
        growing = self._growing
        if not isinstance(growing, Reasoning):
            yield from self.close("completed")
            growing = yield from self._thinking()
        yield from growing.more(text)

    def _prove(self, proofs: list[dict[str, Any]]) -> Iterator[Event]:
        """What proves reasoning belongs to the item that grows, or to one of its own behind it.

        That one is told of only where there is something to see in it.
        """
        growing = self._growing
        if not proofs or isinstance(growing, Reasoning):
            if isinstance(growing, Reasoning):
                growing.prove(proofs)
        elif not self._included:
            joined(self._unseen.setdefault(len(self._done) + (growing is not None), []), proofs)
        elif growing is None:
            (yield from self._thinking()).prove(proofs)
        else:
            self._late += proofs

    def _thinking(self) -> Generator[Event, None, Reasoning]:
        at = len(self._done)
        self._growing = made = Reasoning(self._name("rs", at), at, self._origin, included=self._included)
        yield from made.opened()
        return made

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


def _details(said: dict[str, Any]) -> list[dict[str, Any]]:
    """Chat's ``reasoning_details``: signatures and encrypted reasoning, each provider's in its own form."""
    found = said.get("reasoning_details")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _written(inner: dict[str, Any]) -> str:
    """The arguments of a call, which a few providers send as an object."""
    value = inner.get("arguments", inner.get("input"))
    if value is None or isinstance(value, str):
        return value or ""
    try:
        return msgspec.json.encode(value).decode()
    except OverflowError:
        raise UpstreamBroken("the arguments of a call hold a number out of every range") from None
