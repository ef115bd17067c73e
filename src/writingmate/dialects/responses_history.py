"""The turns of a conversation that is kept, as input items for the next one, and as a list to be read.

A turn's own input goes out again as its client sent it, and so does what anybody can read of its output,
with the ids that OpenAI's types want; the rest travels as `responses_reasoning` says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from writingmate.dialects import responses_reasoning
from writingmate.dialects.grammar import given
from writingmate.errors import InvalidRequest
from writingmate.wire import document
from writingmate.wire.document import Document

_PREFIXES: Final = {
    "message": "msg", "function_call": "fc", "function_call_output": "fco", "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco", "reasoning": "rs",
}  # fmt: skip
_CALLS: Final = frozenset(("function_call", "custom_tool_call"))
_WITH_STATUS: Final = frozenset(_PREFIXES) - {"reasoning"}
_PARAM = re.compile(r"input\[(\d+)\]")
_OURS = re.compile(r"[a-z]+_(.{1,59})_i?\d{1,6}h?")
_STRING = ord('"')


class Item(msgspec.Struct, gc=False):
    """What is to be known of an item; anything may stand where it is not known."""

    type: str | None = None
    id: str | None = None
    role: str | None = None
    status: str | None = None
    encrypted_content: str | None = None


class Answered(msgspec.Struct):
    """A response that is over, as far as keeping it needs to know."""

    id: str
    status: str
    output: list[msgspec.Raw] = []


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn: its response's id, its ``input`` as it was sent, its response, and who answered it."""

    response_id: str
    input: bytes
    response: bytes
    provider: str | None

    def sent(self) -> Iterator[msgspec.Raw]:
        """Input items for the turn behind it."""
        yield from items(self.input)
        for item in self._output():
            again = _again(item, self.provider)
            if again is not None:
                yield again

    def named(self) -> Iterator[tuple[str, msgspec.Raw | None]]:
        """Each item by the id it is listed with, as input; None for what has no meaning again."""
        for at, item in enumerate(items(self.input)):
            yield self._named(item, at), item
        for item in self._output():
            yield _read(item).id or "", _again(item, self.provider)

    def listed(self, *, output: bool, included: bool) -> Iterator[dict[str, Any]]:
        """The items for a client; ``included``: with reasoning that only its maker can read."""
        named = [(item, self._named(item, at)) for at, item in enumerate(items(self.input))]
        named += [(item, _read(item).id or "") for item in self._output() if output]
        for item, name in named:
            if included or responses_reasoning.plain(item) is not None:
                yield _whole(item, name, included=included)

    def _output(self) -> list[msgspec.Raw]:
        return msgspec.json.decode(self.response, type=Answered).output

    def _named(self, item: msgspec.Raw, at: int) -> str:
        read = _read(item)
        prefix = _PREFIXES.get(read.type or "message", "item")
        return read.id or f"{prefix}_{self.response_id.removeprefix('resp_')}_i{at}"


def own(request: Document) -> bytes:
    """A request's own input, as it came; an empty array if there is none."""
    return bytes(request["input"]) if given(request, "input") else b"[]"


def items(said: bytes | msgspec.Raw) -> list[msgspec.Raw]:
    """The items of an ``input``. Raises InvalidRequest."""
    if memoryview(said)[0] == _STRING:
        return [document.raw({"role": "user", "content": msgspec.Raw(said)})]
    return document.elements(msgspec.Raw(said))


def references(said: list[msgspec.Raw]) -> dict[int, str]:
    """The ids of items that are only named, by their place."""
    found = {}
    for at, item in enumerate(said):
        read = _read(item)
        if read.id and (read.type == "item_reference" or (read.type is None and read.role is None)):
            found[at] = read.id
    return found


def may_refer(raw: msgspec.Raw) -> bool:
    """Whether there can be references, by a look at the bytes."""
    if memoryview(raw)[0] == _STRING:
        return False
    said = bytes(raw)
    return said.find(b'"id"') >= 0 or said.find(b"\\u") >= 0


def maker(item_id: str) -> str | None:
    """The response that an item is of, where its id is of our making."""
    match = _OURS.fullmatch(item_id)
    return None if match is None else f"resp_{match[1]}"


def foreign(answered: Answered) -> list[str]:
    """The ids of output items that are a provider's own."""
    ids = (_read(item).id for item in answered.output)
    return [each for each in ids if each and maker(each) != answered.id]


def placed(error: InvalidRequest, before: int) -> InvalidRequest:
    """An error that names an item, by its place in what the client sent: ``before`` of them were not."""
    match = _PARAM.match(error.param or "")
    if match is None:
        return error
    at = int(match[1]) - before
    param = "previous_response_id" if at < 0 else f"input[{at}]{match.string[match.end() :]}"
    message = error.message.replace(str(error.param), param)
    return type(error)(message, param=param, code=error.code)


def _again(item: msgspec.Raw, provider: str | None) -> msgspec.Raw | None:
    read = _read(item)
    if read.type in _CALLS and read.status == "incomplete":
        return None  # its arguments are cut off: nobody can have run it
    if read.type == "message" or read.type in _CALLS or responses_reasoning.ours(read.encrypted_content):
        return item
    if provider is None or (read.type == "reasoning" and not read.encrypted_content):
        return None
    held = responses_reasoning.wrapped(f"responses {provider}", item)
    return document.raw({"type": "reasoning", "summary": [], "encrypted_content": held})


def _whole(item: msgspec.Raw, identity: str, *, included: bool) -> dict[str, Any]:
    members: dict[str, Any] = dict(document.members(item))
    read = _read(item)
    members["id"] = identity
    members["type"] = read.type or "message"
    if members["type"] in _WITH_STATUS:
        members["status"] = read.status or "completed"
    if not included:
        members.pop("encrypted_content", None)
    content = members.get("content")
    if content is not None and memoryview(content)[0] == _STRING:
        part: dict[str, Any] = {"type": "input_text", "text": content}
        if read.role == "assistant":
            part = {"type": "output_text", "text": content, "annotations": [], "logprobs": []}
        members["content"] = [part]
    return members


def _read(item: msgspec.Raw) -> Item:
    try:
        return msgspec.json.decode(item, type=Item)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return Item(type="unknown")
