"""Anthropic's own types as judges of what is sent to it, and the rules that its types do not tell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from anthropic.types.beta import message_create_params as beta_params
from anthropic.types.message_create_params import (
    MessageCreateParamsBase,
    MessageCreateParamsNonStreaming,
    MessageCreateParamsStreaming,
)
from pydantic import ConfigDict, TypeAdapter, ValidationError

from tests.fakes import judging

_STRICTLY = ConfigDict(extra="forbid")
_WHOLE: TypeAdapter[Any] = TypeAdapter(list[MessageCreateParamsNonStreaming], config=_STRICTLY)
_STREAMED: TypeAdapter[Any] = TypeAdapter(list[MessageCreateParamsStreaming], config=_STRICTLY)


#: What only its betas have at the top level, and what they have more values of than any types tell.
_BETAS = frozenset(beta_params.MessageCreateParamsBase.__annotations__) - frozenset(
    MessageCreateParamsBase.__annotations__
) | {"thinking"}

#: Of version 2023-06-01; the next one, which its client speaks, has none of them.
_SAMPLING = ("temperature", "top_p", "top_k")


def fault(request: dict[str, Any], *, beta: bool = False) -> str | None:
    """What Anthropic would refuse a request for, None if it would not; with ``beta`` it knows more."""
    unknown = _BETAS if beta else ()
    typed = {name: value for name, value in request.items() if name not in (*_SAMPLING, *unknown)}
    try:
        judging.read((_STREAMED if request.get("stream") else _WHOLE).validate_python([typed]))
    except ValidationError as error:
        return str(error)
    return next(_broken(request), None)


def _broken(request: dict[str, Any]) -> Iterator[str]:
    turns = [{**turn, "content": blocks(turn["content"])} for turn in request["messages"]]
    yield from _sampling(request)
    if request["max_tokens"] < 0:
        yield "max_tokens: must be at least 0"
    if not turns or turns[0]["role"] != "user":
        yield 'messages: first message must use the "user" role'
    for turn in turns:
        for block in turn["content"]:
            if block["type"] == "text" and not block["text"].strip():
                yield "messages: text content blocks must contain non-whitespace text"
    for before, after in zip(turns, [*turns[1:], {"content": []}], strict=True):
        if before["role"] == after.get("role"):
            yield "messages: roles must alternate"
        yield from _unanswered(before, after)
    thinking = request.get("thinking", {})
    if thinking.get("type") == "enabled" and not 1024 <= thinking["budget_tokens"] < request["max_tokens"]:
        yield "thinking.budget_tokens: must be at least 1024 and less than max_tokens"
    if thinking.get("type") in {"enabled", "adaptive"} and request.get("tool_choice", {}).get("type") in {
        "any",
        "tool",
    }:
        yield "Thinking may not be enabled when tool_choice forces tool use."


def blocks(content: Any) -> list[dict[str, Any]]:
    """A string is one block of text."""
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _unanswered(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    called = {block["id"] for block in before["content"] if block["type"] == "tool_use"}
    kinds = [block["type"] for block in after["content"]]
    answered = {block["tool_use_id"] for block in after["content"] if block["type"] == "tool_result"}
    if called != answered:
        yield "messages: `tool_use` ids were found without `tool_result` blocks immediately after"
    if kinds != sorted(kinds, key=lambda kind: kind != "tool_result"):
        yield "messages: tool_result blocks must come first"


def _sampling(request: dict[str, Any]) -> Iterator[str]:
    wanted = [name for name in ("temperature", "top_p") if name in request]
    if len(wanted) > 1:
        yield "`temperature` and `top_p` cannot both be specified for this model."
    for name in wanted:
        if not 0 <= request[name] <= 1:
            yield f"{name}: must be between 0 and 1"
        if request.get("thinking", {}).get("type") in {"enabled", "adaptive"}:
            yield f"`{name}` may not be set when thinking is enabled."
