from __future__ import annotations

from typing import Any

import msgspec
import pytest

from writingmate.dialects import demand, prompt
from writingmate.wire import document
from writingmate.wire.document import Document


def request(fields: dict[str, Any]) -> Document:
    return document.parse(msgspec.json.encode(fields))


@pytest.mark.parametrize(
    ("fields", "tokens"),
    [
        ({}, None),
        ({"max_tokens": None}, None),
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 7}, 7),
        ({"max_completion_tokens": None, "max_tokens": 5}, 5),
        ({"max_tokens": 10**18}, 10**9),
    ],
)
def test_the_tokens_a_choice_may_take(fields: dict[str, Any], tokens: int | None) -> None:
    assert demand.tokens(request(fields)) == tokens


@pytest.mark.parametrize(
    ("fields", "choices"),
    [
        ({"messages": [{}]}, 1),
        ({"messages": [{}], "n": 4}, 4),
        ({"prompt": "a", "n": None}, 1),
        ({"prompt": ["a", "b"], "n": 3}, 6),
        ({"prompt": ["a", "b"], "n": 2, "best_of": 5}, 10),
        ({"prompt": [1, 2, 3]}, 1),
        ({"prompt": [[1, 2], [3]]}, 2),
        ({"prompt": None, "best_of": None}, 1),
        ({"prompt": [], "n": 2}, 2),
        ({"prompt": ["a"] * 3, "n": 1, "best_of": 4}, 12),
    ],
)
def test_the_choices_that_are_generated(fields: dict[str, Any], choices: int) -> None:
    assert demand.choices(request(fields)) == choices


@pytest.mark.parametrize(
    ("fields", "output"),
    [
        ({}, 1_000),
        ({"n": 3}, 3_000),
        ({"max_tokens": 10}, 10),
        ({"max_tokens": 0}, 0),
        ({"max_completion_tokens": 10, "n": 4}, 40),
        ({"max_tokens": 5_000}, 5_000),
        ({"prompt": ["a", "b"], "n": 2, "best_of": 5, "max_tokens": 7}, 70),
        ({"prompt": [1, 2], "n": 2, "max_tokens": 7}, 14),
        ({"prompt": [[1, 2], [3]], "max_tokens": 7}, 14),
        ({"max_tokens": 10, "prediction": {"type": "content", "content": "x"}}, 10 + 32),
        ({"max_tokens": 10, "prediction": None}, 10),
    ],
)
def test_the_tokens_that_all_choices_may_take(fields: dict[str, Any], output: int) -> None:
    assert demand.output(request(fields), 1_000) == output


def test_a_cap_below_nothing_is_nothing() -> None:
    assert demand.output(request({"n": 2}), -5) == 0


def test_a_long_prompt_of_token_ids_is_not_taken_apart() -> None:
    long = document.parse(b'{"prompt":[' + b"1," * 2_000_000 + b"1]}")
    assert demand.prompts(long) == 1


TOOLS = [{"type": "function", "function": {"name": "f"}}]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"prompt": "a"}, "a"),
        ({"prompt": ["a", "b"]}, "a\nb"),
        ({"prompt": [11, 22]}, "11\n22"),
        ({"prompt": None}, ""),
        ({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": None}]}, "a"),
        (
            {
                "messages": [
                    {"content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {}}]},
                    {"tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]},
                    {"tool_calls": [{"custom": {"name": "c", "input": "in"}}]},
                    {"role": "tool", "content": "result", "tool_call_id": "call_1"},
                    {"function_call": {"name": "old", "arguments": "1"}, "refusal": "no", "content": ""},
                ]
            },
            "a\nf\n{}\nc\nin\nresult\n\nno\nold\n1",
        ),
        ({"messages": [7, "text", {"content": 5}, {"content": [5, {"text": {}}], "tool_calls": [1]}]}, ""),
        ({"messages": [{"content": "a"}], "tools": TOOLS, "response_format": {"type": "text"}},
         'a\n[{"type":"function","function":{"name":"f"}}]\n{"type":"text"}'),
    ],
)  # fmt: skip
def test_the_text_of_a_prompt(fields: dict[str, Any], text: str) -> None:
    assert prompt.text(request(fields)) == text


def test_a_prompt_that_cannot_be_read_is_taken_whole() -> None:
    unreadable = document.parse(b'{"messages":[{"content":' + b"9" * 5000 + b"}]}")
    assert len(prompt.text(unreadable)) > 5000
