"""What a request may cost at most, without reading it."""

from __future__ import annotations

from typing import NamedTuple


class Bounds(NamedTuple):
    """Tokens that a well-behaved provider cannot exceed."""

    prompt_tokens: int
    completion_tokens: int


def bound(body_bytes: int, max_tokens: int, choices: int = 1) -> Bounds:
    """Bounds for a body of ``body_bytes`` asking for ``choices`` answers of ``max_tokens`` each.

    A token is at least one byte of text, and the JSON around a message is longer than the few tokens
    that a chat template puts around it. ``max_tokens`` is the request's own, else the model's cap.
    """
    return Bounds(max(0, body_bytes), max(0, max_tokens) * max(1, choices))
