"""Tools and the choice among them, in the words of Anthropic's Messages (WIRE §10.1)."""

from __future__ import annotations

from typing import Any

from writingmate.dialects import faults
from writingmate.dialects.unsupported import unsupported

_CHOICES = {"auto": "auto", "required": "any", "any": "any", "none": "none"}
_FORCED = ("any", "tool")
_NO_PARAMETERS = {"type": "object", "properties": {}}


def tools(asked: list[dict[str, Any]], choice: object) -> list[dict[str, Any]]:
    """The functions, as tools; only those that an ``allowed_tools`` choice allows."""
    names = allowed(choice)
    found = [_tool(tool, f"tools[{at}]") for at, tool in enumerate(asked)]
    return [tool for tool in found if names is None or tool["name"] in names]


def tool_choice(choice: object, *, parallel: bool) -> dict[str, Any] | None:
    """The same choice; None for the usual one. Where calls may not be ``parallel`` there is at most one."""
    chosen = _choice(choice)
    if not parallel and chosen["type"] != "none":
        return {**chosen, "disable_parallel_tool_use": True}
    return None if choice is None else chosen


def is_forced(chosen: dict[str, Any] | None) -> bool:
    """Whether the model must call a tool."""
    return chosen is not None and chosen["type"] in _FORCED


def _tool(tool: dict[str, Any], param: str) -> dict[str, Any]:
    function = tool.get("function")
    if tool["type"] != "function" or not isinstance(function, dict):
        raise unsupported(f"{param}.type", f"of '{faults.shown(tool['type'])}'", advice="Use functions.")
    made: dict[str, Any] = {
        "name": function["name"],
        "input_schema": function.get("parameters") or _NO_PARAMETERS,
    }
    if function.get("description"):
        made["description"] = function["description"]
    if function.get("strict") is True:
        made["strict"] = True
    mark = tool.get("cache_control") or function.get("cache_control")
    return made if mark is None else {**made, "cache_control": mark}


def _choice(choice: object) -> dict[str, Any]:
    if choice is None:
        return {"type": "auto"}
    if isinstance(choice, str) and choice in _CHOICES:
        return {"type": _CHOICES[choice]}
    form = choice.get("type") if isinstance(choice, dict) else None
    if isinstance(choice, dict) and form == "function":
        return {"type": "tool", "name": choice["function"]["name"]}
    if isinstance(choice, dict) and form == "allowed_tools":
        inner = choice.get("allowed_tools")
        return _choice(inner.get("mode", "auto") if isinstance(inner, dict) else None)
    raise unsupported("tool_choice", f"of '{faults.shown(str(form))}'", advice="Name a function.")


def allowed(choice: object) -> set[str] | None:
    """The names that an ``allowed_tools`` choice allows; None for any other choice."""
    if not isinstance(choice, dict) or choice.get("type") != "allowed_tools":
        return None
    inner = choice.get("allowed_tools")
    listed = inner.get("tools") if isinstance(inner, dict) else None
    tools = listed if isinstance(listed, list) else []
    functions = [tool.get("function") for tool in tools if isinstance(tool, dict)]
    return {str(function.get("name")) for function in functions if isinstance(function, dict)}
