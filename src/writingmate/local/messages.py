"""A conversation in OpenAI's roles, as the three that the embedded models know: system, user, assistant.

The grammar of the chat dialect has only looked at whether there are messages; here each is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from writingmate.dialects import faults
from writingmate.errors import InvalidRequest, UnsupportedParameter
from writingmate.local.manifest import LocalModel

Turn: TypeAlias = dict[Literal["role", "content"], str]

ROLES = ("system", "developer", "user", "assistant", "tool")

#: Without it both shipped models repeat the call whose result they have just been given.
PROMPT_TO_ANSWER = "If that answers my question, answer it in words."

_CONTROL = re.compile(r"<\|(im_start|im_end|endoftext)\|>")


def turns(messages: Sequence[Any], model: LocalModel, tools: str) -> list[Turn]:
    """What the model reads. ``tools`` describes what it may call, and goes into the system message.

    Raises InvalidRequest naming the message at fault, UnsupportedParameter for what is not text.
    """
    read = list(_read(messages, model))
    if not read or read[0]["role"] != "system":
        read.insert(0, {"role": "system", "content": model.system})
    if tools:
        read[0]["content"] += f"\n\n{tools}"
    return read


def _read(messages: Sequence[Any], model: LocalModel) -> Iterator[Turn]:
    calls: dict[str, _Call] = {}
    results: list[str] = []
    for at, message in enumerate(messages):
        param = f"messages[{at}]"
        role = _role(message, param)
        if role == "tool":
            results.append(_result(message, param, calls, model))
            continue
        if results:
            yield _said("user", results)
            results = []
        text = (
            [] if message.get("content") is None else [_text(message["content"], f"{param}.content", model)]
        )
        if role == "assistant":
            made = {call.id: call for call in _calls(message, param)}
            calls |= made
            text += [f"I call {call.name} with {call.arguments}." for call in made.values()]
        if not text:
            raise faults.missing(f"{param}.content")
        yield _said("system" if role == "developer" else role, text)
    if results:
        yield _said("user", [*results, PROMPT_TO_ANSWER])


def _said(role: str, lines: Sequence[str]) -> Turn:
    """A turn. What would end it and begin another is made plain text: contents cannot forge turns."""
    return {"role": role, "content": _CONTROL.sub(r"<| \1 |>", "\n".join(lines))}


def _role(message: Any, param: str) -> str:  # noqa: ANN401  # any JSON value
    if not isinstance(message, dict):
        raise faults.invalid_type(param, "an object", message)
    role = message.get("role")
    if role is None:
        raise faults.missing(f"{param}.role")
    if not isinstance(role, str):
        raise faults.invalid_type(f"{param}.role", "a string", role)
    if role == "function":
        raise UnsupportedParameter(
            "Unsupported role: 'function' is deprecated; use 'tool' messages with a 'tool_call_id'.",
            param=f"{param}.role",
        )
    if role not in ROLES:
        raise faults.invalid_value(f"{param}.role", role, ROLES)
    return role


def _text(content: Any, param: str, model: LocalModel) -> str:  # noqa: ANN401  # any JSON value
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        raise faults.invalid_type(param, "one of a string or array of objects", content)
    if not content:
        raise faults.empty_array(param)
    return "\n".join(_part(part, f"{param}[{at}]", model) for at, part in enumerate(content))


def _part(part: Any, param: str, model: LocalModel) -> str:  # noqa: ANN401  # any JSON value
    if not isinstance(part, dict):
        raise faults.invalid_type(param, "an object", part)
    kind = part.get("type")
    if kind is None:
        raise faults.missing(f"{param}.type")
    if kind not in {"text", "refusal"}:
        raise UnsupportedParameter(
            f"Unsupported content: '{faults.shown(str(kind))}' cannot be used with {model.slug}, "
            "which reads text only.",
            param=f"{param}.type",
        )
    return _string(part, kind, param)


def _string(owner: Mapping[str, Any], name: str, param: str) -> str:
    value = owner.get(name)
    if value is None:
        raise faults.missing(f"{param}.{name}")
    if not isinstance(value, str):
        raise faults.invalid_type(f"{param}.{name}", "a string", value)
    return value


@dataclass(frozen=True, slots=True)
class _Call:
    id: str
    name: str
    arguments: str


def _calls(message: Mapping[str, Any], param: str) -> Iterator[_Call]:
    calls = message.get("tool_calls")
    if calls is None:
        return
    if not isinstance(calls, list):
        raise faults.invalid_type(f"{param}.tool_calls", "an array of objects", calls)
    for at, call in enumerate(calls):
        yield _call(call, f"{param}.tool_calls[{at}]")


def _call(call: Any, param: str) -> _Call:  # noqa: ANN401  # any JSON value
    if not isinstance(call, dict):
        raise faults.invalid_type(param, "an object", call)
    if call.get("type", "function") != "function":
        raise UnsupportedParameter(
            "Only function tools are supported by embedded models.", param=f"{param}.type"
        )
    function = call.get("function")
    if not isinstance(function, dict):
        raise faults.missing(f"{param}.function")
    where = f"{param}.function"
    return _Call(
        _string(call, "id", param), _string(function, "name", where), _string(function, "arguments", where)
    )


def _result(message: Mapping[str, Any], param: str, calls: Mapping[str, _Call], model: LocalModel) -> str:
    call = calls.get(_string(message, "tool_call_id", param))
    if call is None:
        raise InvalidRequest(
            "Invalid 'tool_call_id': a message with role 'tool' must answer a tool call "
            "of an assistant message before it.",
            param=f"{param}.tool_call_id",
        )
    content = message.get("content")
    if content is None:
        raise faults.missing(f"{param}.content")
    return f"{call.name} with {call.arguments} returned: {_text(content, f'{param}.content', model)}"
