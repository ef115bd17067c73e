"""The content blocks of a message, and the events that tell of them as they grow (WIRE §10.1).

`Content` takes what a model said in chat, whole or in pieces, so that a stream and an answer of one
piece come to the same blocks. An event is its type and its members, which are framed elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, TypeAlias

from writingmate.dialects import anthropic_thoughts
from writingmate.dialects.anthropic_calls import Call, begun
from writingmate.dialects.messages_thinking import FORMAT
from writingmate.dialects.responses_message import pieces

Event: TypeAlias = tuple[str, dict[str, Any]]


class _Growing(Protocol):
    def closed(self) -> Iterator[Event]: ...

    def block(self) -> dict[str, Any]: ...


class Content:
    """The blocks of one answer, one of them growing at a time.

    Args:
        own: ids of ours are made from it.
        model: the provider's name of it; thinking is brought back to it.
        shows: whether thinking is told, or only that there was some.
    """

    def __init__(self, own: str, model: str, *, shows: bool = True) -> None:
        self._own = own
        self._model = model
        self._shows = shows
        self._done: list[dict[str, Any]] = []
        self._growing: _Growing | None = None
        self._details: list[dict[str, Any]] = []
        self._begun: set[int] = set()

    @property
    def calls(self) -> bool:
        """Whether a tool was called."""
        return bool(self._begun)

    def take(self, said: dict[str, Any]) -> Iterator[Event]:
        """What a message or a delta adds. Raises UpstreamBroken for calls that make no sense."""
        content = isinstance(said.get("reasoning_content"), str)
        details = said.get("reasoning_details")
        if isinstance(details, list):
            self._details += [each for each in details if isinstance(each, dict)]
        for kind, text in pieces(said):
            if kind == "reasoning":
                yield from self._think(text, content=content)
            else:
                yield from self._say(text)
        calls = said.get("tool_calls")
        for at, call in enumerate(calls if isinstance(calls, list) else ()):
            if isinstance(call, dict):
                yield from self._call(at, call)

    def end(self) -> Iterator[Event]:
        """The end of what was being said, and what is left that only the model can read."""
        yield from self._close()
        yield from self._unread()

    def blocks(self) -> list[dict[str, Any]]:
        """All that has ended."""
        return self._done

    def _close(self) -> Iterator[Event]:
        growing, self._growing = self._growing, None
        if isinstance(growing, _Thinking):
            growing.sign(self._model, self._taken())
        if growing is not None:
            yield from growing.closed()
            self._done.append(growing.block())

    def _unread(self) -> Iterator[Event]:
        """Details that came without words, in a block that is not read but returned."""
        details = self._taken()
        for detail in [each for each in details if _is_claudes(each)]:
            if isinstance(detail.get("data"), str):
                yield from self._redact(detail["data"])
        others = [each for each in details if not _is_claudes(each)]
        if others:
            sealed = anthropic_thoughts.sealed(self._model, content=False, details=others, text="")
            yield from self._redact(sealed)

    def _redact(self, data: str) -> Iterator[Event]:
        block = {"type": "redacted_thinking", "data": data}
        yield _start(len(self._done), block)
        yield _stop(len(self._done))
        self._done.append(block)

    def _taken(self) -> list[dict[str, Any]]:
        details, self._details = anthropic_thoughts.joined(self._details), []
        return details

    def _think(self, text: str, *, content: bool) -> Iterator[Event]:
        growing = self._growing
        if not isinstance(growing, _Thinking):
            kept, self._details = self._details, []  # those that came with these words are of the next block
            yield from self._close()
            self._details = kept
            self._growing = growing = _Thinking(len(self._done), shows=self._shows)
            yield growing.opened()
        yield from growing.more(text, content=content)

    def _say(self, text: str) -> Iterator[Event]:
        growing = self._growing
        if not isinstance(growing, _Text):
            yield from self._close()
            yield from self._unread()
            self._growing = growing = _Text(len(self._done))
            yield growing.opened()
        yield growing.more(text)

    def _call(self, at: int, call: dict[str, Any]) -> Iterator[Event]:
        place = call["index"] if type(call.get("index")) is int else at
        growing = self._growing
        if not isinstance(growing, Call) or not growing.continues(place, call.get("id")):
            yield from self._close()
            yield from self._unread()
            made = begun(call, place, self._begun, self._own)
            if call.get("extra_content") is not None:
                sealed = anthropic_thoughts.sealed_call(self._model, made.call_id, call["extra_content"])
                yield from self._redact(sealed)
            self._growing = growing = made.at(len(self._done))
            yield growing.opened()
        yield from growing.more(call)


class _Text:
    def __init__(self, at: int) -> None:
        self._at = at
        self._text: list[str] = []

    def opened(self) -> Event:
        return _start(self._at, {"type": "text", "text": ""})

    def more(self, text: str) -> Event:
        self._text.append(text)
        return _delta(self._at, {"type": "text_delta", "text": text})

    def closed(self) -> Iterator[Event]:
        yield _stop(self._at)

    def block(self) -> dict[str, Any]:
        return {"type": "text", "text": "".join(self._text)}


class _Thinking:
    def __init__(self, at: int, *, shows: bool) -> None:
        self._at = at
        self._shows = shows
        self._text: list[str] = []
        self._content = False
        self._signature = ""

    def opened(self) -> Event:
        return _start(self._at, {"type": "thinking", "thinking": "", "signature": ""})

    def more(self, text: str, *, content: bool) -> Iterator[Event]:
        self._text.append(text)
        self._content = self._content or content
        if self._shows:
            yield _delta(self._at, {"type": "thinking_delta", "thinking": text})

    def sign(self, model: str, details: list[dict[str, Any]]) -> None:
        """With what brings it back: Claude's own signature, or one of ours."""
        proofs = [each["signature"] for each in details if _is_claudes(each) and each.get("signature")]
        if proofs and isinstance(proofs[-1], str):
            self._signature = proofs[-1]
            return
        text = "".join(self._text) if self._shows else ""
        content = self._content and self._shows
        self._signature = anthropic_thoughts.sealed(model, content=content, details=details, text=text)

    def closed(self) -> Iterator[Event]:
        yield _delta(self._at, {"type": "signature_delta", "signature": self._signature})
        yield _stop(self._at)

    def block(self) -> dict[str, Any]:
        text = "".join(self._text) if self._shows else ""
        return {"type": "thinking", "thinking": text, "signature": self._signature}


def _is_claudes(detail: dict[str, Any]) -> bool:
    return detail.get("format") == FORMAT


def _start(at: int, block: dict[str, Any]) -> Event:
    return "content_block_start", {"index": at, "content_block": block}


def _delta(at: int, delta: dict[str, Any]) -> Event:
    return "content_block_delta", {"index": at, "delta": delta}


def _stop(at: int) -> Event:
    return "content_block_stop", {"index": at}
