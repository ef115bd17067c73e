"""Thinking on its way through a chat: what it said, and the signatures that prove it (WIRE §10.1).

A tool loop must bring its thinking back word for word. It travels as ``reasoning_details``, which
OpenRouter's clients keep and return: entries of type ``reasoning.text`` with ``text`` and
``signature``, or ``reasoning.encrypted`` with ``data``. LiteLLM's ``thinking_blocks`` are read too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

FORMAT = "anthropic-claude-v1"
_BLOCKS = {"thinking": ("thinking", "signature"), "redacted_thinking": ("data",)}


def detail(index: int, **said: str) -> dict[str, Any]:
    """One entry of ``reasoning_details``: a text, its signature or both, or encrypted ``data``."""
    form = "reasoning.encrypted" if "data" in said else "reasoning.text"
    return {"type": form, **said, "format": FORMAT, "index": index}


def blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    """An assistant message's thinking as Anthropic had said it; none that is not signed."""
    native = message.get("thinking_blocks")
    if isinstance(native, list):
        return [block for entry in native if (block := _native(entry)) is not None]
    details = message.get("reasoning_details")
    return list(_joined(details)) if isinstance(details, list) else []


def _native(entry: object) -> dict[str, Any] | None:
    if not isinstance(entry, dict):
        return None
    members = _BLOCKS.get(str(entry.get("type")), ())
    if not members or not all(isinstance(entry.get(name), str) for name in members):
        return None
    return {"type": entry["type"], **{name: entry[name] for name in members}}


def _joined(details: list[Any]) -> Iterator[dict[str, Any]]:
    """Clients keep a stream's entries joined or in pieces; the signature is a block's last."""
    text = ""
    for entry in details:
        if not isinstance(entry, dict) or entry.get("format", FORMAT) != FORMAT:
            continue
        data, signature = entry.get("data"), entry.get("signature")
        if isinstance(data, str):
            yield {"type": "redacted_thinking", "data": data}
            continue
        said = entry.get("text")
        text += said if isinstance(said, str) else ""
        if isinstance(signature, str) and signature:
            yield {"type": "thinking", "thinking": text, "signature": signature}
            text = ""
