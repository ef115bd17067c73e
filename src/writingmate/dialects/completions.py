"""The completions dialect: what a request may say at its top level (WIRE §6)."""

from __future__ import annotations

from typing import Any

import msgspec

from writingmate.dialects import chat, faults, fields
from writingmate.dialects.grammar import Grammar, Rule, given
from writingmate.errors import InvalidRequest
from writingmate.wire import document
from writingmate.wire.document import Document

_PROMPT = "one of a string, array of strings, array of integers, or array of integer arrays"
_STARTS = frozenset(b'"n')
_ARRAY = ord("[")
_ENOUGH = 64  # bytes: an array whose first element is further away is none that a client writes
_ELEMENT_STARTS = b'"[-0123456789'


def _accept_prompt(raw: msgspec.Raw) -> None:
    head = bytes(memoryview(raw)[:_ENOUGH])
    if head[0] in _STARTS:
        return
    if head[0] != _ARRAY or chat.is_empty_array(raw) or head[1:].lstrip()[:1] not in _ELEMENT_STARTS:
        raise ValueError(raw)


def _explain_prompt(param: str, value: Any) -> InvalidRequest:  # noqa: ANN401  # any JSON value
    if value == []:
        return faults.empty_array(param)
    if isinstance(value, list):
        return faults.invalid_type(f"{param}[0]", "one of a string, integer, or array of integers", value[0])
    return faults.invalid_type(param, _PROMPT, value)


def _best_of_enough(request: Document) -> None:
    if given(request, "best_of") and document.value(request["best_of"]) < choices_asked(request):
        raise InvalidRequest(
            "Invalid value for 'best_of': it must be greater than or equal to 'n', "
            "since the choices returned are picked from those that it generates.",
            param="best_of",
            code="invalid_value",
        )


def choices_asked(request: Document) -> int:
    """``n``, 1 if it is not given."""
    return int(document.value(request["n"])) if given(request, "n") else 1


GRAMMAR = Grammar(
    required=("model", "prompt"),
    contradictions={"stream_options": chat.stream_options_stream, "best_of": _best_of_enough},
    rules={
        "model": fields.string(null=False),
        "prompt": Rule(_accept_prompt, _explain_prompt),
        "best_of": fields.integer(1, 20),
        "echo": fields.boolean(),
        "frequency_penalty": fields.decimal(-2, 2),
        "logit_bias": fields.biases(),
        "logprobs": fields.integer(0, 5),
        "max_tokens": fields.integer(0),
        "n": fields.integer(1, 128),
        "presence_penalty": fields.decimal(-2, 2),
        "seed": fields.integer(),
        "stop": fields.stops(),
        "stream": fields.boolean(),
        "stream_options": fields.stream_options(),
        "suffix": fields.string(),
        "temperature": fields.decimal(0, 2),
        "top_p": fields.decimal(0, 1),
        "user": fields.string(null=False),
    },
)
