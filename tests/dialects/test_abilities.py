"""What a model does not do is refused by name, and only that."""

from __future__ import annotations

import json
from typing import Any

import pytest

from writingmate.dialects.abilities import lacking, refuse, words
from writingmate.dialects.exchange import readable
from writingmate.errors import UnsupportedParameter
from writingmate.wire import document

TOOL = {"type": "function", "function": {"name": "f"}}
ALL = (
    "logit_bias", "logprobs", "reasoning", "response_format", "seed", "stop", "tool_choice", "tools",
    "top_logprobs",
)  # fmt: skip
ASKED: dict[str, Any] = {
    "functions": [{"name": "f"}],
    "logit_bias": {"5": -100},
    "logprobs": True,
    "reasoning_effort": "low",
    "response_format": {"type": "json_object"},
    "seed": 0,
    "stop": "END",
    "tool_choice": "required",
    "tools": [TOOL],
    "top_logprobs": 2,
}


def check(parameters: tuple[str, ...] | None, **fields: Any) -> None:
    body = {"model": "x/m", "messages": [{"role": "user", "content": "Hi"}], **fields}
    refuse(lacking(parameters), document.parse(json.dumps(body).encode()))


@pytest.mark.parametrize("name", ASKED)
def test_what_is_not_listed_is_refused_by_name(name: str) -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        check(("temperature",), **{name: ASKED[name]})
    assert (caught.value.param, caught.value.code, caught.value.status) == (
        name,
        "unsupported_parameter",
        400,
    )
    assert f"'{name}'" in caught.value.message


@pytest.mark.parametrize("name", ASKED)
def test_what_is_listed_passes(name: str) -> None:
    check(ALL, **{name: ASKED[name]})
    check(None, **{name: ASKED[name]})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, None) for name in ASKED),
        ("functions", []),
        ("logit_bias", {}),
        ("logprobs", False),
        ("reasoning_effort", "none"),
        ("response_format", {"type": "text"}),
        ("stop", []),
        ("tool_choice", "auto"),
        ("tool_choice", "none"),
        ("tools", []),
        ("top_logprobs", 0),
    ],
)
def test_what_asks_for_nothing_passes(name: str, value: object) -> None:
    check(("temperature",), **{name: value})


@pytest.mark.parametrize(
    "name", ["temperature", "top_p", "max_tokens", "presence_penalty", "provider", "user"]
)
def test_how_it_samples_is_left_to_the_provider(name: str) -> None:
    check(("tools",), **{name: 1})


def test_either_word_for_the_same_will_do() -> None:
    check(("structured_outputs",), response_format={"type": "json_schema", "json_schema": {"name": "x"}})
    check(("reasoning_effort",), reasoning_effort="high")
    check(("logprobs",), logprobs=True, top_logprobs=1)


def test_people_are_told_what_is_refused() -> None:
    (sentence,) = words(lacking(("tools", "tool_choice", "reasoning", "stop", "response_format", "logprobs")))
    assert sentence.endswith("ignores `logit_bias`, `seed`: refused")
    assert words(lacking(None)) == []


def test_responses_are_told_their_own_names() -> None:
    body = document.parse(b'{"model": "x/m", "response_format": {"type": "json_object"}}')
    with pytest.raises(UnsupportedParameter) as caught:
        refuse(lacking(("tools",)), body, "responses")
    assert caught.value.param == "text.format"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "thinking"),
        ({"output_config": {"format": {"type": "json_schema", "schema": {}}}}, "output_config.format"),
        ({"output_format": {"type": "json_schema", "schema": {}}}, "output_config.format"),
        ({"stop_sequences": ["a"]}, "stop_sequences"),
        ({"tools": [{"name": "f"}]}, "tools"),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}, None),
        ({"tools": [], "stop_sequences": [], "tool_choice": {"type": "auto"}}, None),
    ],
)
def test_a_message_is_refused_by_its_own_name_of_the_field(fields: dict[str, Any], told: str | None) -> None:
    asked = {"model": "a/b", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}], **fields}
    request = readable("messages", document.parse(json.dumps(asked).encode()))
    if told is None:
        refuse(lacking(()), request, "messages")
        return
    with pytest.raises(UnsupportedParameter) as caught:
        refuse(lacking(()), request, "messages")
    assert caught.value.param == told
