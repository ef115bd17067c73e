"""A message of Anthropic's as a chat completion, and its usage and stop reasons (WIRE §10.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from writingmate.dialects import choices, messages_thinking
from writingmate.dialects.chat_completion import ChatAnswer, usage_object
from writingmate.errors import UpstreamBroken
from writingmate.types import Usage

_FINISHES = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_LONGEST_DETAIL = 300


def reply(body: bytes, answer: ChatAnswer) -> bytes:
    """A chat completion. Raises UpstreamBroken if the body is no message."""
    said = choices.members(body)
    content = said.get("content")
    if not isinstance(content, list):
        raise UpstreamBroken(f"the answer is no message: {body[:_LONGEST_DETAIL].decode('utf-8', 'replace')}")
    message = _message([block for block in content if isinstance(block, dict)])
    return answer.whole(message, finish_reason(said.get("stop_reason")), usage(said.get("usage")))


def finish_reason(stop_reason: object) -> str:
    """Why it stopped, in OpenAI's words; ``stop`` for a reason that is new."""
    return _FINISHES.get(str(stop_reason), "stop")


def usage(reported: object) -> dict[str, Any] | None:
    """Anthropic's usage as OpenAI's; None if it does not say both sides.

    Anthropic's ``input_tokens`` are those that were neither read from its cache nor written to it.
    """
    if not isinstance(reported, dict):
        return None
    fresh, completion = reported.get("input_tokens"), reported.get("output_tokens")
    if type(fresh) is not int or type(completion) is not int:
        return None
    read = _tokens(reported, "cache_read_input_tokens")
    written = _tokens(reported, "cache_creation_input_tokens")
    details = reported.get("output_tokens_details")
    thought = _tokens(details, "thinking_tokens") if isinstance(details, dict) else 0
    return usage_object(Usage(fresh + read + written, completion, read, thought, written))


def _tokens(reported: dict[str, Any], name: str) -> int:
    value = reported.get(name)
    return value if type(value) is int and value > 0 else 0


def _message(blocks: list[dict[str, Any]]) -> dict[str, Any]:
    text = "".join(_texts(blocks, "text"))
    calls = [call(block) for block in blocks if block.get("type") == "tool_use"]
    details = list(_details(blocks))
    message: dict[str, Any] = {
        "role": "assistant",
        "content": text or (None if calls else ""),
        "refusal": None,
    }
    if details:
        message["reasoning_content"] = "".join(_texts(blocks, "thinking"))
        message["reasoning_details"] = details
    if calls:
        message["tool_calls"] = calls
    return message


def _texts(blocks: list[dict[str, Any]], form: str) -> Iterator[str]:
    for block in blocks:
        if block.get("type") == form and isinstance(block.get(form), str):
            yield block[form]


def _details(blocks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    thought = [block for block in blocks if block.get("type") in ("thinking", "redacted_thinking")]
    for at, block in enumerate(thought):
        members = {
            "text": block.get("thinking"),
            "signature": block.get("signature"),
            "data": block.get("data"),
        }
        yield messages_thinking.detail(
            at, **{name: said for name, said in members.items() if isinstance(said, str)}
        )


def call(block: dict[str, Any]) -> dict[str, Any]:
    """A ``tool_use`` block as a call with its arguments as JSON."""
    arguments = block.get("input")
    written = msgspec.json.encode(arguments if isinstance(arguments, dict) else {}).decode()
    function = {"name": str(block.get("name", "")), "arguments": written}
    return {"id": str(block.get("id", "")), "type": "function", "function": function}
