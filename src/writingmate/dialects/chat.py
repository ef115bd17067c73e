"""The chat dialect: what a request may say at its top level (WIRE §5.1), and the text in an answer.

Of the messages it is only checked that there are some: their contents are the provider's business.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from writingmate.dialects import faults, fields, tools
from writingmate.dialects.grammar import Grammar, Rule, given, on
from writingmate.errors import InvalidRequest
from writingmate.wire import document
from writingmate.wire.document import Document

_ARRAY = ord("[")
_ARRAY_END = ord("]")
_SPACE = frozenset(b" \t\r\n")

#: What other vendors accept in OpenAI's fields: refusing it here would take their features away.
_FORMATS_ELSEWHERE = ("grammar", "regex", "structural_tag")  # Fireworks; Together; SGLang and vLLM
_EFFORTS_ELSEWHERE = ("default",)  # Groq
TIERS_ELSEWHERE = ("on_demand", "performance", "standard_only")  # Groq, Groq, Anthropic
TIERS = ("auto", "default", "fast", "flex", "priority", "scale")


def _accept_messages(raw: msgspec.Raw) -> None:
    if bytes(memoryview(raw)[:2]) != b"[{" and (memoryview(raw)[0] != _ARRAY or is_empty_array(raw)):
        raise ValueError(raw)


def _explain_messages(param: str, value: Any) -> InvalidRequest:  # noqa: ANN401  # any JSON value
    if value == []:
        return faults.empty_array(param)
    return faults.invalid_type(param, "an array of objects", value)


def is_empty_array(raw: msgspec.Raw) -> bool:
    """Whether an array is ``[]``; looks at its brackets and the spaces between them."""
    view = memoryview(raw)
    at = 1
    while view[at] in _SPACE:
        at += 1
    return view[at] == _ARRAY_END


class _Format(msgspec.Struct):
    type: str


def _accept_format(raw: msgspec.Raw) -> None:
    form = _FORMAT(raw).type
    if form not in _FORMATS and form not in _FORMATS_ELSEWHERE:
        raise ValueError(form)


def _explain_format(param: str, value: Any) -> InvalidRequest:  # noqa: ANN401  # any JSON value
    if not isinstance(value, dict):
        return faults.invalid_type(param, "an object", value)
    if value.get("type") is None:
        return faults.missing(f"{param}.type")
    if isinstance(value["type"], str):
        return faults.invalid_value(f"{param}.type", value["type"], _FORMATS)
    return faults.invalid_type(f"{param}.type", "a string", value["type"])


_FORMAT = msgspec.json.Decoder(_Format).decode
_FORMATS = ("json_object", "json_schema", "text")


#: What every SDK sends for it.
PLAINLY_ASKED = b'{"include_usage":true}'


def usage_asked(request: Document) -> bool:
    """Whether the client wants a stream's usage."""
    raw = request.get("stream_options")
    if raw is None:
        return False
    return bytes(raw) == PLAINLY_ASKED or on(document.members(raw), "include_usage")


def stream_options_stream(request: Document) -> None:
    """Raise InvalidRequest if a whole answer is asked for with the options of a stream."""
    if not on(request, "stream") and given(request, "stream_options"):
        raise faults.needs("stream_options", "stream", "enabled")


def _alternatives_have_logprobs(request: Document) -> None:
    if not on(request, "logprobs") and given(request, "top_logprobs"):
        raise faults.needs("top_logprobs", "logprobs", "enabled")


def _one_token_limit(request: Document) -> None:
    if given(request, "max_tokens") and given(request, "max_completion_tokens"):
        raise InvalidRequest(
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.",
            param="max_tokens",
            code="invalid_parameter_combination",
        )


#: ``null`` is accepted where OpenAI's published types accept it.
GRAMMAR = Grammar(
    required=("model", "messages"),
    contradictions={
        "stream_options": stream_options_stream,
        "max_completion_tokens": _one_token_limit,
        "top_logprobs": _alternatives_have_logprobs,
        "tool_choice": tools.chosen_tool_exists,
        "function_call": tools.chosen_function_exists,
    },
    rules={
        "model": fields.string(null=False),
        "messages": Rule(_accept_messages, _explain_messages),
        "audio": fields.mapping(),
        "frequency_penalty": fields.decimal(-2, 2),
        "function_call": tools.FUNCTION_CALL,
        "functions": tools.FUNCTIONS,
        "logit_bias": fields.biases(),
        "logprobs": fields.boolean(),
        "max_completion_tokens": fields.integer(1),
        "max_tokens": fields.integer(1),
        "metadata": fields.metadata(),
        "modalities": fields.words(),
        "moderation": fields.mapping(),
        "n": fields.integer(1, 128),
        "parallel_tool_calls": fields.boolean(null=False),
        "prediction": fields.mapping(),
        "presence_penalty": fields.decimal(-2, 2),
        "prompt_cache_key": fields.string(),
        "prompt_cache_options": fields.mapping(null=False),
        "prompt_cache_retention": fields.choice("in_memory", "24h"),
        "reasoning_effort": fields.choice(
            "none", "minimal", "low", "medium", "high", "xhigh", "max", also=_EFFORTS_ELSEWHERE
        ),
        "response_format": Rule(_accept_format, _explain_format),
        "safety_identifier": fields.string(),
        "seed": fields.integer(),
        "service_tier": fields.choice(*TIERS, also=TIERS_ELSEWHERE),
        "stop": fields.stops(),
        "store": fields.boolean(),
        "stream": fields.boolean(),
        "stream_options": fields.stream_options(),
        "temperature": fields.decimal(0, 2),
        "tool_choice": tools.TOOL_CHOICE,
        "tools": tools.TOOLS,
        "top_logprobs": fields.integer(0, 20),
        "top_p": fields.decimal(0, 1),
        "user": fields.string(null=False),
        "verbosity": fields.choice("low", "medium", "high"),
        "web_search_options": fields.mapping(null=False),
    },
)


def texts(value: object) -> Iterator[str]:
    """The text of a message's ``content``: itself, or that of its parts (images and sound have none)."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for part in value:
            if isinstance(part, dict):
                yield from texts(part.get("text") or part.get("thinking") or part.get("refusal"))


def written(message: dict[str, Any]) -> Iterator[str]:
    """Everything a model wrote in a message or a delta: text, reasoning, refusal, calls of tools."""
    yield from texts(message.get("reasoning_content") or message.get("reasoning"))
    yield from texts(message.get("content"))
    yield from texts(message.get("refusal"))
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict):
            yield from _called(call.get("function"))
            yield from _called(call.get("custom"))
    yield from _called(message.get("function_call"))


def _called(call: object) -> Iterator[str]:
    if isinstance(call, dict):
        for member in ("name", "arguments", "input"):
            yield from texts(call.get(member))
