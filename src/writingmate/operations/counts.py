"""How a stream says what it cost."""

from __future__ import annotations

from writingmate.wire import sse


def comment(request_id: str, messages: int, remaining: int | None = None) -> bytes:
    """The comment that carries a stream's count, which a header no longer can (PRODUCT §1)."""
    rest = "" if remaining is None else f" remaining_messages={remaining}"
    text = f"writingmate counted_messages={messages}{rest} request_id={request_id}"
    return sse.comment(text.encode())
