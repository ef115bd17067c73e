"""A message request as what reads prompts and limits understands it, whoever will be able to serve it.

Where chat cannot express a request, what it holds is still known: its words, by their bytes; pictures
and documents, by what they are; tools that a vendor hosts, by their number.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec

from writingmate.dialects import anthropic_blocks, anthropic_tools
from writingmate.dialects.anthropic_conversation import messages
from writingmate.dialects.grammar import given
from writingmate.dialects.responses_echo import encoded
from writingmate.errors import InvalidRequest, UnsupportedParameter
from writingmate.wire import document
from writingmate.wire.document import Document

_ATTACHED = ("image", "document")


def read(request: Document) -> Document:
    """The chat document that it comes to, or one that asks for as much.

    Raises InvalidRequest for what makes no sense in either.
    """
    found: Document = {"model": request["model"]}
    try:
        found["messages"] = encoded("messages", messages(request, None))
    except UnsupportedParameter:
        found["messages"] = encoded("messages", [{"role": "user", "content": list(_as_much(request))}])
    if given(request, "max_tokens"):
        found["max_completion_tokens"] = request["max_tokens"]
    if given(request, "tools"):
        found |= _tools(request)
    if given(request, "stop_sequences"):
        found["stop"] = request["stop_sequences"]
    config = document.members(request["output_config"]) if given(request, "output_config") else {}
    for holder, name in ((request, "output_format"), (config, "format")):
        if given(holder, name):
            found["response_format"] = holder[name]
    # A budget is for a model that thinks; `adaptive` leaves it to the model, which may not be able to.
    thinking = document.members(request["thinking"]) if given(request, "thinking") else {}
    if bytes(thinking.get("type", b"")) == b'"enabled"':
        found["reasoning_effort"] = document.raw("high")
    return found


def _tools(request: Document) -> Document:
    try:
        sent = dict(anthropic_tools.sent(request))
    except InvalidRequest:
        sent = {"tools": [anthropic_tools.typed(tool) for tool in document.value(request["tools"])]}
    return {name: encoded("tools", value) for name, value in sent.items()}


def _as_much(request: Document) -> Iterator[dict[str, Any]]:
    if given(request, "system"):
        yield _text(bytes(request["system"]))
    for message in document.elements(request["messages"]):
        value = document.value(message)
        content = value.get("content") if isinstance(value, dict) else None
        if not isinstance(content, list):
            yield _text(bytes(message))
            continue
        for block in content:
            yield from _block(block)


def _block(block: object) -> Iterator[dict[str, Any]]:
    """What is attached is looked at for itself, also in a tool's result; other words count by their bytes."""
    if not isinstance(block, dict):
        return
    inner = block.get("content")
    if isinstance(inner, list) and any(isinstance(each, dict) for each in inner):
        for each in inner:
            yield from _block(each)
        block = {name: value for name, value in block.items() if name != "content"}
    if block.get("type") in _ATTACHED:
        with suppress(InvalidRequest):
            yield from anthropic_blocks.parts([block | {"citations": None}], "messages")
            return
    yield _text(msgspec.json.encode(block))


def _text(data: bytes) -> dict[str, Any]:
    return {"type": "text", "text": data.decode("utf-8", "replace")}
