"""Errors that come inside an answer of 200 (WIRE §10.3).

OpenRouter has them at the top of a body or of a frame, and, once a model had begun to write, in a choice.
Their code is the HTTP status that was meant; where a provider has a word or nothing there, the answer is
merely broken.
"""

from __future__ import annotations

from typing import Any

import msgspec

from writingmate.errors import UpstreamBroken, UpstreamErred

_LONGEST_DETAIL = 300
_LONGEST_BODY = 64 * 1024
_STATUSES = range(400, 600)


def error_of(said: object, shown: bytes) -> UpstreamBroken:
    """What an error means that was found in ``shown``; ``said`` is its JSON value."""
    detail = f"the answer is an error: {shown[:_LONGEST_DETAIL].decode('utf-8', 'replace')}"
    status = _status(said)
    if status is None:
        return UpstreamBroken(detail)
    return UpstreamErred(status, _body(said), detail)


def of_choices(listed: list[dict[str, Any]], shown: bytes) -> UpstreamBroken | None:
    """The error that a choice ended with, None if none did."""
    for choice in listed:
        if choice.get("error"):
            return error_of(choice["error"], shown)
    if any(choice.get("finish_reason") == "error" for choice in listed):
        return error_of(None, shown)
    return None


def _body(said: object) -> bytes:
    """The words as they would have come with that status; none, if they are endless."""
    try:
        body = msgspec.json.encode({"error": said})
    except RecursionError:
        return b"{}"
    return body if len(body) <= _LONGEST_BODY else b"{}"


def _status(said: object) -> int | None:
    code = said.get("code") if isinstance(said, dict) else None
    if isinstance(code, str) and code.isascii() and code.isdigit() and len(code) == len("400"):
        code = int(code)
    return code if type(code) is int and code in _STATUSES else None
