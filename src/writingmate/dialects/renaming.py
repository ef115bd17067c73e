"""A refusal by who was asked in chat's words, in those of the request that the client wrote."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from writingmate.dialects.grammar import given
from writingmate.errors import ApiError
from writingmate.types import DialectName
from writingmate.wire.document import Document

_Error = TypeVar("_Error", bound=ApiError)

_NAMES: Mapping[DialectName, Mapping[str, str]] = {
    "completions": {"messages": "prompt", "top_logprobs": "logprobs"},
    "messages": {"response_format": "output_config.format"},
    "responses": {
        "max_completion_tokens": "max_output_tokens",
        "messages": "input",  # items and messages are not one for one
        "reasoning_effort": "reasoning.effort",
        "response_format": "text.format",
        "verbosity": "text.verbosity",
    },
}


def renamed(error: _Error, dialect: DialectName, chat: Document) -> _Error:
    """The same error, its ``param`` and message naming the field as ``dialect`` does.

    ``chat`` is the document that was sent, or was to be.
    """
    theirs = error.param or ""
    ours = _ours(theirs, dialect, chat)
    if ours != theirs:
        error.param = ours
        error.message = error.message.replace(f"'{theirs}'", f"'{ours}'")
    return error


def _ours(theirs: str, dialect: DialectName, chat: Document) -> str:
    if dialect == "responses" and theirs == "logprobs":
        return "top_logprobs" if given(chat, "top_logprobs") else "include"
    names = _NAMES.get(dialect, {})
    if theirs.startswith("messages"):
        return names.get("messages", theirs)
    top, dot, inner = theirs.partition(".")
    return names.get(top, top) + dot + inner
