"""The responses dialect: what a request may say at its top level (WIRE §7.1).

What is inside ``input``, ``tools``, ``text`` and ``reasoning`` is looked at where it is translated.
"""

from __future__ import annotations

from typing import Any

import msgspec

from writingmate.dialects import chat, faults, fields
from writingmate.dialects.grammar import Grammar, Rule, given, on
from writingmate.errors import InvalidRequest
from writingmate.wire.document import Document

_EITHER = frozenset(b'"[')


def _accept_input(raw: msgspec.Raw) -> None:
    if memoryview(raw)[0] not in _EITHER:
        raise ValueError(raw)


def _explain_input(param: str, value: Any) -> InvalidRequest:  # noqa: ANN401  # any JSON value
    return faults.invalid_type(param, "one of a string or array of input items", value)


def _objects() -> Rule:
    """An array of objects, or null."""

    def explain(param: str, value: Any) -> InvalidRequest:  # noqa: ANN401  # any JSON value
        if not isinstance(value, list):
            return faults.invalid_type(param, "an array of objects", value)
        at = next(at for at, each in enumerate(value) if not isinstance(each, dict))
        return faults.invalid_type(f"{param}[{at}]", "an object", value[at])

    return Rule(msgspec.json.Decoder(list[dict[str, msgspec.Raw]] | None).decode, explain)


def _id_or_object() -> Rule:
    """A conversation: its id, or an object with it."""

    def explain(param: str, value: Any) -> InvalidRequest:  # noqa: ANN401  # any JSON value
        return faults.invalid_type(param, "one of a string or object", value)

    return Rule(msgspec.json.Decoder(str | dict[str, msgspec.Raw] | None).decode, explain)


_CHOICES = ("none", "auto", "required")


def _tool_choice() -> Rule:
    """A mode, or an object that is compared with the tools later."""

    def explain(param: str, value: Any) -> InvalidRequest:  # noqa: ANN401  # any JSON value
        if isinstance(value, str):
            return faults.invalid_value(param, value, _CHOICES)
        return faults.invalid_type(param, f"one of {faults.listed(_CHOICES, 'or')} or object", value)

    mode = msgspec.json.Decoder(dict[str, msgspec.Raw] | str | None).decode

    def accept(raw: msgspec.Raw) -> None:
        said = mode(raw)
        if isinstance(said, str) and said not in _CHOICES:
            raise ValueError(said)

    return Rule(accept, explain)


INCLUDES = (
    "file_search_call.results", "web_search_call.results", "web_search_call.action.sources",
    "message.input_image.image_url", "computer_call_output.output.image_url",
    "code_interpreter_call.outputs", "reasoning.encrypted_content", "message.output_text.logprobs",
)  # fmt: skip


def _include() -> Rule:
    """What to add to the answer; an empty list is what one SDK always sends."""
    strings = fields.words()

    def accept(raw: msgspec.Raw) -> None:
        asked = msgspec.json.decode(raw, type=list[str] | None) or ()
        if any(each not in INCLUDES for each in asked):
            raise ValueError(raw)

    def explain(param: str, value: Any) -> InvalidRequest:  # noqa: ANN401  # any JSON value
        if isinstance(value, list) and all(isinstance(each, str) for each in value):
            at = next(at for at, each in enumerate(value) if each not in INCLUDES)
            return faults.invalid_value(f"{param}[{at}]", value[at], INCLUDES)
        return strings.explain(param, value)

    return Rule(accept, explain)


def _background_store(request: Document) -> None:
    """What runs in the background has to be kept until somebody asks for it."""
    if on(request, "background") and given(request, "store") and not on(request, "store"):
        raise InvalidRequest(
            "Background responses are stored: 'background' cannot be true where 'store' is false. Leave "
            "'store' out, or wait for the answer.",
            param="background",
            code="invalid_parameter_combination",
        )


_SHARED = (
    "model", "metadata", "moderation", "prompt_cache_key", "prompt_cache_options",
    "prompt_cache_retention", "safety_identifier", "store", "stream",
    "stream_options", "temperature", "top_logprobs", "top_p", "user",
)  # fmt: skip

GRAMMAR = Grammar(
    required=("model",),
    contradictions={"stream_options": chat.stream_options_stream, "background": _background_store},
    rules={
        **{name: chat.GRAMMAR.rules[name] for name in _SHARED},
        "access_programs": fields.mapping(),
        "background": fields.boolean(),
        "background_options": fields.mapping(),
        "context_management": _objects(),
        "conversation": _id_or_object(),
        "image": fields.mapping(),
        "include": _include(),
        "input": Rule(_accept_input, _explain_input),
        "instructions": fields.string(),
        "max_output_tokens": fields.integer(1),
        "max_tool_calls": fields.integer(1),
        "parallel_tool_calls": fields.boolean(),
        "previous_response_id": fields.string(),
        "prompt": fields.mapping(),
        "reasoning": fields.mapping(),
        "text": fields.mapping(),
        "tool_choice": _tool_choice(),
        "tools": _objects(),
        "service_tier": fields.choice(
            *chat.TIERS,
            "ultrafast",
            also=chat.TIERS_ELSEWHERE,
        ),
        "truncation": fields.choice("auto", "disabled"),
    },
)
