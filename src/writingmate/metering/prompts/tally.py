"""Messages and their parts, added up by kind; what has an unusual shape is counted by its bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal, TypeAlias

import msgspec

from writingmate.dialects.attachments import IMAGES, SPOKEN, TEXTS, WINDOW
from writingmate.errors import InvalidRequest
from writingmate.metering.prompts import inline
from writingmate.metering.prompts.families import Family
from writingmate.wire import document
from writingmate.wire.document import Document

Kind: TypeAlias = Literal["text", "images", "files", "audio", "tools"]

#: Tokens that templates put around a message, a part of one, and a call of a tool.
_MESSAGE, _PART, _CALL = 8, 4, 16
#: Elements of a list that are looked at; those beyond are counted by their bytes.
_MOST: Final = 20_000
#: Brackets in a list that is looked at.
_NESTED: Final = 1_000_000
_LARGE: Final = 1_048_576

_WORDS: Final = frozenset(
    ("role", "name", "tool_call_id", "refusal", "reasoning_content", "reasoning", "text", "thinking")
)
_CALLS: Final = frozenset(("tool_calls", "function_call"))
_FILES: Final = frozenset(("file", "input_file"))
_TEXT, _LIST, _OBJECT, _NULL = b'"', b"[", b"{", b"n"


class Tally:
    """What a prompt holds so far. ``total`` counts all its text at once."""

    def __init__(self, rules: Family) -> None:
        self.rules = rules
        self._amounts: dict[Kind, int] = dict.fromkeys(("text", "images", "files", "audio", "tools"), 0)
        self._texts: list[tuple[Kind, str]] = []

    def add(self, kind: Kind, tokens: int) -> None:
        """Tokens by a rule."""
        self._amounts[kind] += tokens

    def total(self) -> dict[Kind, int]:
        """Tokens by kind."""
        found = dict(self._amounts)
        counts = self.rules.texts([text for _, text in self._texts])
        for (kind, _), tokens in zip(self._texts, counts, strict=True):
            found[kind] += tokens
        return found

    def unread(self, kind: Kind, raw: msgspec.Raw) -> None:
        """A value that is not understood: a token for each of its bytes."""
        self.add(kind, len(memoryview(raw)))

    def said(self, kind: Kind, raw: msgspec.Raw) -> None:
        """A JSON string, or nothing."""
        if _starts(raw, _TEXT):
            try:
                self._texts.append((kind, document.value(raw)))
            except InvalidRequest:
                self.unread(kind, raw)
        elif not _starts(raw, _NULL):
            self.unread(kind, raw)

    def written(self, kind: Kind, raw: msgspec.Raw) -> None:
        """JSON that a model reads as it is."""
        self._texts.append((kind, bytes(raw).decode("utf-8", "replace")))

    def prompt(self, raw: msgspec.Raw) -> None:
        """A completion's: a string, token ids, or a list of either."""
        if not _starts(raw, _LIST):
            self.said("text", raw)
        elif bytes(memoryview(raw)[1:]).lstrip()[:1] in {_TEXT, _LIST}:
            for each in elements(raw, self):
                self.prompt(each)
        else:
            self.add("text", bytes(raw).count(b",") + 1)

    def message(self, raw: msgspec.Raw) -> None:
        """One message, in any role."""
        self.add("text", _MESSAGE)
        for name, value in self._members("text", raw).items():
            if name in _WORDS:
                self.said("text", value)
            elif name == "content":
                self._content(value)
            elif name in _CALLS:
                self._calls(value)
            elif not _starts(value, _NULL):
                if name == "audio":
                    self.add("audio", SPOKEN)
                self.unread("text", value)

    def _content(self, raw: msgspec.Raw) -> None:
        if not _starts(raw, _LIST):
            self.said("text", raw)
            return
        for part in elements(raw, self):
            if _starts(part, _OBJECT):
                self._part(part)
            else:
                self.said("text", part)

    def _part(self, raw: msgspec.Raw) -> None:
        self.add("text", _PART)
        members = self._members("text", raw)
        form = _string(members.get("type"))
        if form in TEXTS:
            self._worded(members)
        elif form in IMAGES:
            self._picture(members)
        elif form in _FILES:
            self._file(members)
        elif form == "input_audio":
            self._recording(members)
        else:
            self._unknown(form, raw)

    def _worded(self, members: Document) -> None:
        for name, value in members.items():
            if name in _WORDS:
                self.said("text", value)
            elif name != "type":
                self.unread("text", value)

    def _unknown(self, form: str, raw: msgspec.Raw) -> None:
        """A kind of part that has no rule: its bytes, and what it says is elsewhere may be of any size."""
        self.unread("files", raw)
        try:
            remote = form.endswith("_url") or any("://" in text for text in _strings(document.value(raw)))
        except InvalidRequest:
            remote = True
        if remote:
            self.add("files", WINDOW)

    def _picture(self, members: Document) -> None:
        """``image_url`` as an object or as a string; what is no picture but came as one, by what it is."""
        asked = members.get("image_url")
        inner = self._members("images", asked) if asked and _starts(asked, _OBJECT) else {"url": asked}
        url = _written(inner.get("url"))
        detail = _string(inner.get("detail") or members.get("detail"))
        found = inline.data(url)
        if found is not None and found.kind and not found.kind.startswith("image/"):
            self._attached(found)
        else:
            self.add("images", inline.picture(url, detail, self.rules))

    def _file(self, members: Document) -> None:
        nested = members.get("file")
        inner = self._members("files", nested) if nested and _starts(nested, _OBJECT) else members
        if "filename" in inner:
            self.said("files", inner["filename"])
        found = inline.data(_written(inner.get("file_data")))
        if found is None:
            self.add("files", WINDOW)
        else:
            self._attached(found)

    def _recording(self, members: Document) -> None:
        nested = members.get("input_audio")
        inner = self._members("audio", nested) if nested and _starts(nested, _OBJECT) else members
        found = inline.data(_written(inner.get("data")))
        if found is None:
            self.add("audio", WINDOW)
        else:
            self.add("audio", inline.recording(found, _string(inner.get("format")), self.rules))

    def _attached(self, found: inline.Data) -> None:
        if found.kind.startswith("audio/"):
            self.add("audio", inline.recording(found, found.kind.partition("/")[2], self.rules))
            return
        if found.kind.startswith("video/"):
            self.add("files", WINDOW)
            return
        tokens, text = inline.file(found, self.rules)
        self.add("files", tokens)
        self._texts.append(("files", text))

    def _calls(self, raw: msgspec.Raw) -> None:
        """Calls that the model made before: every string in them, and what is put around each call."""
        try:
            calls = document.value(raw)
        except InvalidRequest:
            self.unread("tools", raw)
            return
        self.add("tools", _CALL * (len(calls) if isinstance(calls, list) else 1))
        self._texts += (("tools", text) for text in _strings(calls))

    def _members(self, kind: Kind, raw: msgspec.Raw) -> Document:
        try:
            return document.members(raw)
        except InvalidRequest:
            self.hidden(kind, raw)
            return {}

    def hidden(self, kind: Kind, raw: msgspec.Raw) -> None:
        """What could not be looked into: its bytes, and if it may name an attachment, the largest."""
        self.unread(kind, raw)
        if _starts(raw, _OBJECT) or _starts(raw, _LIST):
            self.add(kind, WINDOW)


