"""A message of the assistant: parts of text and of refusal, with what was cited (WIRE §7.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from writingmate.dialects import chat
from writingmate.dialects.responses_events import Event, added, done

#: No text has so many characters, and no token is so unlikely.
_ABSURD = 1 << 32


class Message:
    """One message; a part of another kind ends the one before."""

    def __init__(self, item_id: str, at: int) -> None:
        self._id = item_id
        self._at = at
        self._parts: list[dict[str, Any]] = []

    def opened(self) -> Iterator[Event]:
        """The item, still empty."""
        yield added(self._at, self.item("in_progress"))

    def more(self, kind: str, text: str, tokens: list[dict[str, Any]]) -> Iterator[Event]:
        """More of it: ``text`` with its log probabilities, or ``refusal``."""
        form = "output_text" if kind == "text" else "refusal"
        if not self._parts or self._parts[-1]["type"] != form:
            yield from self._ended()
            self._parts.append(_part(form))
            yield "response.content_part.added", self._where() | {"part": _part(form)}
        part = self._parts[-1]
        if form == "refusal":
            part["refusal"] += text
            yield "response.refusal.delta", self._where() | {"delta": text}
        else:
            part["text"] += text
            part["logprobs"] += tokens
            yield "response.output_text.delta", self._where() | {"delta": text, "logprobs": tokens}

    def cite(self, found: list[dict[str, Any]]) -> Iterator[Event]:
        """What the text so far refers to."""
        if not self._parts or self._parts[-1]["type"] != "output_text":
            return
        kept = self._parts[-1]["annotations"]
        for annotation in found:
            members = {"annotation_index": len(kept), "annotation": annotation}
            kept.append(annotation)
            yield "response.output_text.annotation.added", self._where() | members

    def closed(self, status: str) -> Iterator[Event]:
        """Its end."""
        yield from self._ended()
        yield done(self._at, self.item(status))

    def item(self, status: str) -> dict[str, Any]:
        """As it stands in the output."""
        return {
            "id": self._id,
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": list(self._parts),
        }

    def _ended(self) -> Iterator[Event]:
        if not self._parts:
            return
        part = self._parts[-1]
        if part["type"] == "refusal":
            yield "response.refusal.done", self._where() | {"refusal": part["refusal"]}
        else:
            said = {"text": part["text"], "logprobs": part["logprobs"]}
            yield "response.output_text.done", self._where() | said
        yield "response.content_part.done", self._where() | {"part": part}

    def _where(self) -> dict[str, Any]:
        return {
            "item_id": self._id, "output_index": self._at, "content_index": max(0, len(self._parts) - 1),
        }  # fmt: skip


def _part(form: str) -> dict[str, Any]:
    if form == "refusal":
        return {"type": form, "refusal": ""}
    return {"type": form, "text": "", "annotations": [], "logprobs": []}


def pieces(said: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What a chat message or delta says, in order: ``reasoning``, ``text``, ``refusal``; nothing empty."""
    for text in chat.texts(said.get("reasoning_content") or said.get("reasoning")):
        yield from _piece("reasoning", text)
    content = said.get("content")
    for part in content if isinstance(content, list) else (content,):
        thought = isinstance(part, dict) and part.get("type") == "thinking"
        for text in chat.texts([part] if isinstance(part, dict) else part):
            yield from _piece("reasoning" if thought else "text", text)
    for text in chat.texts(said.get("refusal")):
        yield from _piece("refusal", text)


def _piece(kind: str, text: str) -> Iterator[tuple[str, str]]:
    if text:
        yield kind, text


def citations(said: dict[str, Any]) -> list[dict[str, Any]]:
    """What a chat message cites, flat as responses have it."""
    found = said.get("annotations")
    cited: list[dict[str, Any]] = []
    for each in found if isinstance(found, list) else ():
        inner = each.get("url_citation") if isinstance(each, dict) else None
        if isinstance(inner, dict):
            start, end = inner.get("start_index"), inner.get("end_index")
            cited.append({
                "type": "url_citation",
                "start_index": start if type(start) is int and 0 <= start < _ABSURD else 0,
                "end_index": end if type(end) is int and 0 <= end < _ABSURD else 0,
                "url": str(inner.get("url", "")),
                "title": str(inner.get("title", "")),
            })  # fmt: skip
    return cited


def logprobs(said: object) -> list[dict[str, Any]]:
    """The tokens of a chat choice's ``logprobs``, as responses have them."""
    content = said.get("content") if isinstance(said, dict) else None
    return [_token(token) | {"top_logprobs": _likeliest(token)} for token in _tokens(content)]


def _likeliest(token: dict[str, Any]) -> list[dict[str, Any]]:
    return [_token(other) for other in _tokens(token.get("top_logprobs"))]


def _tokens(listed: object) -> list[dict[str, Any]]:
    tokens = listed if isinstance(listed, list) else ()
    return [token for token in tokens if isinstance(token, dict) and _is_token(token)]


def _is_token(token: dict[str, Any]) -> bool:
    chance: Any = token.get("logprob")
    return isinstance(token.get("token"), str) and type(chance) in (int, float) and abs(chance) < _ABSURD


def _token(token: dict[str, Any]) -> dict[str, Any]:
    return {"token": token["token"], "logprob": token["logprob"], "bytes": _bytes(token.get("bytes"))}


def _bytes(listed: object) -> list[int]:
    """Some providers leave them out."""
    found = listed if isinstance(listed, list) else []
    return found if all(type(each) is int and 0 <= each < 256 for each in found) else []  # noqa: PLR2004  # a byte
