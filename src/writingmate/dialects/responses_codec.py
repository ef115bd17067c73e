"""Responses for providers that only chat: the request as a chat document (WIRE §8).

What a conversation had before is in ``input`` by now. What chat cannot express is refused by name. Fields
never heard of are carried: they are some provider's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from writingmate.dialects import choices, faults, watch
from writingmate.dialects.grammar import given
from writingmate.dialects.responses_echo import Echo, encoded
from writingmate.dialects.responses_input import messages
from writingmate.dialects.responses_items import Items
from writingmate.dialects.responses_reasoning import ENCRYPTED
from writingmate.dialects.responses_reply import fill
from writingmate.dialects.responses_stream import ResponsesStream
from writingmate.dialects.responses_tools import Tools
from writingmate.dialects.watch import Watch
from writingmate.errors import InvalidRequest, UnsupportedParameter, UpstreamBroken
from writingmate.types import DialectName
from writingmate.wire import document
from writingmate.wire.document import Document

#: Fields that become something else on the way, or that are ours to answer for.
TRANSLATED = frozenset((
    "input", "instructions", "max_output_tokens", "top_logprobs", "tools", "tool_choice",
    "parallel_tool_calls", "text", "reasoning", "stream_options", "include", "prompt_cache_options",
))  # fmt: skip

#: Fields that only the answer shows again. Of ``max_tool_calls`` it is hosted tools that are counted.
#: A ``truncation`` of ``auto`` is a leave that nobody takes: the answer says ``disabled``.
ECHOED = frozenset(
    ("metadata", "store", "background", "max_tool_calls", "truncation", "previous_response_id")
)

#: What needs an answer of before, or a job.
UNKEPT = ("conversation", "background_options")

#: What needs a vendor's own service, or has its answer where chat has none for it.
VENDORS = ("prompt", "context_management", "access_programs", "image", "moderation")

#: Fields of chat that mean something else here, or would change what kind of answer comes.
FOREIGN = (
    "messages", "n", "max_tokens", "max_completion_tokens", "response_format", "reasoning_effort",
    "verbosity", "logprobs", "functions", "function_call", "modalities", "audio", "prediction",
    "web_search_options",
)  # fmt: skip

_FORMATS = ("text", "json_object", "json_schema")
_REASONING = ("effort", "summary", "generate_summary")
#: What is so anyway: reasoning of before is not sent, and there is one way to reason.
_SO_ANYWAY = (("context", "auto"), ("context", "current_turn"), ("mode", "auto"), ("mode", "standard"))
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_SUMMARIES = ("auto", "concise", "detailed")
_VERBOSITIES = ("low", "medium", "high")


class ResponsesOverChat:
    """One responses request as one call of chat. Raises InvalidRequest when made.

    ``chat`` is the document that is sent, without the model's name there. ``answered`` is the response as it
    is to be kept, None until it is over. ``origin`` is who reads again what proves reasoning: the dialect
    behind a spoke, or a provider that chats.
    """

    target: DialectName = "chat"

    def __init__(self, request: Document, *, slug: str, request_id: str, origin: str = "chat") -> None:
        self._tools = Tools.read(request)
        self.chat = translated(request, self._tools, origin)
        self.answered: bytes | None = None
        self._echo = Echo(request, slug=slug, request_id=request_id)
        self._origin = origin
        self._included = includes(request, ENCRYPTED)

    def requests(self) -> list[Document]:
        """One chat request."""
        return [dict(self.chat)]

    def reply(self, bodies: Sequence[bytes], watches: Sequence[Watch]) -> bytes:
        """The response object."""
        watches[0].body(bodies[0])
        said = choices.members(bodies[0])
        listed = choices.listed(said)
        if len(listed) != 1:
            raise UpstreamBroken(f"{len(listed)} choices came, of 1 asked for")
        self._echo.began(said)
        made = self._items()
        reason = fill(made, listed[0])
        response = self._echo.over(made.output(), reason, watch.summed(watches))
        return self.over(response, made)

    def stream(self, leg: int, watches: Sequence[Watch]) -> ResponsesStream:
        """The events of the answer."""
        return ResponsesStream(self, self._echo, self._items(), watches[leg])

    def over(self, response: dict[str, Any], made: Items) -> bytes:
        """The response's bytes for the client; it is over."""
        body, kept = msgspec.json.encode(response), made.kept()
        self.answered = body if kept is None else msgspec.json.encode(response | {"output": kept})
        return body

    def _items(self) -> Items:
        return Items(self._echo.name, self._tools.custom, origin=self._origin, included=self._included)


def translated(request: Document, tools: Tools | None = None, origin: str | None = None) -> Document:
    """The chat document that a request comes to, for its model's name as the client wrote it.

    Reasoning that ``origin`` can read again goes with it; without one all that anybody can.

    Raises UnsupportedParameter for what chat cannot express, InvalidRequest for what makes no sense.
    """
    _refuse(request)
    if not given(request, "input"):
        raise faults.missing("input")
    sent = {
        name: raw
        for name, raw in request.items()
        if name not in TRANSLATED and name not in (*ECHOED, *UNKEPT, *VENDORS)
    }
    sent["messages"] = encoded("input", messages(request, origin))
    if given(request, "max_output_tokens"):
        sent["max_completion_tokens"] = request["max_output_tokens"]
    for name, value in (
        *_logprobs(request), *_text(request), *_reasoning(request), *_cache(request),
        *(tools or Tools.read(request)).sent(),
    ):  # fmt: skip
        sent[name] = encoded(name, value)
    return sent


