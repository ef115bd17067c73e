"""A chat's messages as Anthropic's: ``system``, and turns of user and assistant in alternation."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from writingmate.dialects import arguments, faults, messages_parts, messages_thinking
from writingmate.dialects.messages_parts import Block
from writingmate.dialects.unsupported import unsupported
from writingmate.errors import InvalidRequest

_INSTRUCTIONS = ("system", "developer")
_NOT_IN_IDS = re.compile(r"[^a-zA-Z0-9_-]")
_THOUGHT = ("thinking", "redacted_thinking")


class Conversation:
    """``system`` blocks and ``turns``. Raises InvalidRequest or UnsupportedParameter when made."""

    def __init__(self, messages: list[Any]) -> None:
        self.system: list[Block] = []
        self.turns: list[dict[str, Any]] = []
        for at, message in enumerate(messages):
            self._add(message, f"messages[{at}]")
        self._check()
        for turn in self.turns:
            # Results answer the calls of the turn before; whatever else was said comes after them.
            turn["content"].sort(key=lambda block: block["type"] != "tool_result")
        self._end_cleanly()

    def resumes_unthought(self) -> bool:
        """Whether it goes on after tool calls that came without thinking, which then cannot begin."""
        if not any(block["type"] == "tool_result" for block in self.turns[-1]["content"]):
            return False
        called = self.turns[-2]["content"] if len(self.turns) > 1 else []
        return not any(block["type"] in _THOUGHT for block in called)

    def _add(self, message: object, param: str) -> None:
        if not isinstance(message, dict):
            raise faults.invalid_type(param, "an object", message)
        role, content = message.get("role"), message.get("content")
        if role in _INSTRUCTIONS:
            self.system += _named(message, messages_parts.blocks(content, f"{param}.content"))
        elif role == "user":
            self._say("user", _named(message, messages_parts.blocks(content, f"{param}.content")))
        elif role == "assistant":
            self._say("assistant", _spoken(message, param))
        elif role == "tool":
            self._say("user", [_result(message, param)])
        else:
            raise unsupported(f"{param}.role", f"of '{faults.shown(str(role))}'", advice="Use tools instead.")

    def _say(self, role: str, said: list[Block]) -> None:
        if not said:
            return
        if self.turns and self.turns[-1]["role"] == role:
            self.turns[-1]["content"] += said
        else:
            self.turns.append({"role": role, "content": said})

    def _check(self) -> None:
        if not self.turns:
            raise InvalidRequest("Invalid 'messages': none of the user's has any content.", param="messages")
        if self.turns[0]["role"] != "user":
            raise unsupported(
                "messages", "that begin with the assistant's", advice="Begin with one of the user's."
            )

    def _end_cleanly(self) -> None:
        """An answer that is begun for the model must not end in spaces."""
        last = self.turns[-1]
        block = last["content"][-1]
        if last["role"] == "assistant" and block["type"] == "text":
            block["text"] = block["text"].rstrip()


def _named(message: dict[str, Any], said: Iterable[Block]) -> list[Block]:
    """What a participant with a name says, after that name: Anthropic has no other place for it."""
    blocks, name = list(said), message.get("name")
    return (
        [{"type": "text", "text": f"{name}:"}, *blocks]
        if blocks and isinstance(name, str) and name
        else blocks
    )


def _spoken(message: dict[str, Any], param: str) -> list[Block]:
    for name in ("audio", "function_call"):
        if message.get(name) is not None:
            raise unsupported(f"{param}.{name}", advice="Use text and tool calls.")
    said = messages_thinking.blocks(message)
    said += messages_parts.blocks(message.get("content"), f"{param}.content")
    said += messages_parts.blocks(message.get("refusal"), f"{param}.refusal")
    calls = message.get("tool_calls")
    for at, call in enumerate(calls if isinstance(calls, list) else ()):
        said.append(_call(call, f"{param}.tool_calls[{at}]"))
    return said


def _call(call: object, param: str) -> Block:
    function = call.get("function") if isinstance(call, dict) else None
    if not isinstance(call, dict) or not isinstance(function, dict):
        raise unsupported(param, "of another type than function", advice="Use functions.")
    name = function.get("name")
    if not isinstance(name, str):
        raise faults.missing(f"{param}.function.name")
    given = arguments.decoded(function.get("arguments"), f"{param}.function.arguments")
    return {"type": "tool_use", "id": _id(call.get("id"), f"{param}.id"), "name": name, "input": given}


def _result(message: dict[str, Any], param: str) -> Block:
    answered = {
        "type": "tool_result",
        "tool_use_id": _id(message.get("tool_call_id"), f"{param}.tool_call_id"),
    }
    said = list(messages_parts.blocks(message.get("content"), f"{param}.content"))
    return {**answered, "content": said} if said else answered


def _id(value: object, param: str) -> str:
    if not isinstance(value, str) or not value:
        raise faults.missing(param)
    return _NOT_IN_IDS.sub("_", value)
