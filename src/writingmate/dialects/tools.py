"""Rules for tools and for the choice among them, in today's form and in the deprecated one (WIRE §5.1)."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from writingmate.dialects import faults
from writingmate.dialects.grammar import REFUSED, Rule, given
from writingmate.errors import InvalidRequest
from writingmate.wire import document
from writingmate.wire.document import Document

_OBJECT = ord("{")
_MOST_FUNCTIONS = 128


class _Named(msgspec.Struct):
    name: Annotated[str, msgspec.Meta(min_length=1)]


class _Function(msgspec.Struct, tag_field="type", tag="function"):
    function: _Named


class _Custom(msgspec.Struct, tag_field="type", tag="custom"):
    custom: _Named


_SPECIFIED = msgspec.json.Decoder(Annotated[list[_Function | _Custom], msgspec.Meta(min_length=1)]).decode
_FUNCTIONS = msgspec.json.Decoder(
    Annotated[list[_Named], msgspec.Meta(min_length=1, max_length=_MOST_FUNCTIONS)]
).decode


def _accept_tools(raw: msgspec.Raw) -> None:
    try:
        _SPECIFIED(raw)
    except REFUSED:
        if _tools_fault("tools", document.value(raw)) is not None:
            raise


def _explain_tools(param: str, tools: Any) -> InvalidRequest:  # noqa: ANN401  # any JSON value
    fault = _tools_fault(param, tools)
    if fault is None:
        raise AssertionError("tools were refused that have no fault")
    return fault


def _tools_fault(param: str, tools: Any) -> InvalidRequest | None:  # noqa: ANN401  # any JSON value
    if not isinstance(tools, list):
        return faults.invalid_type(param, "an array of objects", tools)
    if not tools:
        return faults.empty_array(param)
    found = (_tool_fault(f"{param}[{at}]", tool) for at, tool in enumerate(tools))
    return next((fault for fault in found if fault is not None), None)


def _tool_fault(param: str, tool: Any) -> InvalidRequest | None:  # noqa: ANN401  # any JSON value
    if not isinstance(tool, dict):
        return faults.invalid_type(param, "an object", tool)
    form = tool.get("type")
    if form is None:
        return faults.missing(f"{param}.type")
    if form not in ("function", "custom"):
        return None if isinstance(form, str) else faults.invalid_type(f"{param}.type", "a string", form)
    if tool.get(form) is None:
        return faults.missing(f"{param}.{form}")
    return _named_fault(f"{param}.{form}", tool[form])


def _named_fault(param: str, named: Any) -> InvalidRequest | None:  # noqa: ANN401  # any JSON value
    if not isinstance(named, dict):
        return faults.invalid_type(param, "an object", named)
    name = named.get("name")
    if name is None:
        return faults.missing(f"{param}.name")
    if not isinstance(name, str):
        return faults.invalid_type(f"{param}.name", "a string", name)
    return None if name else faults.empty_string(f"{param}.name")


def _functions() -> Rule:
    """``functions``, the deprecated form of tools."""

    def explain(param: str, value: Any) -> InvalidRequest:  # noqa: ANN401  # any JSON value
        if not isinstance(value, list):
            return faults.invalid_type(param, "an array of objects", value)
        if not value:
            return faults.empty_array(param)
        if len(value) > _MOST_FUNCTIONS:
            return faults.long_array(param, _MOST_FUNCTIONS, len(value))
        found = (_named_fault(f"{param}[{at}]", function) for at, function in enumerate(value))
        return next(fault for fault in found if fault is not None)

    return Rule(_FUNCTIONS, explain)


def _choice(*modes: str, also: tuple[str, ...] = ()) -> Rule:
    """A mode, or an object that names what to call; the object is compared with the tools later."""
    plain = {f'"{mode}"'.encode() for mode in (*modes, *also)}

    def accept(raw: msgspec.Raw) -> None:
        if bytes(raw) not in plain and memoryview(raw)[0] != _OBJECT:
            raise ValueError(raw)

    def explain(param: str, value: Any) -> InvalidRequest:  # noqa: ANN401  # any JSON value
        if isinstance(value, str):
            return faults.invalid_value(param, value, modes)
        return faults.invalid_type(param, f"one of {faults.listed(modes, 'or')} or object", value)

    return Rule(accept, explain)


#: ``tools``: functions and custom tools with their names. Types of other vendors pass.
TOOLS = Rule(_accept_tools, _explain_tools)
FUNCTIONS = _functions()
TOOL_CHOICE = _choice("none", "auto", "required", also=("any",))  # what Mistral calls required
FUNCTION_CALL = _choice("none", "auto")


def chosen_tool_exists(request: Document) -> None:
    """Raise InvalidRequest if ``tool_choice`` comes without tools, or names one that is not there."""
    if not given(request, "tools"):
        raise InvalidRequest(
            "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.",
            param="tool_choice",
        )
    choice = document.value(request["tool_choice"])
    form = choice.get("type") if isinstance(choice, dict) else None
    if form in ("function", "custom"):
        _require_tool(request["tools"], form, choice)


def _require_tool(tools: msgspec.Raw, form: str, choice: dict[str, Any]) -> None:
    fault = _tool_fault("tool_choice", choice)
    if fault is not None:
        raise fault
    name = choice[form]["name"]
    for tool in document.value(tools):
        if tool["type"] == form and tool[form]["name"] == name:
            return
    raise InvalidRequest(
        f"Tool choice '{faults.shown(name)}' not found in 'tools' parameter.", param="tool_choice"
    )


def chosen_function_exists(request: Document) -> None:
    """The same for ``function_call`` and ``functions``."""
    if not given(request, "functions"):
        raise InvalidRequest(
            "Invalid value for 'function_call': "
            "'function_call' is only allowed when 'functions' are specified.",
            param="function_call",
        )
    choice = document.value(request["function_call"])
    if isinstance(choice, dict):
        _require_function(request["functions"], choice)


def _require_function(declared: msgspec.Raw, choice: dict[str, Any]) -> None:
    fault = _named_fault("function_call", choice)
    if fault is not None:
        raise fault
    if all(function["name"] != choice["name"] for function in document.value(declared)):
        raise InvalidRequest(
            f"Invalid value for 'function_call': no function named '{faults.shown(choice['name'])}' "
            "was specified in the 'functions' parameter.",
            param="function_call",
        )
