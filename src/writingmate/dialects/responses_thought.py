"""Reasoning as an output item: what is shown of it, and what proves it to whoever made it (WIRE §7.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from writingmate.dialects.responses_events import Event, added, done
from writingmate.dialects.responses_reasoning import joined, wrapped


class Reasoning:
    """What a model thought, as a summary: raw reasoning has two names on the wire, a summary one.

    Args:
        item_id: of the output item.
        at: its place in the output.
        origin: who can read what proves it.
        included: whether that is shown.
    """

    def __init__(self, item_id: str, at: int, origin: str, *, included: bool) -> None:
        self._id = item_id
        self._at = at
        self._origin = origin
        self._included = included
        self._text: list[str] = []
        self._proofs: list[dict[str, Any]] = []

    @property
    def proof(self) -> str:
        """What proves it, for its maker alone; empty if there is nothing."""
        return wrapped(self._origin, self._proofs) if self._proofs else ""

    def opened(self) -> Iterator[Event]:
        """The item."""
        yield added(self._at, {"id": self._id, "type": "reasoning", "summary": [], "status": "in_progress"})

    def more(self, text: str) -> Iterator[Event]:
        """More of it; with the first of it, its one part."""
        if not self._text:
            yield "response.reasoning_summary_part.added", self._place() | {"part": _summary("")}
        self._text.append(text)
        yield "response.reasoning_summary_text.delta", self._place() | {"delta": text}

    def prove(self, proofs: list[dict[str, Any]]) -> None:
        """More of what proves it."""
        joined(self._proofs, proofs)

    def closed(self, status: str) -> Iterator[Event]:
        """Its end."""
        if self._text:
            text = "".join(self._text)
            yield "response.reasoning_summary_text.done", self._place() | {"text": text}
            yield "response.reasoning_summary_part.done", self._place() | {"part": _summary(text)}
        yield done(self._at, self.item(status))

    def item(self, status: str) -> dict[str, Any]:
        """As it stands in the output."""
        summary = [_summary("".join(self._text))] if self._text else []
        item = {"id": self._id, "type": "reasoning", "summary": summary, "status": status}
        return item | {"encrypted_content": self.proof} if self._included and self._proofs else item

    def _place(self) -> dict[str, Any]:
        return {"item_id": self._id, "output_index": self._at, "summary_index": 0}


def unseen(item_id: str, proof: str) -> dict[str, Any]:
    """Reasoning of which there is nothing to see but what proves it."""
    item = {"id": item_id, "type": "reasoning", "summary": [], "status": "completed"}
    return item | {"encrypted_content": proof}


def _summary(text: str) -> dict[str, str]:
    return {"type": "summary_text", "text": text}
