"""What every event of a response looks like."""

from __future__ import annotations

from typing import Any, TypeAlias

#: An event's type and its members, without its number.
Event: TypeAlias = tuple[str, dict[str, Any]]


def added(at: int, item: dict[str, Any]) -> Event:
    """An output item has begun."""
    return "response.output_item.added", {"output_index": at, "item": item}


def done(at: int, item: dict[str, Any]) -> Event:
    """An output item is complete, or as complete as it gets."""
    return "response.output_item.done", {"output_index": at, "item": item}
