"""What becomes of every input item, part and tool of the official SDK, where a provider only chats."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

import pytest
from openai.types.responses import (
    CustomToolParam,
    FunctionToolParam,
    ResponseInputFileContentParam,
    ResponseInputImageContentParam,
    ResponseInputTextContentParam,
    response_input_item_param,
    response_input_message_content_list_param,
    tool_param,
)
from openai.types.shared_params import reasoning

from tests.dialects.test_responses_over_chat import refused, sent
from writingmate.dialects.responses_tools import VENDORS
from writingmate.errors import UnsupportedParameter

DATA = "data:application/pdf;base64,JVBERi0xLjQ="
PICTURE = {"type": "input_image", "image_url": "https://x/a.png", "detail": "low"}
SHOWN = {"type": "image_url", "image_url": {"url": "https://x/a.png", "detail": "low"}}
FILE = {"type": "input_file", "file_data": DATA, "filename": "a.pdf", "detail": "auto"}
SENT_FILE = {"type": "file", "file": {"file_data": DATA, "filename": "a.pdf"}}
MARK = {"mode": "explicit"}
CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
PATCH = {"type": "custom_tool_call", "call_id": "c", "name": "p", "input": "x"}
CALLED = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
}
PATCHED = CALLED | {
    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "p", "arguments": '{"input":"x"}'}}]
}
USER = {"role": "user", "content": "hi"}
DONE = {"role": "tool", "tool_call_id": "c", "content": "42"}

#: By type, what an item comes to in a conversation; those without an entry are refused by their type.
ITEMS: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
    "message": (
        [USER, {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
                "phase": "commentary",
                "content": [{"type": "output_text", "text": "ho", "annotations": [], "logprobs": []}]},
         {"role": "developer", "content": "Be brief."}],
        [USER, {"role": "assistant", "content": "ho"}, {"role": "system", "content": "Be brief."}],
    ),
    "function_call": ([CALL | {"id": "fc_1", "status": "completed", "namespace": None, "caller": None},
                       {"type": "function_call_output", "call_id": "c", "output": "42"}], [CALLED, DONE]),
    "function_call_output": ([CALL, {"type": "function_call_output", "id": "fco_1", "status": "completed",
                                     "call_id": "c", "output": [{"type": "input_text", "text": "42"}]}],
                             [CALLED, DONE]),
    "custom_tool_call": ([PATCH | {"id": "ctc_1"},
                          {"type": "custom_tool_call_output", "call_id": "c", "output": "42"}],
                         [PATCHED, DONE]),
    "custom_tool_call_output": ([PATCH, {"type": "custom_tool_call_output", "call_id": "c", "output": "42"}],
                                [PATCHED, DONE]),
    "reasoning": ([{"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA"}, USER],
                  [USER]),
}  # fmt: skip


def types_of(union: Any) -> set[str]:
    """The values that ``type`` has in a union of published types."""
    found: set[str] = set()
    for each in get_args(union):
        if hasattr(each, "__annotations__"):
            found |= set(_literals(get_type_hints(each).get("type")))
    return found


def _literals(hint: Any) -> list[str]:
    if isinstance(hint, str):
        return [hint]
    return [value for arg in get_args(hint) for value in _literals(arg)]


ALL_ITEMS = types_of(response_input_item_param.ResponseInputItemParam)
ALL_TOOLS = types_of(tool_param.ToolParam)


def test_every_published_kind_is_known_to_this_test() -> None:
    assert set(ITEMS) < ALL_ITEMS
    assert len(ALL_ITEMS) > 25
    assert {"function", "custom", "web_search", "mcp"} < ALL_TOOLS
    parts = types_of(response_input_message_content_list_param.ResponseInputContentParam)
    assert parts == {"input_text", "input_image", "input_file"}


@pytest.mark.parametrize("name", sorted(ALL_ITEMS))
def test_an_item_is_translated_or_refused_by_name(name: str) -> None:
    if name in ITEMS:
        given, expected = ITEMS[name]
        assert sent({"input": given})["messages"] == expected
        return
    error = refused({"input": [USER, {"type": name, "id": "x_1"}]})
    assert isinstance(error, UnsupportedParameter)
    assert error.param == "input[1].type"
    assert f"'{name}'" in error.message


@pytest.mark.parametrize("name", sorted(ALL_TOOLS))
def test_a_tool_is_translated_or_refused_by_name(name: str) -> None:
    tool = {"type": name, "name": "f", "description": "d"}
    if name in {"function", "custom"}:
        (made,) = sent({"tools": [tool]})["tools"]
        assert (made["type"], made["function"]["name"], made["function"]["description"]) == (
            "function",
            "f",
            "d",
        )
        return
    error = refused({"tools": [tool]})
    assert (error.param, error.code) == ("tools[0].type", "unsupported_parameter")


FUNCTION: dict[str, Any] = {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True}


@pytest.mark.parametrize("name", sorted(FunctionToolParam.__annotations__))
def test_a_field_of_a_function_is_sent_or_refused_by_name(name: str) -> None:
    tool = {"type": "function", **FUNCTION}
    if name in VENDORS:
        error = refused({"tools": [tool | {name: {"a": 1} if name == "output_schema" else True}]})
        assert (error.param, error.code) == (f"tools[0].{name}", "unsupported_parameter")
        for neutral in (None, *VENDORS[name]):
            assert sent({"tools": [tool | {name: neutral}]})["tools"] == [
                {"type": "function", "function": FUNCTION}
            ]
        return
    assert sent({"tools": [tool]})["tools"] == [{"type": "function", "function": FUNCTION}]
    assert name in {"type", *FUNCTION}


@pytest.mark.parametrize("name", sorted(CustomToolParam.__annotations__))
def test_a_field_of_a_custom_tool_is_sent_or_refused_by_name(name: str) -> None:
    form = {"type": "grammar", "syntax": "lark", "definition": "start: WORD"}
    tool: dict[str, Any] = {"type": "custom", "name": "f", "description": "d", "format": form}
    if name in VENDORS:
        assert refused({"tools": [tool | {name: True}]}).param == f"tools[0].{name}"
        return
    assert name in tool
    function = sent({"tools": [tool]})["tools"][0]["function"]
    assert function["name"] == "f"
    assert function["description"] == "d\n\nThe input must match this lark grammar:\nstart: WORD"


#: Each field of a part: what a part with it comes to, None if it is refused by name.
PARTS: dict[Any, dict[str, tuple[dict[str, Any], dict[str, Any] | None]]] = {
    ResponseInputTextContentParam: {
        "type": ({"type": "input_text", "text": "x"}, {"type": "text", "text": "x"}),
        "text": ({"type": "input_text", "text": "x"}, {"type": "text", "text": "x"}),
        "prompt_cache_breakpoint": (
            {"type": "input_text", "text": "x", "prompt_cache_breakpoint": MARK},
            {"type": "text", "text": "x", "prompt_cache_breakpoint": MARK},
        ),
    },
    ResponseInputImageContentParam: {
        "type": (PICTURE, SHOWN),
        "image_url": (PICTURE, SHOWN),
        "detail": (
            PICTURE | {"detail": "original"},
            {"type": "image_url", "image_url": {"url": "https://x/a.png", "detail": "original"}},
        ),
        "file_id": ({"type": "input_image", "file_id": "file-1"}, None),
        "prompt_cache_breakpoint": (
            PICTURE | {"prompt_cache_breakpoint": MARK},
            SHOWN | {"prompt_cache_breakpoint": MARK},
        ),
    },
    ResponseInputFileContentParam: {
        "type": (FILE, SENT_FILE),
        "file_data": (FILE, SENT_FILE),
        "filename": (FILE, SENT_FILE),
        "detail": (FILE | {"detail": "high"}, None),
        "file_id": ({"type": "input_file", "file_id": "file-1"}, None),
        "file_url": ({"type": "input_file", "file_url": "https://x/a.pdf"}, None),
        "prompt_cache_breakpoint": (
            FILE | {"prompt_cache_breakpoint": MARK},
            SENT_FILE | {"prompt_cache_breakpoint": MARK},
        ),
    },
}
FIELDS_OF_PARTS = [(kind, name) for kind, fields in PARTS.items() for name in fields]


def test_every_field_of_a_part_is_here() -> None:
    for kind, fields in PARTS.items():
        assert set(kind.__annotations__) == set(fields)


@pytest.mark.parametrize(("kind", "name"), FIELDS_OF_PARTS)
def test_a_field_of_a_part_is_sent_or_refused_by_name(kind: Any, name: str) -> None:
    part, expected = PARTS[kind][name]
    fields = {"input": [{"role": "user", "content": [part, {"type": "input_text", "text": "y"}]}]}
    if expected is None:
        error = refused(fields)
        assert (error.param, error.code) == (f"input[0].content[0].{name}", "unsupported_parameter")
        return
    (message,) = sent(fields)["messages"]
    assert message["content"][0] == expected


@pytest.mark.parametrize("role", ["user", "system", "developer", "assistant"])
def test_a_mark_of_the_cache_keeps_its_part(role: str) -> None:
    part = {"type": "output_text" if role == "assistant" else "input_text", "text": "x"}
    messages = sent({"input": [{"role": role, "content": [part | {"cache_control": MARK}]}, USER]})[
        "messages"
    ]
    assert messages[0]["content"] == [{"type": "text", "text": "x", "cache_control": MARK}]


def test_what_a_tool_shows_follows_its_output() -> None:
    other = CALL | {"call_id": "d"}
    given = [
        CALL,
        other,
        {
            "type": "function_call_output",
            "call_id": "c",
            "output": [{"type": "input_text", "text": "42"}, PICTURE],
        },
        {"type": "function_call_output", "call_id": "d", "output": [FILE]},
        USER,
    ]
    for conversation in (given, given[:-1]):
        _, one, two, shown, *rest = sent({"input": conversation})["messages"]
        assert (one, two) == (DONE, {"role": "tool", "tool_call_id": "d", "content": ""})
        assert shown == {
            "role": "user",
            "content": [
                {"type": "text", "text": "Of the output of c:"},
                SHOWN,
                {"type": "text", "text": "Of the output of d:"},
                SENT_FILE,
            ],
        }
        assert rest == [USER] * (len(conversation) - 4)


#: Each field of ``reasoning``: what is sent for it, or what is refused.
REASONING: dict[str, tuple[Any, dict[str, Any] | None]] = {
    "effort": ("low", {"reasoning_effort": "low"}),
    "summary": ("detailed", {}),
    "generate_summary": ("auto", {}),
    "context": ("all_turns", None),
    "mode": ("pro", None),
}


@pytest.mark.parametrize("name", sorted(reasoning.Reasoning.__annotations__))
def test_a_field_of_reasoning_is_sent_or_refused_by_name(name: str) -> None:
    value, expected = REASONING[name]
    if expected is None:
        assert refused({"reasoning": {name: value}}).param == f"reasoning.{name}"
    else:
        made = sent({"reasoning": {name: value}})
        assert {key: made[key] for key in made if key not in {"model", "messages"}} == expected
    for anyway in ({"context": "auto"}, {"context": "current_turn"}, {"mode": "standard"}, {name: None}):
        assert "reasoning_effort" not in sent({"reasoning": anyway})


def test_every_value_of_include_is_accepted_and_of_effect_where_there_is_something() -> None:
    assert sent({"include": []}) == sent({})
    for name in (
        "file_search_call.results",
        "web_search_call.results",
        "web_search_call.action.sources",
        "message.input_image.image_url",
        "computer_call_output.output.image_url",
        "code_interpreter_call.outputs",
        "reasoning.encrypted_content",
    ):
        assert sent({"include": [name]}) == sent({})
    assert sent({"include": ["message.output_text.logprobs"]})["logprobs"] is True
