"""Reads what a provider says an answer took, wherever and however it says it (WIRE §13).

A figure that cannot be true is none at all: the caller then counts for itself.
"""

from __future__ import annotations

from typing import Any

import msgspec

from writingmate.types import Usage

#: Tokens. No context is within a factor of a hundred of this.
_ABSURD = 1_000_000_000

#: Where the cached part of the prompt is reported; the first that is there counts. All of them are
#: part of ``prompt_tokens``.
_CACHED = (
    ("prompt_tokens_details", "cached_tokens"),  # OpenAI, OpenRouter, Groq, xAI, Mistral, vLLM, llama.cpp
    ("prompt_token_details", "cached_tokens"),  # Mistral, by another spelling
    ("prompt_cache_hit_tokens",),  # DeepSeek
    ("num_cached_tokens",),  # Mistral
    ("cached_tokens",),  # Moonshot, Together
)
_WRITTEN = ("prompt_tokens_details", "cache_write_tokens")
_REASONING = (("completion_tokens_details", "reasoning_tokens"), ("reasoning_tokens",))


def read(raw: msgspec.Raw) -> Usage | None:
    """The usage object's meaning, or None if it has none."""
    try:
        reported = msgspec.json.decode(raw)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    return normalised(reported)


def of_response(raw: msgspec.Raw) -> Usage | None:
    """The meaning of a response's usage, which is the same by other names; or None if it has none."""
    try:
        reported = msgspec.json.decode(raw)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    if not isinstance(reported, dict):
        return None
    names = {"input_tokens": "prompt_tokens", "output_tokens": "completion_tokens"}
    names |= {f"{one}_details": f"{other}_details" for one, other in names.items()}
    return normalised({names.get(name, name): value for name, value in reported.items()})


def normalised(reported: object) -> Usage | None:
    """The same of what is already decoded."""
    if not isinstance(reported, dict):
        return None
    prompt, completion = _tokens(reported, ("prompt_tokens",)), _tokens(reported, ("completion_tokens",))
    if prompt is None or completion is None or prompt + completion == 0:
        return None
    cached = _first(reported, _CACHED)
    written = _tokens(reported, _WRITTEN) or 0
    reasoning = _first(reported, _REASONING)
    total = _tokens(reported, ("total_tokens",))
    completion = _with_reasoning(prompt, completion, reasoning, cached, total)
    return Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        cached_tokens=cached if cached <= prompt else 0,
        reasoning_tokens=min(reasoning, completion),
        written_tokens=written if cached + written <= prompt else 0,
    )


def _with_reasoning(prompt: int, completion: int, reasoning: int, cached: int, total: int | None) -> int:
    """Completion tokens with the reasoning that some vendors count beside them.

    xAI leaves ``reasoning_tokens`` out of ``completion_tokens`` and adds it to ``total_tokens``.
    Google's OpenAI endpoint does the same without saying how much reasoning there was; what the
    total holds beyond its two parts is that, unless it could be cached input.
    """
    if total is None:
        return completion + reasoning if reasoning > completion else completion
    beyond = total - prompt - completion
    if beyond > 0 and (beyond == reasoning or reasoning == cached == 0):
        return completion + beyond
    return completion


def _first(reported: dict[str, Any], places: tuple[tuple[str, ...], ...]) -> int:
    return next((tokens for place in places if (tokens := _tokens(reported, place)) is not None), 0)


def _tokens(reported: dict[str, Any], place: tuple[str, ...]) -> int | None:
    value: Any = reported
    for name in place:
        value = value.get(name) if isinstance(value, dict) else None
    return value if type(value) is int and 0 <= value <= _ABSURD else None
