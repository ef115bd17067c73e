"""Requests with every member, of which each in its turn has a shape that it cannot have."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from writingmate.dialects.exchange import GRAMMARS, Exchange, readable
from writingmate.errors import InvalidRequest
from writingmate.types import DialectName
from writingmate.wire import document

Json = dict[str, Any]

PDF = "data:application/pdf;base64,QQ=="
SHAPES: tuple[Any, ...] = ([], {}, [[]], 7, None)
OBJECT = {"type": "object"}
SCHEMA = {"type": "json_schema", "name": "x", "description": "d", "schema": OBJECT}
RICH: dict[DialectName, Json] = {
    "chat": {
        "messages": [
            {"role": "system", "content": "x"},
            {
                "role": "user",
                "name": "n",
                "content": [
                    {"type": "text", "text": "x"},
                    {"type": "image_url", "image_url": {"url": "https://x/y", "detail": "low"}},
                    {"type": "file", "file": {"file_data": PDF, "filename": "f"}},
                ],
            },
            {
                "role": "assistant",
                "content": "x",
                "tool_calls": [
                    {
                        "id": "i",
                        "type": "function",
                        "function": {"name": "n", "arguments": "{}"},
                        "extra_content": {"google": {"thought_signature": "s"}},
                    }
                ],
                "reasoning_details": [{"type": "reasoning.text", "text": "t", "signature": "s"}],
            },
            {"role": "tool", "tool_call_id": "i", "content": [{"type": "text", "text": "y"}]},
        ],
        "tools": [{"type": "function", "function": {"name": "n", "description": "d", "parameters": OBJECT}}],
        "tool_choice": {"type": "function", "function": {"name": "n"}},
        "response_format": {"type": "json_schema", "json_schema": SCHEMA},
        "stop": ["x"],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    },
    "completions": {"prompt": ["x", "y"], "stop": ["x"], "logit_bias": {"1": 2}, "echo": True},
    "responses": {
        "input": [
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "x"},
                    {"type": "input_image", "image_url": "https://x/y"},
                    {"type": "input_file", "file_data": PDF, "filename": "f"},
                ],
            },
            {"type": "function_call", "call_id": "c", "name": "n", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "z"}]},
        ],
        "tools": [{"type": "function", "name": "n", "parameters": OBJECT, "strict": True}],
        "tool_choice": {
            "type": "allowed_tools",
            "mode": "auto",
            "tools": [{"type": "function", "name": "n"}],
        },
        "text": {"format": SCHEMA, "verbosity": "low"},
        "reasoning": {"effort": "low", "summary": "auto"},
    },
    "messages": {
        "max_tokens": 9000,
        "system": [{"type": "text", "text": "s"}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}},
                    {"type": "image", "source": {"type": "url", "url": "https://x/y.png"}},
                    {
                        "type": "document",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": "QQ=="},
                    },
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "t", "signature": "s"},
                    {"type": "tool_use", "id": "i", "name": "n", "input": {"a": 1}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "i", "content": [{"type": "text", "text": "y"}]}
                ],
            },
        ],
        "tools": [{"name": "n", "type": "custom", "description": "d", "input_schema": OBJECT}],
        "tool_choice": {"type": "tool", "name": "n", "disable_parallel_tool_use": True},
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": OBJECT}},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    },
}
SPOKEN: tuple[tuple[DialectName, ...], ...] = (("chat",), ("messages",), ("gemini",), ("chat", "responses"))


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in list(keys):
        yield value, key
        yield from places(value[key])


def misshapen(whole: Json) -> Iterator[Json]:
    """With what could be refused first left out in its turn, so that the rest is come to."""
    for left_out in (None, *whole):
        request = {name: value for name, value in whole.items() if name != left_out}
        for at, shape in itertools.product(range(len(list(places(request)))), SHAPES):
            changed = copy.deepcopy(request)
            holder, key = list(places(changed))[at]
            if left_out is None or key in {"type", "role", "content"}:
                holder[key] = shape
                yield changed


@pytest.mark.parametrize("spoken", SPOKEN, ids="+".join)
@pytest.mark.parametrize("dialect", RICH)
def test_it_is_refused_or_understood(dialect: DialectName, spoken: tuple[DialectName, ...]) -> None:
    understood = 0
    for changed in misshapen(RICH[dialect]):
        try:
            request = document.parse(msgspec.json.encode({"model": "a/b", **changed}))
            GRAMMARS[dialect].check(request)
            readable(dialect, request)
            exchange = Exchange.begin(
                dialect, request, spoken, model="claude-haiku-4-5", slug="a/b", request_id="r"
            )
        except InvalidRequest:
            continue
        exchange.prompt_text()
        understood += 1
    assert understood


@pytest.mark.parametrize("kind", [[], {}, ["input_image"]])
def test_what_nobody_can_be_asked_is_still_measured(kind: Any) -> None:
    """A request that chat cannot express is read by its bytes, whatever its parts are called."""
    beyond = {"type": "web_search_call", "content": [{"type": kind}]}
    asked = document.parse(msgspec.json.encode({"model": "a/b", "input": [beyond]}))
    assert b"web_search_call" in document.encode(readable("responses", asked))
    block = {"type": "web_search_tool_result", "content": [{"type": kind}]}
    turns = [{"role": "user", "content": [block]}]
    asked = document.parse(msgspec.json.encode({"model": "a/b", "max_tokens": 9, "messages": turns}))
    assert b"web_search_tool_result" in document.encode(readable("messages", asked))