def elements(raw: msgspec.Raw, tally: Tally, kind: Kind = "text") -> list[msgspec.Raw]:
    """A list's elements, as far as it can be read and is not too long to be looked at."""
    size = len(memoryview(raw))
    if size > _LARGE and sum(map(bytes(raw).count, (b"[", b"{"))) > _NESTED:
        tally.hidden(kind, raw)
        return []
    try:
        found = document.elements(raw)
    except InvalidRequest:
        tally.hidden(kind, raw)
        return []
    if found[_MOST:]:
        tally.hidden(kind, document.raw(found[_MOST:]))
    return found[:_MOST]


def _strings(value: Any) -> Iterator[str]:  # noqa: ANN401  # any JSON value
    """Every string and number in a value, and the names of its members that are not everyday ones."""
    if isinstance(value, dict):
        for name, each in value.items():
            if name not in _EVERYDAY:
                yield name
            yield from _strings(each)
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)
    elif value is not None:
        yield str(value)


_EVERYDAY = frozenset(("id", "type", "function", "custom", "name", "arguments", "input", "index"))


def _starts(raw: msgspec.Raw, first: bytes) -> bool:
    return bytes(memoryview(raw)[:1]) == first


def _string(raw: msgspec.Raw | None) -> str:
    """A string, "" if there is none."""
    if raw is None or not _starts(raw, _TEXT):
        return ""
    try:
        return str(document.value(raw))
    except InvalidRequest:
        return ""


def _written(raw: msgspec.Raw | None) -> bytes:
    """A string's bytes, b"" if there is none: data is long, and decoded only if it has to be."""
    if raw is None or not _starts(raw, _TEXT):
        return b""
    plain = bytes(memoryview(raw)[1:-1])
    return _string(raw).encode("utf-8", "replace") if b"\\" in plain else plain
