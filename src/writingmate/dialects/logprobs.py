"""Log probabilities: chat's list of tokens, as the four parallel lists of completions (WIRE §6)."""

from __future__ import annotations

from typing import Any


def legacy(said: object, alternatives: int | None, offset: int = 0) -> dict[str, Any] | None:
    """A choice's ``logprobs``, None if they were not asked for or not given.

    Args:
        said: the chat choice's ``logprobs``.
        alternatives: how many were asked for; none at all if None.
        offset: characters of the choice's text that came before.
    """
    tokens = _tokens(said)
    if alternatives is None or not tokens:
        return None
    return {
        "tokens": [token["token"] for token in tokens],
        "token_logprobs": [token["logprob"] for token in tokens],
        "top_logprobs": [_likeliest(token) for token in tokens] if alternatives else None,
        "text_offset": _offsets(tokens, offset),
    }


def length(logprobs: dict[str, Any] | None) -> int:
    """Characters of the tokens in a legacy object."""
    return sum(map(len, logprobs["tokens"])) if logprobs else 0


def _tokens(said: object) -> list[dict[str, Any]]:
    content = said.get("content") if isinstance(said, dict) else None
    if not isinstance(content, list):
        return []
    return [token for token in content if _is_token(token)]


def _is_token(token: object) -> bool:
    if not isinstance(token, dict) or not isinstance(token.get("token"), str):
        return False
    return type(token.get("logprob")) in (int, float)


def _likeliest(token: dict[str, Any]) -> dict[str, float]:
    """The alternatives and the token itself, which need not be one of them."""
    found = token.get("top_logprobs")
    others = found if isinstance(found, list) else []
    likeliest = {other["token"]: other["logprob"] for other in others if _is_token(other)}
    return likeliest | {token["token"]: token["logprob"]}


def _offsets(tokens: list[dict[str, Any]], offset: int) -> list[int]:
    offsets = []
    for token in tokens:
        offsets.append(offset)
        offset += len(token["token"])
    return offsets
