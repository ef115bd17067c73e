"""Finding calls of tools in the text that a model writes, while it writes it."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

# What may stand around a call: tags, code fences, the punctuation of a list.
_AROUND = re.compile(r"(?:\s|</?tool_call>|```[a-z_]*(?=\s|$)|[\[\],])*")
_WRAPPERS = ("<tool_call>", "</tool_call>", "```json\n", "```tool_call\n")
_HEAD = re.compile(r'\{\s*"name"\s*:\s*"((?:[^"\\]|\\.)*)("?)')
_HEAD_START = '{"name":"'
_DECODER = json.JSONDecoder(strict=False)  # small models break lines inside strings


@dataclass(frozen=True, slots=True)
class Call:
    """A function's name, and its arguments as the text of a JSON object."""

    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class _Reading:
    """``calls`` so far; ``open``: nothing contradicts that it is calls, and more may follow."""

    calls: tuple[Call, ...]
    open: bool
    whole: bool


def found(text: str, names: Collection[str], *, cut: bool = False) -> list[Call]:
    """The calls that ``text`` consists of, each once; none if it says anything else.

    ``cut``: the text was broken off by its limit, and a last call that is not complete does no harm.
    """
    reading = _read(text, names)
    if not (reading.whole or (cut and reading.open)):
        return []
    return list(dict.fromkeys(reading.calls))


def may_become(text: str, names: Collection[str]) -> bool:
    """Whether text that begins like this may yet turn out to be calls and nothing else."""
    return _read(text, names).open


def _read(text: str, names: Collection[str]) -> _Reading:
    calls: list[Call] = []
    at = 0
    while True:
        around = _AROUND.match(text, at)
        at = around.end() if around else at
        if at == len(text):
            return _Reading(tuple(calls), open=True, whole=bool(calls))
        try:
            value, at = _DECODER.raw_decode(text, at)
        except (ValueError, RecursionError):
            return _Reading(tuple(calls), open=_begins(text[at:], names), whole=False)
        call = _call(value, names)
        if call is None:
            return _Reading((), open=False, whole=False)
        calls.append(call)


def _begins(rest: str, names: Collection[str]) -> bool:
    """Whether ``rest`` may be the beginning of a call, or of what stands around one."""
    head = _HEAD.match(rest)
    if head:
        name, closed = head.groups()
        if "\\" in name:
            return True
        return name in names if closed else any(each.startswith(name) for each in names)
    if rest.startswith("{"):
        return _HEAD_START.startswith(re.sub(r"\s", "", rest))
    return any(wrapper.startswith(rest) for wrapper in _WRAPPERS)


def _call(value: Any, names: Collection[str]) -> Call | None:  # noqa: ANN401  # any JSON value
    if not isinstance(value, dict) or next(iter(value), None) != "name" or value["name"] not in names:
        return None
    arguments = value.get("arguments", value.get("parameters", {}))
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            return None
    if not isinstance(arguments, dict):
        return None
    return Call(value["name"], json.dumps(arguments, ensure_ascii=False))


class Finder:
    """Takes text as it comes; gives back what is surely not part of a call.

    Calls stand at the end of an answer, from the beginning of a line: a line that may begin one is
    held back until it is decided.
    """

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self._held = ""
        self._in_line = False

    def feed(self, text: str) -> str:
        """Text that is decided."""
        self._held += text
        decided = ""
        while self._held:
            if not self._in_line and may_become(self._held, self._names):
                break
            line, newline, rest = self._held.partition("\n")
            decided += line + newline
            self._held, self._in_line = rest, not newline
        return decided

    def end(self, *, cut: bool) -> tuple[str, list[Call]]:
        """What was held back: as text, or as the calls that it is."""
        calls = [] if self._in_line else found(self._held, self._names, cut=cut)
        text, self._held = "" if calls else self._held, ""
        return text, calls
