"""Tools and the choice among them, flat as responses have them, nested as chat has them (WIRE §7.1, §8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from writingmate.dialects import faults
from writingmate.dialects.grammar import given
from writingmate.errors import InvalidRequest, UnsupportedParameter
from writingmate.wire import document
from writingmate.wire.document import Document

_OURS = ("function", "custom")
_MODES = ("auto", "required")

#: What only a vendor's own way of calling tools knows, and what it says where it changes nothing.
VENDORS: Mapping[str, tuple[object, ...]] = {
    "async": (False,),
    "allowed_callers": (["direct"], []),
    "defer_loading": (False,),
    "output_schema": (),
}

#: A custom tool takes text: a function whose only argument that is.
_CUSTOM_PARAMETERS = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Tools:
    """The tools of a request: ``functions`` as chat has them, ``custom`` names those that take text."""

    functions: tuple[dict[str, Any], ...] = ()
    custom: frozenset[str] = frozenset()
    choice: Any = None
    parallel: bool | None = None

    @classmethod
    def read(cls, request: Document) -> Tools:
        """The request's tools. Raises InvalidRequest; UnsupportedParameter for tools that a vendor hosts."""
        tools = document.value(request["tools"]) if given(request, "tools") else []
        for at, tool in enumerate(tools):
            _check(f"tools[{at}]", tool)
        choice = document.value(request["tool_choice"]) if given(request, "tool_choice") else None
        if choice is not None:
            tools, choice = _chosen(tools, choice)
        parallel = given(request, "parallel_tool_calls")
        return cls(
            tuple(_function(tool) for tool in tools),
            frozenset(tool["name"] for tool in tools if tool["type"] == "custom"),
            choice,
            document.value(request["parallel_tool_calls"]) if parallel else None,
        )

    def sent(self) -> list[tuple[str, Any]]:
        """The fields of chat, none if there are no tools."""
        if not self.functions:
            return []
        sent: list[tuple[str, Any]] = [("tools", self.functions)]
        if self.choice is not None:
            sent.append(("tool_choice", self.choice))
        if self.parallel is not None:
            sent.append(("parallel_tool_calls", self.parallel))
        return sent


def _check(param: str, tool: dict[str, Any]) -> None:
    form = tool.get("type")
    if form is None:
        raise faults.missing(f"{param}.type")
    if not isinstance(form, str):
        raise faults.invalid_type(f"{param}.type", "a string", form)
    if form not in _OURS:
        raise UnsupportedParameter(
            f"Unsupported parameter: tools of type '{faults.shown(form)}' are not supported here. "
            f"Supported types are: {faults.listed(_OURS, 'and')}.",
            param=f"{param}.type",
        )
    named(param, tool)
    for name, kind, expected in (
        ("description", str, "a string"), ("parameters", dict, "an object"),
        ("strict", bool, "a boolean"), ("format", dict, "an object"),
    ):  # fmt: skip
        if not isinstance(tool.get(name), kind | None):
            raise faults.invalid_type(f"{param}.{name}", expected, tool[name])
    for name, neutral in VENDORS.items():
        if tool.get(name) is not None and tool[name] not in neutral:
            raise UnsupportedParameter(
                f"Unsupported parameter: '{param}.{name}' is not supported here: leave it out.",
                param=f"{param}.{name}",
            )


def named(param: str, holder: dict[str, Any], name: str = "name") -> str:
    """A member that must be a text and say something. Raises InvalidRequest."""
    value = holder.get(name)
    if value is None:
        raise faults.missing(f"{param}.{name}")
    if not isinstance(value, str):
        raise faults.invalid_type(f"{param}.{name}", "a string", value)
    if not value:
        raise faults.empty_string(f"{param}.{name}")
    return value


def _function(tool: dict[str, Any]) -> dict[str, Any]:
    function = {"name": tool["name"]}
    if tool["type"] == "custom":
        if described := _described(tool):
            function["description"] = described
        return {"type": "function", "function": function | {"parameters": _CUSTOM_PARAMETERS}}
    for name in ("description", "parameters", "strict"):
        if tool.get(name) is not None:
            function[name] = tool[name]
    return {"type": "function", "function": function}


def _described(tool: dict[str, Any]) -> str:
    """A custom tool's description. Chat has no place for the grammar of its input: the model is told."""
    form = tool.get("format") or {}
    lines = [tool.get("description") or ""]
    if form.get("type") == "grammar":
        lines.append(f"The input must match this {form.get('syntax')} grammar:\n{form.get('definition')}")
    return "\n\n".join(line for line in lines if line)


def _chosen(tools: list[dict[str, Any]], choice: Any) -> tuple[list[dict[str, Any]], Any]:  # noqa: ANN401  # JSON
    """The tools that may be called, and the choice among them as chat says it."""
    if isinstance(choice, str):
        if choice == "required" and not tools:
            raise faults.needs("tool_choice", "tools", "specified")
        return tools, choice
    form = choice.get("type")
    if form == "allowed_tools":
        return _allowed(tools, choice)
    if form not in _OURS:
        if form is None:
            raise faults.missing("tool_choice.type")
        raise UnsupportedParameter(
            "Unsupported parameter: 'tool_choice' can name tools of type 'function' and 'custom' only.",
            param="tool_choice.type",
        )
    _find(tools, choice, "tool_choice")
    return tools, {"type": "function", "function": {"name": choice["name"]}}


def _allowed(tools: list[dict[str, Any]], choice: dict[str, Any]) -> tuple[list[dict[str, Any]], str]:
    """Only the allowed tools go out."""
    mode, allowed = choice.get("mode"), choice.get("tools")
    if not isinstance(mode, str) or mode not in _MODES:
        raise faults.invalid_value("tool_choice.mode", str(mode), _MODES)
    if not isinstance(allowed, list):
        raise faults.invalid_type("tool_choice.tools", "an array of objects", allowed)
    if not allowed:
        raise faults.empty_array("tool_choice.tools")
    found = [_find(tools, tool, f"tool_choice.tools[{at}]") for at, tool in enumerate(allowed)]
    return [tool for tool in tools if tool in found], mode


def _find(tools: list[dict[str, Any]], wanted: Any, param: str) -> dict[str, Any]:  # noqa: ANN401  # JSON
    if not isinstance(wanted, dict):
        raise faults.invalid_type(param, "an object", wanted)
    name = named(param, wanted)
    for tool in tools:
        if tool["type"] == wanted.get("type") and tool["name"] == name:
            return tool
    raise InvalidRequest(f"Tool choice '{faults.shown(name)}' not found in 'tools' parameter.", param=param)
