"""Reads what a vendor's request type finds lazily: an iterable is only checked while it is read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def read(value: object) -> None:
    """Look at every member. Raises pydantic's ValidationError at the first that is wrong."""
    if isinstance(value, Mapping):
        for member in value.values():
            read(member)
    elif isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        for member in value:
            read(member)
