"""What OpenAI would refuse, its own types refuse here; what it takes, they take."""

from __future__ import annotations

from typing import Any

import pytest

from tests.fakes.openai_judge import fault
from writingmate.types import DialectName

HELLO: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
PICTURE: dict[str, Any] = {"type": "image_url", "image_url": {"url": "https://x/a.png"}}


def seen(*parts: Any) -> dict[str, Any]:
    return {**HELLO, "messages": [{"role": "user", "content": list(parts)}]}


@pytest.mark.parametrize(
    ("dialect", "request_", "param", "code"),
    [
        ("chat", {**HELLO, "top_k": 4}, "top_k", "unknown_parameter"),
        ("chat", {**HELLO, "n": "2"}, "n", "invalid_value"),
        ("chat", {**HELLO, "reasoning_effort": "much"}, "reasoning_effort", "invalid_value"),
        ("chat", {"model": "m"}, "messages", "missing_required_parameter"),
        ("chat", seen({**PICTURE, "image_url": {"url": "x", "size": 3}}), None, "invalid_value"),
        ("completions", {"model": "m", "prompt": [["a"]]}, None, "invalid_value"),
        ("completions", {"model": "m", "prompt": "a", "tools": []}, "tools", "unknown_parameter"),
        ("responses", {"model": "m", "input": "a", "messages": []}, "messages", "unknown_parameter"),
        ("responses", {"model": "m", "input": "a", "stream": "yes"}, "stream", "invalid_value"),
    ],
)
def test_refused(dialect: DialectName, request_: dict[str, Any], param: str | None, code: str) -> None:
    refusal = fault(dialect, request_)
    assert refusal is not None
    assert (refusal["error"]["param"], refusal["error"]["code"]) == (param, code)


@pytest.mark.parametrize(
    ("dialect", "request_"),
    [
        ("chat", HELLO),
        ("chat", {**HELLO, "stream": True, "stream_options": {"include_usage": True}, "temperature": 1}),
        ("chat", seen(PICTURE)),
        ("chat", {**HELLO, "messages": [{"role": "assistant", "content": "a", "annotations": []}]}),
        ("completions", {"model": "m", "prompt": [[1, 2]], "stream": False}),
        ("responses", {"model": "m", "input": [{"role": "user", "content": "a"}], "stream": True}),
    ],
)
def test_taken(dialect: DialectName, request_: dict[str, Any]) -> None:
    assert fault(dialect, request_) is None
