"""What a client calls a field that a codec has made another one of: a refusal names what the client sent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

from writingmate.dialects.grammar import given
from writingmate.errors import ApiError
from writingmate.types import DialectName
from writingmate.wire.document import Document

_Error = TypeVar("_Error", bound=ApiError)

#: Fields of chat by what they came from, the first of these that the request has.
_SENT: Mapping[DialectName, Mapping[str, tuple[str, ...]]] = {
    "completions": {"messages": ("prompt",), "top_logprobs": ("logprobs",)},
    "responses": {
        "messages": ("input",),
        "max_completion_tokens": ("max_output_tokens",),
        "response_format": ("text.format",),
        "verbosity": ("text.verbosity",),
        "reasoning_effort": ("reasoning.effort",),
        "logprobs": ("top_logprobs", "include"),
    },
    "messages": {
        "max_completion_tokens": ("max_tokens",),
        "stop": ("stop_sequences",),
        "response_format": ("output_format", "output_config.format"),
        "reasoning_effort": ("output_config.effort", "thinking"),
        "parallel_tool_calls": ("tool_choice",),
        "user": ("metadata",),
    },
}
#: Of these only the field is the same: what is in it has other places and names.
_RESHAPED = frozenset(("messages", "response_format", "tools", "tool_choice"))
_FIELD = re.compile(r"[a-z_]+")


def as_sent(dialect: DialectName, request: Document, refused: _Error) -> _Error:
    """The refusal of a field of chat as one of what stands for it in the client's request."""
    found = _FIELD.match(refused.param or "")
    names = _SENT.get(dialect)
    if found is None or names is None:
        return refused
    field, theirs = found[0], str(refused.param)
    known = names.get(field, (field,))
    name = next((each for each in known if given(request, each.partition(".")[0])), known[-1])
    refused.param = name if field in _RESHAPED else name + theirs[found.end() :]
    message = refused.message.replace(f"'{theirs}'", f"'{refused.param}'")
    refused.message = message.replace(f"'{field}'", f"'{name}'")
    return refused
