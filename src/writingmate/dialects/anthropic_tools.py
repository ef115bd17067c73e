"""Anthropic's tools and the choice among them, in the words of chat (WIRE §10.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from writingmate.dialects import faults
from writingmate.dialects.grammar import given
from writingmate.dialects.unsupported import beyond_chat
from writingmate.errors import InvalidRequest
from writingmate.wire import document
from writingmate.wire.document import Document

_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
_SUPPORTED = ("auto", "any", "tool", "none")
_NO_PARAMETERS = {"type": "object", "properties": {}}


def sent(request: Document) -> Iterator[tuple[str, Any]]:
    """The fields of chat that tools come to. Raises UnsupportedParameter for tools that Anthropic hosts."""
    asked = document.value(request["tools"]) if given(request, "tools") else []
    tools = [_tool(tool, f"tools[{at}]") for at, tool in enumerate(asked)]
    if tools:
        yield "tools", tools
    choice = document.value(request["tool_choice"]) if given(request, "tool_choice") else None
    if choice is None:
        return
    chosen = _choice(choice, {tool["function"]["name"] for tool in tools})
    if tools:
        yield "tool_choice", chosen
        if choice.get("disable_parallel_tool_use") and chosen != "none":
            yield "parallel_tool_calls", False


def typed(tool: object) -> object:
    """A tool with its type, which one of the caller's own may leave out, for those who count hosted ones."""
    if isinstance(tool, dict) and tool.get("type") in (None, "custom"):
        return {**tool, "type": "custom"}
    return tool


def _tool(tool: dict[str, Any], param: str) -> dict[str, Any]:
    form = tool.get("type")
    if form not in (None, "custom"):
        advice = "Leave the tool out, or describe it with a name and an input_schema."
        raise beyond_chat(f"{param}.type", f"of '{faults.shown(str(form))}'", advice=advice)
    callers = tool.get("allowed_callers")
    if callers not in (None, ["direct"]):
        raise beyond_chat(f"{param}.allowed_callers", "other than 'direct'")
    name, schema = tool.get("name"), tool.get("input_schema")
    if not isinstance(name, str) or not name:
        raise faults.missing(f"{param}.name")
    if schema is not None and not isinstance(schema, dict):
        raise faults.invalid_type(f"{param}.input_schema", "an object", schema)
    function: dict[str, Any] = {"name": name}
    if described := _described(tool, param):
        function["description"] = described
    function["parameters"] = schema or _NO_PARAMETERS
    if tool.get("strict") is not None:
        function["strict"] = tool["strict"]
    return {"type": "function", "function": function}


def _described(tool: dict[str, Any], param: str) -> str:
    """The description; examples of input, for which chat has no place, are told there."""
    described, examples = tool.get("description"), tool.get("input_examples")
    if described is not None and not isinstance(described, str):
        raise faults.invalid_type(f"{param}.description", "a string", described)
    if not isinstance(examples, list) or not examples:
        return described or ""
    told = "\n".join(msgspec.json.encode(example).decode() for example in examples)
    return f"{described or ''}\n\nExamples of input:\n{told}".strip()


def _choice(choice: dict[str, Any], names: set[str]) -> str | dict[str, Any]:
    form = choice.get("type")
    if not isinstance(form, str):
        raise faults.missing("tool_choice.type")
    if form in _CHOICES:
        if form == "any" and not names:
            raise InvalidRequest("Invalid 'tool_choice': there is no tool to call.", param="tool_choice")
        return _CHOICES[form]
    if form != "tool":
        raise faults.invalid_value("tool_choice.type", form, _SUPPORTED)
    name = choice.get("name")
    if not isinstance(name, str):
        raise faults.missing("tool_choice.name")
    if name not in names:
        raise InvalidRequest(
            f"Invalid 'tool_choice': no tool is called '{faults.shown(name)}'.", param="tool_choice.name"
        )
    return {"type": "function", "function": {"name": name}}
