"""Tools and the choice among them, in the words of Gemini's generateContent (WIRE §10.2)."""

from __future__ import annotations

from typing import Any

from writingmate.dialects import faults
from writingmate.dialects.messages_tools import allowed
from writingmate.dialects.unsupported import unsupported

_MODES = {"auto": "AUTO", "required": "ANY", "any": "ANY", "none": "NONE"}
#: Members of a schema that say nothing of an object without properties.
_EMPTY = frozenset(
    ("$schema", "additionalProperties", "description", "properties", "required", "title", "type")
)


def declared(asked: list[dict[str, Any]], choice: object) -> list[dict[str, Any]]:
    """The functions, as declarations; only those that an ``allowed_tools`` choice allows."""
    names = allowed(choice)
    found = [_declaration(tool, f"tools[{at}]") for at, tool in enumerate(asked)]
    return [function for function in found if names is None or function["name"] in names]


def calling(asked: list[dict[str, Any]], choice: object) -> dict[str, Any] | None:
    """The ``functionCallingConfig`` of a choice, None for the usual one.

    Where a call is made freely it fits its schema only if that is asked for; one that is forced always does.
    """
    said = _config(choice)
    if said["mode"] != "AUTO":
        return said
    strict = any(isinstance(tool.get("function"), dict) and tool["function"].get("strict") for tool in asked)
    return {"mode": "VALIDATED"} if strict else None


def _declaration(tool: dict[str, Any], param: str) -> dict[str, Any]:
    function = tool.get("function")
    if tool["type"] != "function" or not isinstance(function, dict):
        raise unsupported(f"{param}.type", f"of '{faults.shown(tool['type'])}'", advice="Use functions.")
    made: dict[str, Any] = {"name": function["name"]}
    if function.get("description"):
        made["description"] = function["description"]
    schema = function.get("parameters")
    if schema is not None and not isinstance(schema, dict):
        raise faults.invalid_type(f"{param}.function.parameters", "an object", schema)
    if schema and not _says_nothing(schema):
        made["parametersJsonSchema"] = schema
    return made


def _says_nothing(schema: dict[str, Any]) -> bool:
    free = schema.get("additionalProperties")
    return not schema.get("properties") and not free and schema.keys() <= _EMPTY


def _config(choice: object) -> dict[str, Any]:
    if choice is None:
        return {"mode": "AUTO"}
    if isinstance(choice, str) and choice in _MODES:
        return {"mode": _MODES[choice]}
    form = choice.get("type") if isinstance(choice, dict) else None
    if isinstance(choice, dict) and form == "function":
        return {"mode": "ANY", "allowedFunctionNames": [choice["function"]["name"]]}
    if isinstance(choice, dict) and form == "allowed_tools":
        inner = choice.get("allowed_tools")
        return _config(inner.get("mode", "auto") if isinstance(inner, dict) else None)
    raise unsupported("tool_choice", f"of '{faults.shown(str(form))}'", advice="Name a function.")
