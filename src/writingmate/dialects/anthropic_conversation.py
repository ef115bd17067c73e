"""Anthropic's ``system`` and turns as chat messages, in their order (WIRE §10.1).

Results of tools come first in their turn, a message each; pictures and files of theirs follow in a
message of the user, where chat has a place for them, before whatever else the user says.
"""

from __future__ import annotations

from typing import Any

import msgspec

from writingmate.dialects import anthropic_blocks, faults
from writingmate.dialects.anthropic_thoughts import Thoughts
from writingmate.dialects.grammar import given
from writingmate.dialects.unsupported import beyond_chat
from writingmate.wire import document
from writingmate.wire.document import Document

_ROLES = ("user", "assistant", "system")
_THOUGHT = ("thinking", "redacted_thinking")


def messages(request: Document, model: str | None) -> list[dict[str, Any]]:
    """The chat messages on their way to ``model``, or to a reader (None), to whom every word matters.

    Raises InvalidRequest for what makes no sense, UnsupportedParameter for what chat cannot express.
    """
    conversation = Conversation(model)
    if given(request, "system"):
        conversation.instruct(document.value(request["system"]), "system")
    for at, message in enumerate(document.value(request["messages"])):
        conversation.take(message, f"messages[{at}]")
    return conversation.said


class Conversation:
    """The messages so far."""

    def __init__(self, model: str | None) -> None:
        self.said: list[dict[str, Any]] = []
        self._model = model
        # Claude behind a provider that chats is behind one that understands where its cache ends.
        self._marks = model is not None and "claude" in model

    def instruct(self, content: object, param: str) -> None:
        """What the system says."""
        found = [part for part in anthropic_blocks.parts(content, param, marks=self._marks) if part["text"]]
        if any("cache_control" in part for part in found):
            self.said.append({"role": "system", "content": found})
        elif found:
            self.said.append({"role": "system", "content": "\n\n".join(part["text"] for part in found)})

    def take(self, message: object, param: str) -> None:
        """One more turn."""
        if not isinstance(message, dict):
            raise faults.invalid_type(param, "an object", message)
        role, content = message.get("role"), message.get("content")
        if role is None or content is None:
            raise faults.missing(f"{param}.{'role' if role is None else 'content'}")
        if role == "user":
            self._user(content, f"{param}.content")
        elif role == "assistant":
            self._assistant(content, f"{param}.content")
        elif role == "system":
            self.instruct(content, f"{param}.content")
        elif isinstance(role, str):
            raise faults.invalid_value(f"{param}.role", role, _ROLES)
        else:
            raise faults.invalid_type(f"{param}.role", "a string", role)

    def _user(self, content: object, param: str) -> None:
        shown: list[dict[str, Any]] = []
        spoken: list[dict[str, Any]] = []
        for block, where in anthropic_blocks.blocks(content, param):
            if block["type"] == "tool_result":
                self._result(block, where, shown)
            else:
                spoken += anthropic_blocks.parts([block], where.rpartition("[")[0], marks=self._marks)
        if shown or spoken:
            self.said.append({"role": "user", "content": _plain([*shown, *spoken])})

    def _result(self, block: dict[str, Any], param: str, shown: list[dict[str, Any]]) -> None:
        call_id = _string(block.get("tool_use_id"), f"{param}.tool_use_id")
        if block.get("toolset_name") is not None:
            raise beyond_chat(f"{param}.toolset_name")
        content = block.get("content")
        found = list(anthropic_blocks.parts("" if content is None else content, f"{param}.content"))
        text = "\n".join(part["text"] for part in found if part["type"] == "text")
        failed = "Error: " if block.get("is_error") else ""
        self.said.append({"role": "tool", "tool_call_id": call_id, "content": failed + text})
        pictures = [part for part in found if part["type"] != "text"]
        if pictures:
            shown += [{"type": "text", "text": f"Of the output of {call_id}:"}, *pictures]

    def _assistant(self, content: object, param: str) -> None:
        thoughts, words, calls = Thoughts(), "", []
        for block, where in anthropic_blocks.blocks(content, param):
            form = block["type"]
            if form == "text":
                words += anthropic_blocks.text(block, where)
            elif form in _THOUGHT:
                thoughts.take(block, self._model)
            elif form == "tool_use":
                calls.append(_call(block, where))
            else:
                raise beyond_chat(
                    f"{where}.type", f"of '{faults.shown(form)}'", advice="Leave the block out."
                )
        message: dict[str, Any] = {"role": "assistant", "content": words or (None if calls else "")}
        if thoughts.content:
            message["reasoning_content"] = thoughts.content
        if thoughts.details:
            message["reasoning_details"] = thoughts.details
        if calls:
            extras = thoughts.calls
            message["tool_calls"] = [
                call | {"extra_content": extras[call["id"]]} if call["id"] in extras else call
                for call in calls
            ]
        self.said.append(message)


def _plain(found: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """One text as a string, which every provider reads."""
    alone = len(found) == 1 and found[0].keys() == {"type", "text"}
    return found[0]["text"] if alone else found


def _call(block: dict[str, Any], param: str) -> dict[str, Any]:
    if block.get("toolset_name") is not None:
        raise beyond_chat(f"{param}.toolset_name")
    given_input = block.get("input", {})
    if not isinstance(given_input, dict):
        raise faults.invalid_type(f"{param}.input", "an object", given_input)
    name = _string(block.get("name"), f"{param}.name")
    function = {"name": name, "arguments": msgspec.json.encode(given_input).decode()}
    return {"id": _string(block.get("id"), f"{param}.id"), "type": "function", "function": function}


def _string(value: object, param: str) -> str:
    if not isinstance(value, str):
        raise faults.missing(param) if value is None else faults.invalid_type(param, "a string", value)
    return value
