"""The choices in an answer or in a frame, read without trusting their shape."""

from __future__ import annotations

from typing import Any

import msgspec


def members(data: bytes) -> dict[str, Any]:
    """What a frame or a body says, nothing if it is not an object."""
    try:
        said = msgspec.json.decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def listed(said: dict[str, Any]) -> list[dict[str, Any]]:
    """The choices among its members, those that are objects."""
    choices = said.get("choices")
    return [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []


def found(data: bytes) -> list[dict[str, Any]]:
    """The choices in its bytes."""
    return listed(members(data)) if data else []


def place(choice: dict[str, Any]) -> int:
    """A choice's index; the only choice may come without."""
    index = choice.get("index")
    return index if type(index) is int else 0


def is_empty(choice: dict[str, Any]) -> bool:
    """Whether a choice of a frame says nothing at all but whose turn it is."""
    delta = choice.get("delta")
    said = delta if isinstance(delta, dict) else {}
    told = any(value for name, value in said.items() if name != "role")
    return not told and not choice.get("finish_reason") and not choice.get("logprobs")
