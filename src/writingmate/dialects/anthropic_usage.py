"""What Anthropic says an answer took, as OpenAI counts it (WIRE §10.1)."""

from __future__ import annotations

from typing import Any

from writingmate.types import Usage

#: Tokens. No context is within a factor of a hundred of this.
_ABSURD = 1_000_000_000
_PROMPT = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")


def read(reported: dict[str, Any]) -> Usage | None:
    """The meaning of a message's usage; None if it does not say both sides.

    ``input_tokens`` leave out what was read from the cache or written to it. What a server-side
    compaction or an advisor took stands among the ``iterations`` only, beside the message's own.
    """
    if _tokens(reported, "input_tokens") is None or _tokens(reported, "output_tokens") is None:
        return None
    further = reported.get("iterations")
    entries = [each for each in further if isinstance(each, dict)] if isinstance(further, list) else []
    counted = [reported, *(each for each in entries if each.get("type") in ("compaction", "advisor_message"))]
    usage = sum(map(_one, counted), Usage())
    return usage if usage.prompt_tokens + usage.completion_tokens else None


def _one(reported: dict[str, Any]) -> Usage:
    completion = _tokens(reported, "output_tokens") or 0
    details = reported.get("output_tokens_details")
    thought = _tokens(details, "thinking_tokens") or 0 if isinstance(details, dict) else 0
    return Usage(
        prompt_tokens=sum(_tokens(reported, name) or 0 for name in _PROMPT),
        completion_tokens=completion,
        cached_tokens=_tokens(reported, "cache_read_input_tokens") or 0,
        reasoning_tokens=min(thought, completion),
        written_tokens=_tokens(reported, "cache_creation_input_tokens") or 0,
    )


def shown(usage: Usage | None) -> dict[str, Any]:
    """Usage as a message reports it; zeros where the provider reported none, for clients need numbers."""
    usage = usage or Usage()
    return {
        "input_tokens": usage.prompt_tokens - usage.cached_tokens - usage.written_tokens,
        "cache_creation_input_tokens": usage.written_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"thinking_tokens": usage.reasoning_tokens},
    }


def _tokens(reported: dict[str, Any], name: str) -> int | None:
    value = reported.get(name)
    return value if type(value) is int and 0 <= value <= _ABSURD else None
