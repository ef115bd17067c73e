"""A call of a tool as a ``tool_use`` block, whole or in pieces of its JSON (WIRE §10.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from writingmate.errors import UpstreamBroken

#: Where a model's JSON goes that is none: a block's input must be an object, and nothing is lost.
INVALID = "INVALID_JSON"


class Call:
    """One call; ``place`` is its index among the calls of the chat message."""

    def __init__(self, place: int, call_id: str, name: str) -> None:
        self.call_id = call_id
        self._place = place
        self._name = name
        self._at = 0
        self._text: list[str] = []

    def at(self, index: int) -> Call:
        """The same, as the block of that index."""
        self._at = index
        return self

    def continues(self, place: int, call_id: object) -> bool:
        """Whether a delta with this index and id is more of this call: some providers repeat both."""
        return place == self._place and (not call_id or call_id == self.call_id)

    def opened(self) -> tuple[str, dict[str, Any]]:
        """The block, still without input."""
        return "content_block_start", {"index": self._at, "content_block": self._shown({})}

    def more(self, call: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
        """More of its arguments."""
        if text := _written(call):
            self._text.append(text)
            yield self._delta(text)

    def closed(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Its end; a call without arguments has an empty object of them."""
        if not "".join(self._text).strip():
            yield self._delta("{}")
        yield "content_block_stop", {"index": self._at}

    def block(self) -> dict[str, Any]:
        """As it stands in the message."""
        return self._shown(_input("".join(self._text)))

    def _shown(self, given: dict[str, Any]) -> dict[str, Any]:
        return {"type": "tool_use", "id": self.call_id, "name": self._name, "input": given}

    def _delta(self, text: str) -> tuple[str, dict[str, Any]]:
        delta = {"type": "input_json_delta", "partial_json": text}
        return "content_block_delta", {"index": self._at, "delta": delta}


def begun(call: dict[str, Any], place: int, before: set[int], own: str) -> Call:
    """A call that begins, noted among those ``before``. Raises UpstreamBroken if it makes no sense."""
    function = call.get("function")
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(name, str) or not name:
        again = "goes on after another had begun" if place in before else "has no name"
        raise UpstreamBroken(f"a call of a tool {again}")
    before.add(place)
    call_id = call.get("id")
    known = call_id if isinstance(call_id, str) and call_id else f"toolu_{own}_{len(before)}"
    return Call(place, known, name)


def _written(call: dict[str, Any]) -> str:
    """The arguments, which a few providers send as an object."""
    function = call.get("function")
    value = function.get("arguments") if isinstance(function, dict) else None
    if value is None or isinstance(value, str):
        return value or ""
    try:
        return msgspec.json.encode(value).decode()
    except OverflowError:
        raise UpstreamBroken("the arguments of a call hold a number out of every range") from None


def _input(text: str) -> dict[str, Any]:
    if not text.strip():
        return {}
    try:
        given = msgspec.json.decode(text.encode())
    except (msgspec.DecodeError, ValueError, RecursionError):
        given = None
    return given if isinstance(given, dict) else {INVALID: text}
