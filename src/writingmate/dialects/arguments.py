"""A tool call's arguments, which chat writes as text and providers' own dialects as an object."""

from __future__ import annotations

from typing import Any

import msgspec

from writingmate.errors import InvalidRequest


def decoded(text: object, param: str) -> dict[str, Any]:
    """The object that they are; nothing said is an empty one. Raises InvalidRequest."""
    if text is None or (isinstance(text, str) and not text.strip()):
        return {}
    try:
        arguments = msgspec.json.decode(text) if isinstance(text, str) else text
    except (msgspec.DecodeError, ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        raise InvalidRequest(f"Invalid '{param}': expected the JSON of an object.", param=param)
    return arguments
