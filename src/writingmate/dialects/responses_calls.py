"""A call of a function, or of a custom tool that chat only knows as a function (WIRE §7.3, §8)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from writingmate.dialects.responses_events import Event, added, done


class Call:
    """One call. A custom tool's text is told in one piece, since it comes wrapped in JSON.

    Args:
        item_id: of the output item.
        at: its place in the output.
        place: its index among the calls of the chat message.
        call_id: what its output is to name.
        name: of the tool.
        custom: whether the tool takes text.
        wrapped: whether that text comes as the ``input`` of JSON arguments.
    """

    def __init__(
        self, item_id: str, at: int, place: int, call_id: str, name: str, *, custom: bool, wrapped: bool
    ) -> None:
        self._id = item_id
        self._at = at
        self._place = place
        self._call_id = call_id
        self._name = name
        self._custom = custom
        self._wrapped = wrapped
        self._text: list[str] = []

    def continues(self, place: int, call_id: object) -> bool:
        """Whether a delta with this index and id is more of this call: some providers repeat both."""
        return place == self._place and (not call_id or call_id == self._call_id)

    def opened(self) -> Iterator[Event]:
        """The item."""
        yield added(self._at, self._item("", "in_progress"))

    def more(self, text: str) -> Iterator[Event]:
        """More of the arguments."""
        if text:
            self._text.append(text)
            if not self._custom:
                yield "response.function_call_arguments.delta", self._where() | {"delta": text}

    def closed(self, status: str) -> Iterator[Event]:
        """Its end; a call without arguments has an empty object of them."""
        text = self._given()
        if self._custom:
            yield "response.custom_tool_call_input.delta", self._where() | {"delta": text}
            yield "response.custom_tool_call_input.done", self._where() | {"input": text}
        else:
            if not self._text:
                yield "response.function_call_arguments.delta", self._where() | {"delta": text}
            members = self._where() | {"name": self._name, "arguments": text}
            yield "response.function_call_arguments.done", members
        yield done(self._at, self.item(status))

    def item(self, status: str) -> dict[str, Any]:
        """As it stands in the output."""
        return self._item(self._given(), status)

    def _item(self, text: str, status: str) -> dict[str, Any]:
        form, member = ("custom_tool_call", "input") if self._custom else ("function_call", "arguments")
        return {
            "id": self._id,
            "type": form,
            "status": status,
            "call_id": self._call_id,
            "name": self._name,
            member: text,
        }

    def _given(self) -> str:
        text = "".join(self._text)
        if not self._custom:
            return text or "{}"
        return _unwrapped(text) if self._wrapped else text

    def _where(self) -> dict[str, Any]:
        return {"item_id": self._id, "output_index": self._at}


def _unwrapped(arguments: str) -> str:
    """The text in a custom tool's arguments; what a model wrote otherwise is taken as it is."""
    try:
        said = msgspec.json.decode(arguments.encode())
    except (msgspec.DecodeError, ValueError, RecursionError):
        return arguments
    found = said.get("input") if isinstance(said, dict) else None
    return found if isinstance(found, str) else arguments
