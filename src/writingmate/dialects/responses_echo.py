"""The response object, with every key that clients read, and what the request said (WIRE §7.2)."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import msgspec

from writingmate.dialects.grammar import given, on
from writingmate.errors import InvalidRequest
from writingmate.types import Usage
from writingmate.wire import document
from writingmate.wire.document import Document

#: Service tiers that the dialect has a word for.
_TIERS = frozenset(("auto", "default", "fast", "flex", "scale", "priority", "ultrafast"))

_NEVER = 1 << 40  # seconds: a time that is none

_INCOMPLETE = {"length": "max_output_tokens", "content_filter": "content_filter"}

#: What is shown again as it was asked for, and what stands there if it was not.
_SHOWN: dict[str, Any] = {
    "instructions": None, "max_output_tokens": None, "max_tool_calls": None, "parallel_tool_calls": True,
    "prompt_cache_key": None, "safety_identifier": None, "temperature": 1.0, "tool_choice": "auto",
    "top_logprobs": 0, "top_p": 1.0, "presence_penalty": 0.0, "frequency_penalty": 0.0,
    "truncation": "disabled", "user": None, "metadata": {},
}  # fmt: skip


class Echo:
    """What every event and body of one response says alike.

    ``store`` and ``previous_response_id`` are shown as the request has them by the time it comes here.
    """

    def __init__(self, request: Document, *, slug: str, request_id: str) -> None:
        self._own = request_id.removeprefix("req_")
        self._created = 0
        alike: dict[str, Any] = {
            "id": f"resp_{self._own}",
            "object": "response",
            "model": slug,
            **kept(request),
            "service_tier": "default",
            "reasoning": _reasoning(request),
            "text": _text(request),
            "tools": _tools(request),
            **{name: _value(request, name, otherwise) for name, otherwise in _SHOWN.items()},
            "truncation": "disabled",  # nobody truncates, and what is too long is refused
        }
        self._alike: dict[str, Any] = {name: encoded(name, value) for name, value in alike.items()}

    def name(self, prefix: str, at: int) -> str:
        """The id of an output item, by its place."""
        return f"{prefix}_{self._own}_{at}"

    def began(self, said: Mapping[str, Any]) -> None:
        """Take the time and the service tier from the first members that the provider sent."""
        if self._created:
            return
        created, tier = said.get("created"), said.get("service_tier")
        self._created = created if type(created) is int and 0 < created < _NEVER else int(time.time())
        if isinstance(tier, str) and tier in _TIERS:
            self._alike["service_tier"] = tier

    def queued(self) -> dict[str, Any]:
        """The response before anybody was asked."""
        return self._response("queued", [], None)

    def under_way(self) -> dict[str, Any]:
        """The response before it has said anything."""
        return self._response("in_progress", [], None)

    def over(self, output: list[dict[str, Any]], reason: object, usage: Usage | None) -> dict[str, Any]:
        """The response at its end; ``reason`` is why the chat choice finished."""
        why = _INCOMPLETE.get(str(reason))
        if why is not None:
            return self._response("incomplete", output, usage) | {"incomplete_details": {"reason": why}}
        completed = max(self._created, int(time.time()))
        return self._response("completed", output, usage) | {"completed_at": completed}

    def failed(self, output: list[dict[str, Any]], code: str, message: str) -> dict[str, Any]:
        """The response that an error ended."""
        return self._response("failed", output, None) | {"error": {"code": code, "message": message}}

    def _response(self, status: str, output: list[dict[str, Any]], usage: Usage | None) -> dict[str, Any]:
        return self._alike | {
            "created_at": self._created or int(time.time()),
            "completed_at": None,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "output": output,
            "usage": None if usage is None else _usage(usage),
        }


def kept(request: Document) -> dict[str, object]:
    """What a response says of how it is kept."""
    return {
        "background": on(request, "background"),
        "store": stored(request),
        "previous_response_id": _value(request, "previous_response_id", None),
    }


def stored(request: Document) -> bool:
    """Whether it is to be kept, which it is unless it says otherwise."""
    return not given(request, "store") or on(request, "store")


def encoded(param: str, value: object) -> msgspec.Raw:
    """A part of the request, to be sent or shown. Raises InvalidRequest for numbers nobody reads."""
    try:
        return document.raw(value)
    except (OverflowError, RecursionError):
        raise InvalidRequest(
            f"Invalid value for '{param}': it holds a number out of every range, or is nested too deeply.",
            param=param,
            code="invalid_value",
        ) from None


def status_of(reason: object) -> str:
    """``incomplete`` for the item that a limit or a filter cut, by the chat choice's finish_reason."""
    return "incomplete" if str(reason) in _INCOMPLETE else "completed"


def _value(request: Document, name: str, otherwise: Any) -> Any:  # noqa: ANN401  # any JSON value
    return document.value(request[name]) if given(request, name) else otherwise


def _reasoning(request: Document) -> dict[str, Any]:
    said = _value(request, "reasoning", {})
    return {"effort": said.get("effort"), "summary": said.get("summary") or said.get("generate_summary")}


def _text(request: Document) -> dict[str, Any]:
    said = _value(request, "text", {})
    return {"format": said.get("format") or {"type": "text"}, "verbosity": said.get("verbosity") or "medium"}


def _tools(request: Document) -> list[dict[str, Any]]:
    return [_tool(tool) for tool in _value(request, "tools", [])]


def _tool(tool: dict[str, Any]) -> dict[str, Any]:
    if tool.get("type") == "custom":
        return {"description": None, "format": {"type": "text"}} | tool
    return {"description": None, "parameters": None, "strict": None} | tool


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.written_tokens,
        },
        "output_tokens": usage.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
