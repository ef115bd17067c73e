"""A message request as a chat document, for providers that only chat (WIRE §10.1).

Every field of the published API and of its betas is in one of the tables below. A field that nobody has
heard of is carried: it is some provider's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from writingmate.dialects import anthropic_tools, chat, faults
from writingmate.dialects.anthropic_conversation import messages
from writingmate.dialects.grammar import given
from writingmate.dialects.responses_echo import encoded
from writingmate.dialects.unsupported import beyond_chat
from writingmate.wire import document
from writingmate.wire.document import Document

#: Fields of the same name and meaning.
CARRIED = ("model", "stream", "temperature", "top_k", "top_p")

TRANSLATED = frozenset((
    "context_management", "max_tokens", "messages", "output_config", "output_format", "service_tier",
    "stop_sequences", "system", "thinking", "tool_choice", "tools",
))  # fmt: skip

#: Fields without which the answer is the same: how a prompt is cached, who asks, what is told of either.
IGNORED = frozenset(("cache_control", "diagnostics", "metadata"))

#: Fields that are refused unless they say what is so anyway.
REFUSED: Mapping[str, tuple[object, ...]] = {
    "billing_policy": (),
    "compaction": (),
    "container": (),
    "fallback_credit_token": (),
    "fallbacks": ([],),
    "inference_geo": (),
    "mcp_servers": ([],),
    "speed": ("standard",),
    "thread": (),
    "user_profile_id": (),
    "workspace_id": (),
}

_USUAL = "high"
_EFFORTS = ("low", "medium", "high", "xhigh", "max")
#: Tokens of a budget up to which an effort is meant.
_BUDGETS = ((4096, "low"), (16_384, "medium"))
_THINKING = ("enabled", "adaptive", "disabled", "between_tools")
_MOST_STOPS = 4
#: What is so anyway: nobody takes thinking out of a conversation.
_KEEPS_ALL = ("all", {"type": "all"})


def translated(request: Document, model: str) -> Document:
    """The chat document for ``model``, the provider's name, with the model's name as the client wrote it.

    Raises UnsupportedParameter for what chat cannot express, InvalidRequest for what makes no sense.
    """
    _refuse(request)
    sent = {name: raw for name, raw in request.items() if name not in TRANSLATED and name not in _LEFT_OUT}
    said = messages(request, model)
    _no_prefill(said)
    sent["messages"] = encoded("messages", said)
    sent["max_completion_tokens"] = request["max_tokens"]
    for name, value in (
        *anthropic_tools.sent(request), *_reasoning(request), *_format(request), *_stops(request),
    ):  # fmt: skip
        sent[name] = encoded(name, value)
    if given(request, "service_tier") and document.value(request["service_tier"]) == "standard_only":
        sent["service_tier"] = encoded("service_tier", "default")
    return sent


_LEFT_OUT = IGNORED | REFUSED.keys()
_FOREIGN = frozenset(chat.GRAMMAR.rules) - TRANSLATED - IGNORED - REFUSED.keys() - frozenset(CARRIED)


def _refuse(request: Document) -> None:
    for name in request:
        if name in _FOREIGN or (
            name in REFUSED and given(request, name) and document.value(request[name]) not in REFUSED[name]
        ):
            raise beyond_chat(name)
    if document.value(request["max_tokens"]) == 0:
        raise beyond_chat("max_tokens", "of 0", advice="Ask for at least 1.")
    if given(request, "context_management"):
        _manage(document.value(request["context_management"]))


def _manage(asked: dict[str, Any]) -> None:
    for name, value in asked.items():
        if name != "edits" and value is not None:
            raise beyond_chat(f"context_management.{name}")
    edits = asked.get("edits")
    for at, edit in enumerate(edits if isinstance(edits, list) else ()):
        kind = edit.get("type") if isinstance(edit, dict) else None
        if kind != "clear_thinking_20251015" or edit.get("keep") not in _KEEPS_ALL:
            raise beyond_chat(f"context_management.edits[{at}]", f"of '{faults.shown(str(kind))}'")


def _no_prefill(said: list[dict[str, Any]]) -> None:
    if said and said[-1]["role"] == "assistant":
        advice = "End with a turn of the user's."
        raise beyond_chat("messages", "that end with the beginning of the answer", advice=advice)


def _reasoning(request: Document) -> Iterator[tuple[str, str]]:
    """How much to think: the effort that is named, else the one that a budget comes to.

    Thinking that is turned off, or left to the model, asks for nothing; nor does an effort of ``high``
    without thinking, which is what Anthropic takes for granted.
    """
    thinking = document.value(request["thinking"]) if given(request, "thinking") else {}
    config = document.value(request["output_config"]) if given(request, "output_config") else {}
    kind = thinking.get("type")
    if thinking and kind not in _THINKING:
        raise _word_fault("thinking.type", kind, _THINKING)
    effort = config.get("effort")
    if effort is not None and effort not in _EFFORTS:
        raise _word_fault("output_config.effort", effort, _EFFORTS)
    if kind == "enabled":
        budget = thinking.get("budget_tokens")
        if type(budget) is not int:
            raise faults.missing("thinking.budget_tokens")
        effort = effort or next((word for most, word in _BUDGETS if budget <= most), "high")
    thinks = kind in ("enabled", "adaptive")
    if effort is not None and (thinks or (kind is None and effort != _USUAL)):
        yield "reasoning_effort", effort


def _word_fault(param: str, value: object, supported: tuple[str, ...]) -> Exception:
    if value is None:
        return faults.missing(param)
    if isinstance(value, str):
        return faults.invalid_value(param, value, supported)
    return faults.invalid_type(param, "a string", value)


def _format(request: Document) -> Iterator[tuple[str, Any]]:
    """A schema for the answer, by its name of today or of its beta."""
    config = document.value(request["output_config"]) if given(request, "output_config") else {}
    for name, value in config.items():
        if name not in ("effort", "format") and value is not None:
            raise beyond_chat(f"output_config.{name}")
    form, param = config.get("format"), "output_config.format"
    if form is None and given(request, "output_format"):
        form, param = document.value(request["output_format"]), "output_format"
    if form is None:
        return
    if not isinstance(form, dict):
        raise faults.invalid_type(param, "an object", form)
    if form.get("type") != "json_schema":
        raise _word_fault(f"{param}.type", form.get("type"), ("json_schema",))
    schema = form.get("schema")
    if not isinstance(schema, dict):
        raise faults.missing(f"{param}.schema")
    described = {"name": "answer", "strict": True, "schema": schema}
    yield "response_format", {"type": "json_schema", "json_schema": described}


def _stops(request: Document) -> Iterator[tuple[str, Any]]:
    stops = document.value(request["stop_sequences"]) if given(request, "stop_sequences") else []
    if len(stops) > _MOST_STOPS:
        raise beyond_chat("stop_sequences", f"of more than {_MOST_STOPS}", advice="Send fewer.")
    if stops:
        yield "stop", stops
