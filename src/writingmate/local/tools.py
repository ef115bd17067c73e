"""Tools for models that have no syntax of their own for calling them.

They are described in the system message in the words the default model was trained on. A call that
must be made is held to a grammar; one that may be made is looked for in the text (`calls`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from writingmate.dialects import faults
from writingmate.errors import InvalidRequest, UnsupportedParameter
from writingmate.local import schemas

_DESCRIPTION = """# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
{tools}
</tools>

For each function call, return a json object with function name and arguments within \
<tool_call></tool_call> XML tags:
<tool_call>
{{"name": <function-name>, "arguments": <args-json-object>}}
</tool_call>"""


@dataclass(frozen=True, slots=True)
class Toolbox:
    """The functions a model may call in an answer; empty if none."""

    functions: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    required: bool = False
    parallel: bool = True

    @classmethod
    def read(cls, request: Mapping[str, Any]) -> Toolbox:
        """From ``tools``, ``tool_choice`` and ``parallel_tool_calls``, which their grammar allows.

        Raises UnsupportedParameter for tools that are not functions.
        """
        functions = dict(_function(tool, at) for at, tool in enumerate(request.get("tools") or ()))
        allowed, mode = _chosen(request.get("tool_choice"), functions)
        if mode == "none" or not allowed:
            return cls()
        parallel = request.get("parallel_tool_calls") is not False
        return cls({name: functions[name] for name in allowed}, mode == "required", parallel)

    def description(self) -> str:
        """For the system message; empty if there are no tools."""
        tools = ({"type": "function", "function": function} for function in self.functions.values())
        lines = "\n".join(msgspec.json.encode(tool).decode() for tool in tools)
        return _DESCRIPTION.format(tools=lines) if lines else ""

    def schema(self, answer: Any = None) -> dict[str, Any]:  # noqa: ANN401  # any JSON schema
        """What the text must be: a call, or else ``answer`` where calls may be left out."""
        definitions = {f"tool{at}": _arguments(each) for at, each in enumerate(self.functions.values())}
        alternatives = {
            name: _call_schema(name, definition)
            for name, definition in zip(self.functions, definitions, strict=True)
        }
        if answer is not None:
            definitions["answer"] = answer
            alternatives[""] = schemas.reference("answer")
        return schemas.any_of(alternatives, definitions)


def _function(tool: Mapping[str, Any], at: int) -> tuple[str, dict[str, Any]]:
    if tool["type"] != "function":
        raise UnsupportedParameter(
            f"Unsupported tool type: '{faults.shown(tool['type'])}'. Embedded models call functions only.",
            param=f"tools[{at}].type",
        )
    function = tool["function"]
    parameters = function.get("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise faults.invalid_type(f"tools[{at}].function.parameters", "an object", parameters)
    described = {
        key: function[key] for key in ("name", "description", "parameters") if function.get(key) is not None
    }
    return function["name"], described


def _chosen(
    choice: Any,  # noqa: ANN401  # any JSON value
    functions: Mapping[str, Any],
) -> tuple[Sequence[str], Literal["none", "auto", "required"]]:
    """Which functions may be called, and whether one must be."""
    match choice:
        case None | "auto":
            return list(functions), "auto"
        case "required" | "any":
            return list(functions), "required"
        case "none":
            return [], "none"
        case {"type": "function", "function": {"name": name}}:
            return [name], "required"
        case {
            "type": "allowed_tools",
            "allowed_tools": {"mode": "auto" | "required" as mode, "tools": list(tools)},
        }:
            return _allowed(tools, functions), "required" if mode == "required" else "auto"
    raise UnsupportedParameter(
        "Unsupported 'tool_choice': embedded models cannot be held to it.", param="tool_choice"
    )


def _allowed(tools: Sequence[Any], functions: Mapping[str, Any]) -> list[str]:
    names = []
    for at, tool in enumerate(tools):
        match tool:
            case {"type": "function", "function": {"name": str(name)}} if name in functions:
                names.append(name)
            case _:
                raise InvalidRequest(
                    "Each of the allowed tools must be a function of the 'tools' parameter.",
                    param=f"tool_choice.allowed_tools.tools[{at}]",
                )
    return names


def _arguments(function: Mapping[str, Any]) -> dict[str, Any]:
    parameters = function.get("parameters")
    return {"type": "object", **parameters} if parameters else {"type": "object"}


def _call_schema(name: str, definition: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"name": {"const": name}, "arguments": schemas.reference(definition)},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }
