from __future__ import annotations

from typing import Any

import msgspec
import pytest

from writingmate.dialects.exchange import GRAMMARS
from writingmate.errors import InvalidRequest
from writingmate.types import DialectName
from writingmate.wire import document

FUNCTION = {"type": "function", "function": {"name": "f", "parameters": {}}}
CUSTOM = {"type": "custom", "custom": {"name": "c"}}
BASE: dict[DialectName, dict[str, Any]] = {
    "chat": {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
    "completions": {"model": "m", "prompt": "hi"},
}


def check(dialect: DialectName, fields: dict[str, Any]) -> None:
    body = {name: value for name, value in (BASE[dialect] | fields).items() if value is not ...}
    GRAMMARS[dialect].check(document.parse(msgspec.json.encode(body)))


def refusal(dialect: DialectName, fields: dict[str, Any]) -> tuple[str | None, str | None, str]:
    with pytest.raises(InvalidRequest) as caught:
        check(dialect, fields)
    error = caught.value
    assert (error.status, error.type) == (400, "invalid_request_error")
    return error.param, error.code, error.message


TYPES: list[tuple[str, Any, str, str]] = [
    ("temperature", "hot", "a decimal", "a string"),
    ("temperature", True, "a decimal", "a boolean"),
    ("top_p", [0.5], "a decimal", "an array"),
    ("frequency_penalty", {}, "a decimal", "an object"),
    ("n", "2", "an integer", "a string"),
    ("n", 1.5, "an integer", "a decimal number"),
    ("n", False, "an integer", "a boolean"),
    ("seed", 1.5, "an integer", "a decimal number"),
    ("max_tokens", "many", "an integer", "a string"),
    ("stream", "true", "a boolean", "a string"),
    ("stream", 1, "a boolean", "an integer"),
    ("logit_bias", [], "an object", "an array"),
    ("stop", 7, "one of a string or array of strings", "an integer"),
    ("user", {"a": 1}, "a string", "an object"),
    ("user", None, "a string", "null"),
    ("model", 3, "a string", "an integer"),
    ("model", None, "a string", "null"),
]

CHAT_TYPES: list[tuple[str, Any, str, str]] = [
    ("messages", "ping", "an array of objects", "a string"),
    ("messages", {}, "an array of objects", "an object"),
    ("messages", None, "an array of objects", "null"),
    ("max_completion_tokens", 1.5, "an integer", "a decimal number"),
    ("logprobs", 1, "a boolean", "an integer"),
    ("store", "yes", "a boolean", "a string"),
    ("parallel_tool_calls", None, "a boolean", "null"),
    ("tools", "none", "an array of objects", "a string"),
    ("tools", None, "an array of objects", "null"),
    ("functions", {}, "an array of objects", "an object"),
    ("tool_choice", 7, "one of 'none', 'auto', or 'required' or object", "an integer"),
    ("function_call", None, "one of 'none' or 'auto' or object", "null"),
    ("response_format", "json", "an object", "a string"),
    ("stream_options", "usage", "an object", "a string"),
    ("modalities", "text", "an array of strings", "a string"),
    ("metadata", [], "an object", "an array"),
    ("audio", "loud", "an object", "a string"),
    ("prediction", "x", "an object", "a string"),
    ("web_search_options", None, "an object", "null"),
    (
        "service_tier",
        {"a": 1},
        "one of 'auto', 'default', 'fast', 'flex', 'priority', or 'scale'",
        "an object",
    ),
    ("prompt_cache_retention", 1, "one of 'in_memory' or '24h'", "an integer"),
]


@pytest.mark.parametrize(("field", "value", "expected", "got"), TYPES + CHAT_TYPES)
def test_a_wrong_type_is_named_in_openais_words(field: str, value: Any, expected: str, got: str) -> None:
    message = f"Invalid type for '{field}': expected {expected}, but got {got} instead."
    assert refusal("chat", {field: value}) == (field, "invalid_type", message)


@pytest.mark.parametrize(("field", "value", "expected", "got"), TYPES)
def test_completions_share_the_words(field: str, value: Any, expected: str, got: str) -> None:
    message = f"Invalid type for '{field}': expected {expected}, but got {got} instead."
    assert refusal("completions", {field: value}) == (field, "invalid_type", message)


@pytest.mark.parametrize(
    ("dialect", "field", "value", "kind", "bound"),
    [
        ("chat", "n", -1, "integer", ">= 1"),
        ("chat", "n", 0, "integer", ">= 1"),
        ("chat", "n", 129, "integer", "<= 128"),
        ("chat", "max_tokens", 0, "integer", ">= 1"),
        ("chat", "max_completion_tokens", -5, "integer", ">= 1"),
        ("chat", "top_logprobs", 21, "integer", "<= 20"),
        ("chat", "top_logprobs", -1, "integer", ">= 0"),
        ("chat", "temperature", 2.1, "decimal", "<= 2"),
        ("chat", "temperature", -0.1, "decimal", ">= 0"),
        ("chat", "temperature", 3, "decimal", "<= 2"),
        ("chat", "top_p", 1.01, "decimal", "<= 1"),
        ("chat", "presence_penalty", -3, "decimal", ">= -2"),
        ("chat", "frequency_penalty", 3, "decimal", "<= 2"),
        ("completions", "best_of", 0, "integer", ">= 1"),
        ("completions", "best_of", 21, "integer", "<= 20"),
        ("completions", "logprobs", 6, "integer", "<= 5"),
        ("completions", "max_tokens", -1, "integer", ">= 0"),
        ("completions", "n", 1000, "integer", "<= 128"),
    ],
)
def test_a_number_out_of_range(dialect: DialectName, field: str, value: float, kind: str, bound: str) -> None:
    side = "below minimum" if bound.startswith(">") else "above maximum"
    code = f"{kind}_{'below_min' if bound.startswith('>') else 'above_max'}_value"
    message = f"Invalid '{field}': {kind} {side} value. Expected a value {bound}, but got {value} instead."
    fields = {field: value, "logprobs": True} if field == "top_logprobs" else {field: value}
    assert refusal(dialect, fields) == (field, code, message)


@pytest.mark.parametrize(
    ("fields", "param", "code", "message"),
    [
        ({"model": ...}, "model", "missing_required_parameter", "Missing required parameter: 'model'."),
        (
            {"messages": ...},
            "messages",
            "missing_required_parameter",
            "Missing required parameter: 'messages'.",
        ),
        (
            {"messages": []},
            "messages",
            "empty_array",
            (
                "Invalid 'messages': empty array. Expected an array with minimum length 1, "
                "but got an empty array instead."
            ),
        ),
        (
            {"verbosity": "x"},
            "verbosity",
            "invalid_value",
            "Invalid value: 'x'. Supported values are: 'low', 'medium', and 'high'.",
        ),
        (
            {"prompt_cache_retention": "1h"},
            "prompt_cache_retention",
            "invalid_value",
            "Invalid value: '1h'. Supported values are: 'in_memory' and '24h'.",
        ),
        (
            {"reasoning_effort": "low\n"},
            "reasoning_effort",
            "invalid_value",
            (
                "Invalid value: 'low\n'. Supported values are: "
                "'none', 'minimal', 'low', 'medium', 'high', 'xhigh', and 'max'."
            ),
        ),
        (
            {"response_format": {"type": "yaml"}},
            "response_format.type",
            "invalid_value",
            "Invalid value: 'yaml'. Supported values are: 'json_object', 'json_schema', and 'text'.",
        ),
        (
            {"response_format": {}},
            "response_format.type",
            "missing_required_parameter",
            "Missing required parameter: 'response_format.type'.",
        ),
        (
            {"response_format": {"type": 1}},
            "response_format.type",
            "invalid_type",
            "Invalid type for 'response_format.type': expected a string, but got an integer instead.",
        ),
        (
            {"stream_options": {"include_usage": True}},
            "stream_options",
            None,
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
        ),
        (
            {"stream": False, "stream_options": {}},
            "stream_options",
            None,
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
        ),
        (
            {"stream": True, "stream_options": {"include_usage": "yes"}},
            "stream_options.include_usage",
            "invalid_type",
            "Invalid type for 'stream_options.include_usage': expected a boolean, but got a string instead.",
        ),
        (
            {"max_tokens": 5, "max_completion_tokens": 5},
            "max_tokens",
            "invalid_parameter_combination",
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
        ),
        (
            {"top_logprobs": 2},
            "top_logprobs",
            None,
            "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.",
        ),
        (
            {"top_logprobs": 0, "logprobs": False},
            "top_logprobs",
            None,
            "The 'top_logprobs' parameter is only allowed when 'logprobs' is enabled.",
        ),
        (
            {"stop": ["a", "b", "c", "d", "e"]},
            "stop",
            "array_above_max_length",
            (
                "Invalid 'stop': array too long. Expected an array with maximum length 4, "
                "but got an array with length 5 instead."
            ),
        ),
        (
            {"stop": ["a", 2]},
            "stop[1]",
            "invalid_type",
            "Invalid type for 'stop[1]': expected a string, but got an integer instead.",
        ),
        (
            {"modalities": ["text", None]},
            "modalities[1]",
            "invalid_type",
            "Invalid type for 'modalities[1]': expected a string, but got null instead.",
        ),
        (
            {"logit_bias": {"50256": "never"}},
            "logit_bias.50256",
            "invalid_type",
            "Invalid type for 'logit_bias.50256': expected a decimal, but got a string instead.",
        ),
        (
            {"logit_bias": {"1": 0, "2": -101}},
            "logit_bias.2",
            "decimal_below_min_value",
            (
                "Invalid 'logit_bias.2': decimal below minimum value. Expected a value >= -100, "
                "but got -101 instead."
            ),
        ),
        (
            {"metadata": {f"k{i}": "v" for i in range(17)}},
            "metadata",
            "object_above_max_properties",
            (
                "Invalid 'metadata': too many properties. Expected an object with at most 16 properties, "
                "but got an object with 17 properties instead."
            ),
        ),
        (
            {"metadata": {"k": "x" * 600}},
            "metadata.k",
            "string_above_max_length",
            (
                "Invalid 'metadata.k': string too long. Expected a string with maximum length 512, "
                "but got a string with length 600 instead."
            ),
        ),
        (
            {"metadata": {"k" * 70: "v"}},
            "metadata." + "k" * 70,
            "property_name_above_max_length",
            (
                "Invalid property name in 'metadata': 'kkk...kkk' is too long. "
                "Expected a string with maximum length 64, but got a string with length 70 instead."
            ),
        ),
        (
            {"metadata": {"k": 7}},
            "metadata.k",
            "invalid_type",
            "Invalid type for 'metadata.k': expected a string, but got an integer instead.",
        ),
    ],
)
def test_chat_refusals(fields: dict[str, Any], param: str, code: str | None, message: str) -> None:
    assert refusal("chat", fields) == (param, code, message)


@pytest.mark.parametrize(
    ("fields", "param", "code", "message"),
    [
        ({"tools": []}, "tools", "empty_array", "Invalid 'tools': empty array."),
        ({"tools": ["f"]}, "tools[0]", "invalid_type", "Invalid type for 'tools[0]': expected an object"),
        ({"tools": [{}]}, "tools[0].type", "missing_required_parameter", "Missing required parameter"),
        ({"tools": [{"type": 1}]}, "tools[0].type", "invalid_type", "Invalid type for 'tools[0].type'"),
        (
            {"tools": [FUNCTION, {"type": "function"}]},
            "tools[1].function",
            "missing_required_parameter",
            "Missing required parameter: 'tools[1].function'.",
        ),
        (
            {"tools": [{"type": "function", "function": {"parameters": {}}}]},
            "tools[0].function.name",
            "missing_required_parameter",
            "Missing required parameter: 'tools[0].function.name'.",
        ),
        (
            {"tools": [{"type": "function", "function": {"name": ""}}]},
            "tools[0].function.name",
            "empty_string",
            "Invalid 'tools[0].function.name': empty string.",
        ),
        (
            {"tools": [{"type": "function", "function": {"name": 1}}]},
            "tools[0].function.name",
            "invalid_type",
            "Invalid type for 'tools[0].function.name': expected a string, but got an integer instead.",
        ),
        (
            {"tools": [{"type": "custom", "custom": "c"}]},
            "tools[0].custom",
            "invalid_type",
            "Invalid type for 'tools[0].custom': expected an object, but got a string instead.",
        ),
        (
            {"tool_choice": "auto"},
            "tool_choice",
            None,
            "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.",
        ),
        (
            {"tools": [FUNCTION], "tool_choice": "bogus"},
            "tool_choice",
            "invalid_value",
            "Invalid value: 'bogus'. Supported values are: 'none', 'auto', and 'required'.",
        ),
        (
            {"tools": [FUNCTION], "tool_choice": {"type": "function", "function": {"name": "g"}}},
            "tool_choice",
            None,
            "Tool choice 'g' not found in 'tools' parameter.",
        ),
        (
            {"tools": [FUNCTION, CUSTOM], "tool_choice": {"type": "custom", "custom": {"name": "f"}}},
            "tool_choice",
            None,
            "Tool choice 'f' not found in 'tools' parameter.",
        ),
        (
            {"tools": [FUNCTION], "tool_choice": {"type": "function", "function": {}}},
            "tool_choice.function.name",
            "missing_required_parameter",
            "Missing required parameter: 'tool_choice.function.name'.",
        ),
        ({"functions": []}, "functions", "empty_array", "Invalid 'functions': empty array."),
        (
            {"functions": [{"name": f"f{i}"} for i in range(129)]},
            "functions",
            "array_above_max_length",
            "Invalid 'functions': array too long.",
        ),
        (
            {"functions": [{"parameters": {}}]},
            "functions[0].name",
            "missing_required_parameter",
            "Missing required parameter: 'functions[0].name'.",
        ),
        (
            {"function_call": "auto"},
            "function_call",
            None,
            "Invalid value for 'function_call': 'function_call' is only allowed when 'functions'",
        ),
        (
            {"functions": [{"name": "f"}], "function_call": {}},
            "function_call.name",
            "missing_required_parameter",
            "Missing required parameter: 'function_call.name'.",
        ),
        (
            {"functions": [{"name": "f"}], "function_call": {"name": "g"}},
            "function_call",
            None,
            "Invalid value for 'function_call': no function named 'g' was specified",
        ),
    ],
)
def test_tools_and_the_choice_among_them(
    fields: dict[str, Any], param: str, code: str | None, message: str
) -> None:
    found = refusal("chat", fields)
    assert found[:2] == (param, code)
    assert found[2].startswith(message)


@pytest.mark.parametrize(
    ("fields", "param", "code", "message"),
    [
        ({"prompt": ...}, "prompt", "missing_required_parameter", "Missing required parameter: 'prompt'."),
        ({"prompt": []}, "prompt", "empty_array", "Invalid 'prompt': empty array."),
        (
            {"prompt": {"text": "hi"}},
            "prompt",
            "invalid_type",
            (
                "Invalid type for 'prompt': expected one of a string, array of strings, array of integers, "
                "or array of integer arrays, but got an object instead."
            ),
        ),
        ({"prompt": 5}, "prompt", "invalid_type", "Invalid type for 'prompt'"),
        ({"prompt": [{}]}, "prompt[0]", "invalid_type", "Invalid type for 'prompt[0]'"),
        ({"prompt": [True]}, "prompt[0]", "invalid_type", "Invalid type for 'prompt[0]'"),
        ({"best_of": 2, "n": 3}, "best_of", "invalid_value", "Invalid value for 'best_of'"),
        ({"best_of": 1, "n": 2}, "best_of", "invalid_value", "Invalid value for 'best_of'"),
        ({"stream_options": {}}, "stream_options", None, "The 'stream_options' parameter is only allowed"),
        ({"echo": "yes"}, "echo", "invalid_type", "Invalid type for 'echo': expected a boolean"),
        ({"suffix": 1}, "suffix", "invalid_type", "Invalid type for 'suffix': expected a string"),
    ],
)
def test_completions_refusals(fields: dict[str, Any], param: str, code: str | None, message: str) -> None:
    found = refusal("completions", fields)
    assert found[:2] == (param, code)
    assert found[2].startswith(message)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"messages": [{"role": "anything", "content": 5}]},
        {"temperature": 0, "top_p": 1.0, "n": 128, "seed": -3, "stop": "x"},
        {"stop": ["a", "b", "c", "d"], "logit_bias": {"5": -100, "6": 100.0}},
        {"stop": None, "n": None, "temperature": None, "logit_bias": None, "metadata": None},
        {"stream": True, "stream_options": {"include_usage": True, "chunk_include_usage": 1}},
        {"stream": None, "stream_options": None},
        {"max_tokens": None, "max_completion_tokens": 5},
        {"max_tokens": 5, "max_completion_tokens": None},
        {"logprobs": True, "top_logprobs": 20},
        {"top_logprobs": None},
        {"tools": [FUNCTION, CUSTOM], "tool_choice": {"type": "custom", "custom": {"name": "c"}}},
        {"tools": [FUNCTION], "tool_choice": {"type": "function", "function": {"name": "f"}}},
        {"tools": [FUNCTION], "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto"}}},
        {"tools": [FUNCTION], "tool_choice": "required", "parallel_tool_calls": False},
        {"tools": [{"type": "builtin_function", "function": {"name": "$web_search"}}]},
        {"tools": [{"type": "web_search_preview"}, FUNCTION], "tool_choice": "any"},
        {"functions": [{"name": "f"}], "function_call": {"name": "f"}},
        {"functions": [{"name": "f"}], "function_call": "none"},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}}},
        {"response_format": {"type": "grammar", "grammar": "root ::= x"}},
        {"reasoning_effort": "default", "service_tier": "on_demand", "modalities": ["image", "text"]},
        {"metadata": {"k" * 64: "v" * 512}},
        {"top_k": 40, "provider": {"order": ["x"]}, "unheard_of": None},
    ],
)
def test_what_openai_or_a_vendor_accepts_passes(fields: dict[str, Any]) -> None:
    check("chat", fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"prompt": None},
        {"prompt": ["a", "b"], "n": 2, "best_of": 2},
        {"prompt": [1, 2, 3], "max_tokens": 0, "echo": True},
        {"prompt": [[1, 2], [3]], "logprobs": 5, "suffix": None},
        {"best_of": None, "n": None, "stream": True, "stream_options": {"include_usage": False}},
    ],
)
def test_what_completions_accept_passes(fields: dict[str, Any]) -> None:
    check("completions", fields)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b'{"model":"m","messages":[1],"n":' + b"9" * 5000 + b"}", "n"),
        (b'{"model":"m","messages":[1],"temperature":1e400}', "temperature"),
        (b'{"model":"m","messages":[1],"metadata":{"a":' + b"9" * 5000 + b"}}", "metadata"),
    ],
)
def test_numbers_out_of_every_range_are_refused(body: bytes, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        GRAMMARS["chat"].check(document.parse(body))
    assert caught.value.param == param


def test_spaces_do_not_hide_an_empty_array() -> None:
    with pytest.raises(InvalidRequest, match="empty array"):
        GRAMMARS["chat"].check(document.parse(b'{"model":"m","messages":[ \n\t ]}'))
    GRAMMARS["chat"].check(document.parse(b'{"model":"m","messages":[ \n {"role":"user"}]}'))


def test_a_long_value_is_not_repeated_whole() -> None:
    assert len(refusal("chat", {"verbosity": "x" * 10_000})[2]) < 200
