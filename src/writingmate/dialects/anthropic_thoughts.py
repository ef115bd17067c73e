"""Thinking of models that only chat, in blocks whose signature brings it back to them (WIRE §10.1).

Anthropic's clients return thinking word for word with its signature. What a chat provider sent beside
the words (``reasoning_details`` with their ids and encrypted parts, a tool call's ``extra_content``)
travels in a signature of ours, and goes back to the same model only: another one could not read it.
Reasoning of Claude's that came through chat keeps Anthropic's own signature, so that every route of the
model reads it.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from writingmate.dialects import messages_thinking

PREFIX = "wm1."
MARK = b'"wm1.'
_CLAUDE = "claude"
_BLOCKS = ("thinking", "redacted_thinking")


@dataclass(slots=True)
class Thoughts:
    """What an assistant's message is given back: words, details, and what belongs to calls, by their ids."""

    content: str = ""
    details: list[dict[str, Any]] = field(default_factory=list)
    calls: dict[str, Any] = field(default_factory=dict)

    def take(self, block: dict[str, Any], model: str | None) -> None:
        """One block of thinking, on its way to ``model``; to None, which is a reader, all words matter."""
        text = block.get("thinking")
        text = text if isinstance(text, str) else ""
        if model is None:
            self.content += text
            return
        proof = block.get("signature") if block["type"] == "thinking" else block.get("data")
        if not isinstance(proof, str):
            return
        if proof.startswith(PREFIX):
            self._own(opened(proof), text, model)
        elif _CLAUDE in model:
            said = {"text": text, "signature": proof} if block["type"] == "thinking" else {"data": proof}
            self.details.append(messages_thinking.detail(len(self.details), **said))

    def _own(self, held: dict[str, Any], text: str, model: str) -> None:
        if held.get("model") != model:
            return
        if held.get("content") is True:
            self.content += text
        for detail in _objects(held.get("details")):
            self.details.append({**detail, **dict.fromkeys(_strings(held.get("words")), text)})
        calls = held.get("calls")
        if isinstance(calls, dict):
            self.calls |= calls


def sealed(model: str, *, content: bool, details: list[dict[str, Any]], text: str) -> str:
    """The signature of a block that says ``text``; words that repeat it are left out."""
    said: dict[str, Any] = {"model": model}
    if content:
        said["content"] = True
    if len(details) == 1:
        words = [name for name in ("text", "summary") if text and details[0].get(name) == text]
        details = [{name: value for name, value in details[0].items() if name not in words}]
        said["words"] = words
    if details:
        said["details"] = details
    return _sealed(said)


def sealed_call(model: str, call_id: str, extra: object) -> str:
    """What a provider wants back with a call: the data of a block before it."""
    return _sealed({"model": model, "calls": {call_id: extra}})


def opened(proof: str) -> dict[str, Any]:
    """What a signature of ours holds; nothing if it was changed."""
    try:
        held = msgspec.json.decode(base64.b64decode(proof.removeprefix(PREFIX), validate=True))
    except (binascii.Error, msgspec.DecodeError, ValueError, RecursionError):
        return {}
    return held if isinstance(held, dict) else {}


def joined(details: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A stream's pieces of details put together, as those who sent them want them back."""
    whole: list[dict[str, Any]] = []
    for piece in details:
        last = whole[-1] if whole else None
        if last is None or (last.get("type"), last.get("index")) != (piece.get("type"), piece.get("index")):
            whole.append(dict(piece))
            continue
        for name, value in piece.items():
            before = last.get(name)
            grows = name in ("text", "summary", "data") and isinstance(before, str) and isinstance(value, str)
            last[name] = before + value if grows else (before if value is None else value)
    return whole


def without(messages: Any) -> Any:  # noqa: ANN401  # any JSON value
    """Messages without the blocks whose signature is of ours; one that held nothing else is left as it is."""
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, list) and (kept := [block for block in content if not _is_ours(block)]):
            message["content"] = kept
    return messages


def _is_ours(block: object) -> bool:
    if not isinstance(block, dict) or block.get("type") not in _BLOCKS:
        return False
    proof = block.get("signature") or block.get("data")
    return isinstance(proof, str) and proof.startswith(PREFIX)


def _sealed(said: dict[str, Any]) -> str:
    try:
        held = msgspec.json.encode(said)
    except (OverflowError, RecursionError):
        held = b"{}"  # a number that JSON has no room for: then nothing is brought back
    return PREFIX + base64.b64encode(held).decode()


def _objects(value: object) -> Iterator[dict[str, Any]]:
    yield from (each for each in value if isinstance(each, dict)) if isinstance(value, list) else ()


def _strings(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
