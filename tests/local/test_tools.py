from __future__ import annotations

from typing import Any

import pytest

from writingmate.errors import InvalidRequest, UnsupportedParameter
from writingmate.local.tools import Toolbox


def tool(name: str, parameters: object = None) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {"name": name, "description": f"Does {name}", "parameters": parameters},
    }


TOOLS = [tool("add", {"type": "object", "properties": {"a": {"type": "number"}}}), tool("now")]


def test_without_tools_there_is_nothing_to_say() -> None:
    assert not Toolbox.read({}).functions
    assert Toolbox.read({}).description() == ""


def test_tools_are_described_as_the_model_was_trained() -> None:
    said = Toolbox.read({"tools": TOOLS}).description()
    assert (
        '<tools>\n{"type":"function","function":{"name":"add","description":"Does add","parameters":'
        '{"type":"object","properties":{"a":{"type":"number"}}}}}\n'
        '{"type":"function","function":{"name":"now","description":"Does now"}}\n</tools>'
    ) in said


@pytest.mark.parametrize(
    ("choice", "names", "required"),
    [
        (None, ["add", "now"], False),
        ("auto", ["add", "now"], False),
        ("none", [], False),
        ("required", ["add", "now"], True),
        ("any", ["add", "now"], True),
        ({"type": "function", "function": {"name": "now"}}, ["now"], True),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [tool("now")]}},
            ["now"],
            False,
        ),
        (
            {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": [tool("now")]}},
            ["now"],
            True,
        ),
    ],
)
def test_the_choice_among_them(choice: object, names: list[str], required: bool) -> None:  # noqa: FBT001 # a case
    toolbox = Toolbox.read({"tools": TOOLS, "tool_choice": choice})
    assert list(toolbox.functions) == names
    assert toolbox.required is required


def test_parallel_calls_can_be_switched_off() -> None:
    assert Toolbox.read({"tools": TOOLS}).parallel
    assert not Toolbox.read({"tools": TOOLS, "parallel_tool_calls": False}).parallel


def test_custom_tools_are_refused_by_name() -> None:
    with pytest.raises(UnsupportedParameter, match="custom") as caught:
        Toolbox.read({"tools": [*TOOLS, {"type": "custom", "custom": {"name": "x"}}]})
    assert caught.value.param == "tools[2].type"


def test_parameters_must_be_a_schema() -> None:
    with pytest.raises(InvalidRequest) as caught:
        Toolbox.read({"tools": [tool("add", "x")]})
    assert caught.value.param == "tools[0].function.parameters"


def test_an_allowed_tool_must_be_declared() -> None:
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [tool("other")]}}
    with pytest.raises(InvalidRequest) as caught:
        Toolbox.read({"tools": TOOLS, "tool_choice": choice})
    assert caught.value.param == "tool_choice.allowed_tools.tools[0]"


def test_a_choice_nobody_can_keep_is_refused() -> None:
    with pytest.raises(UnsupportedParameter):
        Toolbox.read({"tools": TOOLS, "tool_choice": {"type": "custom", "custom": {"name": "x"}}})


def test_a_call_that_must_be_made_is_held_to_a_schema() -> None:
    person = {
        "properties": {"friend": {"$ref": "#/$defs/Person"}, "self": {"$ref": "#"}},
        "$defs": {"Person": {"type": "object"}},
    }
    schema = Toolbox.read({"tools": [tool("meet", person), tool("now")], "tool_choice": "required"}).schema()
    assert schema["$defs"] == {
        "tool0": {
            "type": "object",
            "properties": {
                "friend": {"$ref": "#/$defs/tool0/$defs/Person"},
                "self": {"$ref": "#/$defs/tool0"},
            },
            "$defs": {"Person": {"type": "object"}},
        },
        "tool1": {"type": "object"},
    }
    assert schema["anyOf"][0] == {
        "type": "object",
        "properties": {"name": {"const": "meet"}, "arguments": {"$ref": "#/$defs/tool0"}},
        "required": ["name", "arguments"],
        "additionalProperties": False,
    }
    assert len(schema["anyOf"]) == 2


def test_a_call_or_an_answer_in_a_format() -> None:
    schema = Toolbox.read({"tools": TOOLS}).schema({"type": "integer"})
    assert schema["anyOf"][-1] == {"$ref": "#/$defs/answer"}
    assert schema["$defs"]["answer"] == {"type": "integer"}
