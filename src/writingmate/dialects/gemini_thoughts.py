"""Thought signatures on their way through a chat (WIRE §10.2).

Gemini signs what it thought before a call or a text, and wants the signature back with it. It travels
where Google's own chat endpoint puts it (``extra_content.google.thought_signature``, of a call or of the
message), and as OpenRouter has it: an entry of ``reasoning_details`` of type ``reasoning.encrypted``
with the ``id`` of its call. A client that keeps either of them has done enough.
"""

from __future__ import annotations

from typing import Any

FORMAT = "google-gemini-v1"
#: What stands for a signature that was lost: Google's own word for it.
UNSIGNED = "skip_thought_signature_validator"


def carried(signature: str) -> dict[str, Any]:
    """The member of a call or of a message that carries its signature."""
    return {"extra_content": {"google": {"thought_signature": signature}}}


def detail(index: int, signature: str, call_id: str | None) -> dict[str, Any]:
    """The same as an entry of ``reasoning_details``."""
    named = {} if call_id is None else {"id": call_id}
    return {"type": "reasoning.encrypted", "data": signature, "format": FORMAT, "index": index, **named}


class Signatures:
    """Those that came back with an assistant's message."""

    def __init__(self, message: dict[str, Any]) -> None:
        details = message.get("reasoning_details")
        entries = [entry for entry in details if _is_ours(entry)] if isinstance(details, list) else []
        self._by_call = {entry["id"]: entry["data"] for entry in entries if isinstance(entry.get("id"), str)}
        others = [entry["data"] for entry in entries if not isinstance(entry.get("id"), str)]
        self._text: str | None = _own(message) or (others[-1] if others else None)

    def call(self, call: dict[str, Any]) -> str | None:
        """That of a call."""
        return _own(call) or self._by_call.get(str(call.get("id")))

    def text(self) -> str | None:
        """That of the text, or of a message that says nothing else."""
        return self._text


def _own(signed: dict[str, Any]) -> str | None:
    about = signed.get("extra_content")
    google = about.get("google") if isinstance(about, dict) else None
    signature = google.get("thought_signature") if isinstance(google, dict) else None
    return signature if isinstance(signature, str) and signature else None


def _is_ours(entry: object) -> bool:
    """Clients that join a stream's entries may write a format several times."""
    if not isinstance(entry, dict) or not isinstance(entry.get("data"), str):
        return False
    return str(entry.get("format")).startswith(FORMAT)
