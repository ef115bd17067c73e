"""What a fake model says to a request: words, JSON that fits a schema, calls of tools.

``Reply with exactly: X`` in the prompt (or the last user message) gives X, anything else comes
back after ``You said: ``. One token is one word with the blanks after it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

_WORD = re.compile(r"\S+\s*|\s+")
_EXACTLY = "Reply with exactly: "


@dataclass(frozen=True, slots=True)
class Wish:
    """What a script changes in the answer: its text, its reasoning, members of its usage.

    ``calls`` are the arguments of the function tools that are called, by name; None: those of the
    tools that the prompt names, as always.
    Of ``/responses`` also: ``refusal`` is said instead of a text, and the end may be ``failed``.
    """

    text: str | None = None
    calls: Mapping[str, Json] | None = None
    reasoning: str = ""
    refusal: str = ""
    failed: bool = False
    usage: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Choice:
    """What one choice says: text after reasoning, or calls of tools. ``echo`` is the prompt again."""

    pieces: tuple[str, ...] = ()
    reasoning: tuple[str, ...] = ()
    calls: tuple[Json, ...] = ()
    finish_reason: str = "stop"
    echo: str = ""

    @property
    def text(self) -> str:
        return self.echo + "".join(self.pieces)

    @property
    def tokens(self) -> int:
        called = sum(len(words(arguments(call))) for call in self.calls)
        return len(self.pieces) + len(self.reasoning) + called


def words(text: str) -> tuple[str, ...]:
    """The tokens of a text; joined they are the text again."""
    return tuple(_WORD.findall(text))


def text_of(content: str | list[Json] | None) -> str:
    """The text of a message's content, parts or not."""
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content)
    return content or ""


def chat_choice(request: Json, wish: Wish) -> Choice:
    """What a chat request is answered with."""
    calls, forced = _wished(wish.calls) if wish.calls is not None else _tool_calls(request)
    if calls:
        return Choice(calls=calls, finish_reason="stop" if forced else "tool_calls")
    text = wish.text if wish.text is not None else _structured(request) or _said(_last_user(request))
    limit = request.get("max_completion_tokens") or request.get("max_tokens")
    return _limited(text, limit, words(wish.reasoning))


def completion_choice(request: Json, prompt: str, wish: Wish) -> Choice:
    """What one prompt of a completions request is answered with."""
    text = wish.text if wish.text is not None else _said(prompt)
    echo = prompt if request.get("echo") else ""
    return _limited(text, request.get("max_tokens") or 16, echo=echo)


def sample(schema: Json) -> object:
    """A small value that fits a JSON schema of objects, arrays, scalars, enums and local refs."""
    return _sample(schema, schema)


def arguments(call: Json) -> str:
    """The arguments of a function call, the input of a custom one."""
    inner: Json = call[call["type"]]
    return str(inner.get("arguments", inner.get("input", "")))


def _limited(text: str, limit: int | None, reasoning: tuple[str, ...] = (), echo: str = "") -> Choice:
    pieces = words(text)
    if limit is not None and len(pieces) > limit:
        return Choice(pieces[:limit], reasoning, finish_reason="length", echo=echo)
    return Choice(pieces, reasoning, echo=echo)


def _said(prompt: str) -> str:
    head, exactly, tail = prompt.partition(_EXACTLY)
    return tail if exactly else f"You said: {head}"


def _last_user(request: Json) -> str:
    texts = [text_of(m.get("content")) for m in request["messages"] if m.get("role") == "user"]
    return texts[-1] if texts else ""


def _structured(request: Json) -> str | None:
    wanted = request.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        return json.dumps(sample(wanted["json_schema"].get("schema", {})))
    if wanted.get("type") == "json_object":
        return json.dumps({"text": _said(_last_user(request))})
    return None


def _sample(schema: Json, root: Json) -> object:
    if "$ref" in schema:
        return _sample(root["$defs"][schema["$ref"].rsplit("/", 1)[-1]], root)
    if "anyOf" in schema:
        return _sample(schema["anyOf"][0], root)
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    if schema.get("type") == "object":
        return {name: _sample(value, root) for name, value in schema.get("properties", {}).items()}
    if schema.get("type") == "array":
        return [_sample(schema.get("items", {}), root)]
    kinds: Json = {"integer": 7, "number": 0.5, "boolean": True, "null": None}
    return kinds.get(str(schema.get("type")), "Paris")


def _tool_calls(request: Json) -> tuple[tuple[Json, ...], bool]:
    """Calls of every tool that the last user message names, else of the first; was one forced?"""
    tools: list[Json] = request.get("tools") or []
    choice = request.get("tool_choice", "auto")
    if not tools or choice == "none" or request["messages"][-1].get("role") == "tool":
        return (), False
    if isinstance(choice, dict) and choice["type"] in {"function", "custom"}:
        name = choice[choice["type"]]["name"]
        return tuple(_call(tool, 0) for tool in tools if _name(tool) == name), True
    asked = _last_user(request)
    wanted = [tool for tool in tools if _name(tool) in asked] or tools[:1]
    if request.get("parallel_tool_calls") is False:
        wanted = wanted[:1]
    return tuple(_call(tool, index) for index, tool in enumerate(wanted)), False


def _wished(calls: Mapping[str, Json]) -> tuple[tuple[Json, ...], bool]:
    called = enumerate(calls.items())
    return tuple(_function_call(name, index, given) for index, (name, given) in called), False


def _name(tool: Json) -> str:
    return str(tool[tool["type"]]["name"])


def _call(tool: Json, index: int) -> Json:
    name = _name(tool)
    if tool["type"] == "custom":
        return {
            "id": f"call_{index}_{name}",
            "type": "custom",
            "custom": {"name": name, "input": "Paris"},
        }
    return _function_call(name, index, sample(tool["function"].get("parameters") or {"type": "object"}))


def _function_call(name: str, index: int, given: object) -> Json:
    function = {"name": name, "arguments": json.dumps(given)}
    return {"id": f"call_{index}_{name}", "type": "function", "function": function}
