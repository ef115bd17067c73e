"""Anthropic's Messages as clients speak them: what a request may say at its top level (WIRE §10.1).

What is inside messages, tools and the rest is looked at where it is translated; a provider that speaks
Messages judges it itself. The two kinds of request are a message and a count of its tokens.
"""

from __future__ import annotations

from typing import Any

import msgspec

from writingmate.dialects import chat, faults, fields, responses
from writingmate.dialects.grammar import Grammar, Rule
from writingmate.errors import InvalidRequest

_EITHER = frozenset(b'"[')


def _accept_system(raw: msgspec.Raw) -> None:
    if memoryview(raw)[0] not in _EITHER:
        raise ValueError(raw)


def _explain_system(param: str, value: Any) -> InvalidRequest:  # noqa: ANN401  # any JSON value
    return faults.invalid_type(param, "one of a string or array of text blocks", value)


_OBJECTS = responses.GRAMMAR.rules["tools"]

#: Fields of the published API, and of its betas, that have no meaning of their own here or in chat.
_PLAIN = {
    "cache_control": fields.mapping(),
    "compaction": fields.mapping(),
    "context_management": fields.mapping(),
    "diagnostics": fields.mapping(),
    "inference_geo": fields.string(),
    "mcp_servers": _OBJECTS,
    "speed": fields.choice("standard", "fast"),
    "user_profile_id": fields.string(),
    "workspace_id": fields.string(),
}

_RULES = {
    **_PLAIN,
    "model": fields.string(null=False),
    "messages": chat.GRAMMAR.rules["messages"],
    "max_tokens": fields.integer(0, null=False),
    "metadata": fields.mapping(),
    "output_config": fields.mapping(),
    "output_format": fields.mapping(),
    "service_tier": fields.choice("auto", "standard_only"),
    "stop_sequences": fields.words(),
    "stream": fields.boolean(),
    "system": Rule(_accept_system, _explain_system),
    "temperature": fields.decimal(0, 1),
    "thinking": fields.mapping(),
    "tool_choice": fields.mapping(),
    "tools": _OBJECTS,
    "top_k": fields.integer(0),
    "top_p": fields.decimal(0, 1),
}

GRAMMAR = Grammar(required=("model", "max_tokens", "messages"), contradictions={}, rules=_RULES)

#: A request whose tokens are counted says the same, but nothing of an answer.
COUNTED = Grammar(required=("model", "messages"), contradictions={}, rules=_RULES)