def refuse_unkept(request: Document) -> None:
    """Raise UnsupportedParameter for what needs an answer of before, or a job."""
    for name in UNKEPT:
        if given(request, name):
            raise _unsupported(name)


def _refuse(request: Document) -> None:
    refuse_unkept(request)
    for name in VENDORS:
        if given(request, name) and bytes(request[name]) != b"[]":
            raise _unsupported(name)
    for name in FOREIGN:
        if name in request:
            raise _unsupported(name)
    if given(request, "service_tier") and document.value(request["service_tier"]) == "ultrafast":
        raise _unsupported("service_tier", "'ultrafast'")


def _unsupported(param: str, value: str = "") -> UnsupportedParameter:
    what = f"'{param}'{' of ' + value if value else ''}"
    reason = _REASONS.get(param, "leave it out")
    return UnsupportedParameter(
        f"Unsupported parameter: {what} is not supported here: {reason}.", param=param
    )


_REASONS = {
    "conversation": "go on with 'previous_response_id', or send the whole conversation in 'input'",
    "prompt": "stored prompts are not kept, so send 'instructions' and 'input'",
    "max_tokens": "use 'max_output_tokens'",
    "max_completion_tokens": "use 'max_output_tokens'",
    "messages": "use 'input'",
    "response_format": "use 'text.format'",
    "verbosity": "use 'text.verbosity'",
    "reasoning_effort": "use 'reasoning.effort'",
    "logprobs": "use 'top_logprobs', or 'include' with 'message.output_text.logprobs'",
}


def _logprobs(request: Document) -> list[tuple[str, Any]]:
    asked = document.value(request["top_logprobs"]) if given(request, "top_logprobs") else 0
    if asked:
        return [("logprobs", True), ("top_logprobs", asked)]
    return [("logprobs", True)] if includes(request, "message.output_text.logprobs") else []


def includes(request: Document, name: str) -> bool:
    """Whether ``include`` asks for this."""
    return given(request, "include") and name in document.value(request["include"])


def _text(request: Document) -> list[tuple[str, Any]]:
    said = document.value(request["text"]) if given(request, "text") else {}
    sent: list[tuple[str, Any]] = []
    for name in said.keys() - {"format", "verbosity"}:
        if said[name] is not None:
            raise _unsupported(f"text.{name}")
    if (verbosity := said.get("verbosity")) is not None:
        sent.append(("verbosity", _word("text.verbosity", verbosity, _VERBOSITIES)))
    form = said.get("format")
    if form is None:
        return sent
    if not isinstance(form, dict):
        raise faults.invalid_type("text.format", "an object", form)
    if form.get("type") is None:
        raise faults.missing("text.format.type")
    kind = _word("text.format.type", form["type"], _FORMATS)
    if kind == "json_object":
        sent.append(("response_format", {"type": kind}))
    if kind == "json_schema":
        sent.append(("response_format", {"type": kind, "json_schema": _schema(form)}))
    return sent


def _schema(form: dict[str, Any]) -> dict[str, Any]:
    """Chat nests what is flat here."""
    for name, kind, expected in (("name", str, "a string"), ("schema", dict, "an object")):
        if form.get(name) is None:
            raise faults.missing(f"text.format.{name}")
        if not isinstance(form[name], kind):
            raise faults.invalid_type(f"text.format.{name}", expected, form[name])
    return {name: value for name, value in form.items() if name != "type"}


def _reasoning(request: Document) -> list[tuple[str, Any]]:
    """How much to think; a summary is what the provider shows of it, however it was asked for."""
    said = document.value(request["reasoning"]) if given(request, "reasoning") else {}
    for name, value in said.items():
        if name not in _REASONING and value is not None and (name, value) not in _SO_ANYWAY:
            raise _unsupported(f"reasoning.{name}")
    for name in ("summary", "generate_summary"):
        if said.get(name) is not None:
            _word(f"reasoning.{name}", said[name], _SUMMARIES)
    effort = said.get("effort")
    return [] if effort is None else [("reasoning_effort", _word("reasoning.effort", effort, _EFFORTS))]


def _cache(request: Document) -> list[tuple[str, Any]]:
    """How to cache the prompt, of which chat knows less: no diagnostics, no warming up, one lifetime."""
    if not given(request, "prompt_cache_options"):
        return []
    said = document.value(request["prompt_cache_options"])
    for name in ("comparison_response_id", "prewarm"):
        if said.pop(name, None):
            raise _unsupported(f"prompt_cache_options.{name}")
    if said.get("ttl") == "12h":
        raise _unsupported("prompt_cache_options.ttl", "'12h'")
    return [("prompt_cache_options", said)]


def _word(param: str, value: object, supported: Sequence[str]) -> str:
    if not isinstance(value, str):
        raise _type_fault(param, value)
    if value not in supported:
        raise faults.invalid_value(param, value, supported)
    return value


def _type_fault(param: str, value: object) -> InvalidRequest:
    return faults.invalid_type(param, "a string", value)
