"""Input items as chat messages, in their order (WIRE §7.1, §8).

Calls that follow one another, or a message of the assistant, are one chat message with their tool
calls. Pictures and files of a tool's output follow in a message of the user, where chat has a place for
them. Of reasoning only what its maker can read again is sent, and to nobody else: most providers refuse it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from writingmate.dialects import faults
from writingmate.dialects.grammar import given
from writingmate.dialects.responses_parts import attached, joined, parts
from writingmate.dialects.responses_reasoning import details
from writingmate.dialects.responses_tools import named
from writingmate.errors import InvalidRequest, UnsupportedParameter
from writingmate.wire import document
from writingmate.wire.document import Document

_ROLES = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}


def messages(request: Document, origin: str | None = None) -> list[dict[str, Any]]:
    """The chat messages of ``instructions`` and ``input``. Raises InvalidRequest, naming the item.

    Reasoning that ``origin`` can read again goes with them; without one all that anybody can.
    """
    conversation = _Conversation(origin)
    if given(request, "instructions") and (instructions := document.value(request["instructions"])):
        conversation.said.append({"role": "system", "content": instructions})
    asked = document.value(request["input"])
    if isinstance(asked, str):
        conversation.said.append({"role": "user", "content": asked})
        return conversation.said
    if not asked:
        raise faults.empty_array("input")
    for at, item in enumerate(asked):
        conversation.take(f"input[{at}]", item)
    conversation.end()
    return conversation.said


class _Conversation:
    """The messages so far, and the calls that have no output yet."""

    def __init__(self, origin: str | None) -> None:
        self._origin = origin
        self._thought: list[dict[str, Any]] = []
        self.said: list[dict[str, Any]] = []
        self._made: set[str] = set()
        self._open: dict[str, None] = {}
        self._shown: list[dict[str, Any]] = []

    def take(self, param: str, item: Any) -> None:  # noqa: ANN401  # any JSON value
        """One more item."""
        if not isinstance(item, dict):
            raise faults.invalid_type(param, "an object", item)
        form = item.get("type")
        if form is None:
            form = "message" if "role" in item else "item_reference"
        if not isinstance(form, str):
            raise faults.invalid_type(f"{param}.type", "a string", form)
        take = self._takes().get(form)
        if take is None:
            raise _unsupported(param, form)
        if not form.endswith("_output"):
            self._show()
        take(param, item)

    def end(self) -> None:
        """Raise InvalidRequest if a call has no output, or there is nothing to answer."""
        self._look_back()
        self._show()
        if self._open:
            call_id = faults.shown(next(iter(self._open)))
            raise InvalidRequest(f"No tool output found for function call {call_id}.", param="input")
        if not self.said:
            raise InvalidRequest("Invalid 'input': it holds no message to answer.", param="input")

    def _takes(self) -> dict[str, Callable[[str, dict[str, Any]], None]]:
        return {
            "message": self._message,
            "function_call": self._call,
            "custom_tool_call": self._call,
            "function_call_output": self._output,
            "custom_tool_call_output": self._output,
            "reasoning": self._reasoning,
        }

    def _message(self, param: str, item: dict[str, Any]) -> None:
        role = named(param, item, "role")
        if role not in _ROLES:
            raise faults.invalid_value(f"{param}.role", role, tuple(_ROLES))
        content = item.get("content")
        if content is None:
            raise faults.missing(f"{param}.content")
        found = parts(f"{param}.content", content, role)
        if role != "assistant":
            self._look_back()
        if role == "assistant":
            self._assistant(found)
        elif role == "user":
            self.said.append({"role": "user", "content": _plain(found)})
        else:
            self.said.append({"role": _ROLES[role], "content": joined(found, "\n")})

    def _assistant(self, found: list[dict[str, Any]]) -> None:
        message: dict[str, Any] = {"role": "assistant", "content": joined(found, "")}
        refusals = [part["refusal"] for part in found if part["type"] == "refusal"]
        if refusals:
            message["content"] = message["content"] or None
            message["refusal"] = "".join(refusals)
        if self._calling() and self.said[-1]["content"] is None:
            self.said[-1] |= message
        else:
            self.said.append(message)
        self._recall()

    def _reasoning(self, _param: str, item: dict[str, Any]) -> None:
        """Reasoning of before goes with what the assistant said next, or else had said."""
        self._thought += details(item.get("encrypted_content"), self._origin)

    def _look_back(self) -> None:
        """Nothing more comes of the assistant: what it thought goes with what it had said, if anything."""
        if self.said and self.said[-1]["role"] == "assistant":
            self._recall()
        self._thought = []

    def _recall(self) -> None:
        if self._thought:
            self.said[-1].setdefault("reasoning_details", []).extend(self._thought)
            self._thought = []

    def _call(self, param: str, item: dict[str, Any]) -> None:
        call_id, name = named(param, item, "call_id"), named(param, item)
        member = "arguments" if item["type"] == "function_call" else "input"
        given_ = item.get(member)
        if given_ is None:
            raise faults.missing(f"{param}.{member}")
        if not isinstance(given_, str):
            raise faults.invalid_type(f"{param}.{member}", "a string", given_)
        arguments = given_ if member == "arguments" else msgspec.json.encode({"input": given_}).decode()
        function = {"name": name, "arguments": arguments or "{}"}
        if not self.said or self.said[-1]["role"] != "assistant":
            self.said.append({"role": "assistant", "content": None})
        self._recall()
        self.said[-1].setdefault("tool_calls", []).append(
            {"id": call_id, "type": "function", "function": function}
        )
        self._made.add(call_id)
        self._open[call_id] = None

    def _output(self, param: str, item: dict[str, Any]) -> None:
        self._look_back()
        call_id = named(param, item, "call_id")
        if call_id not in self._made:
            raise InvalidRequest(
                f"No tool call found for function call output with call_id {faults.shown(call_id)}.",
                param=f"{param}.call_id",
            )
        output = item.get("output")
        if output is None:
            raise faults.missing(f"{param}.output")
        found = parts(f"{param}.output", output, "tool")
        self.said.append({"role": "tool", "tool_call_id": call_id, "content": joined(found, "\n")})
        self._open.pop(call_id, None)
        if shown := attached(found):
            self._shown += [{"type": "text", "text": f"Of the output of {call_id}:"}, *shown]

    def _show(self) -> None:
        """What the outputs of calls held beside text, once the last of them was said."""
        if self._shown:
            self.said.append({"role": "user", "content": self._shown})
            self._shown = []

    def _calling(self) -> bool:
        return bool(self.said) and "tool_calls" in self.said[-1]


def _plain(found: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """One text as a string, which every provider reads."""
    only = found[0] if len(found) == 1 else {}
    return only["text"] if only.keys() == {"type", "text"} else found


def _unsupported(param: str, form: str) -> UnsupportedParameter:
    advice = "send the item itself" if form == "item_reference" else "leave it out"
    return UnsupportedParameter(
        f"Unsupported parameter: items of type '{faults.shown(form)}' are not supported here: {advice}.",
        param=f"{param}.type",
    )
