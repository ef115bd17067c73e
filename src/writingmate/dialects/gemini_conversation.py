"""A chat's messages as Gemini's: ``system``, and contents of user and model (WIRE §10.2)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from writingmate.dialects import arguments, faults, gemini_parts, gemini_thoughts
from writingmate.dialects.gemini_parts import Part
from writingmate.dialects.unsupported import unsupported
from writingmate.errors import InvalidRequest

_INSTRUCTIONS = ("system", "developer")


class Conversation:
    """``system`` parts and ``contents``. Raises InvalidRequest or UnsupportedParameter when made.

    ``signs`` is for models that refuse a call without a signature, and take results with pictures.
    """

    def __init__(self, messages: list[Any], *, signs: bool) -> None:
        self.system: list[Part] = []
        self.contents: list[dict[str, Any]] = []
        self._signs = signs
        self._names: dict[str, str] = {}
        self._last = ""
        for at, message in enumerate(messages):
            self._add(message, f"messages[{at}]")
        if not self.contents:
            raise InvalidRequest("Invalid 'messages': none of the user's has any content.", param="messages")
        for content in self.contents:
            # Results are counted against the calls of the content before; what they show comes after them.
            content["parts"].sort(key=lambda part: "functionResponse" not in part)

    def _add(self, message: object, param: str) -> None:
        if not isinstance(message, dict):
            raise faults.invalid_type(param, "an object", message)
        role, content = message.get("role"), message.get("content")
        if role in _INSTRUCTIONS:
            self.system += _named(message, gemini_parts.texts(content, f"{param}.content"))
        elif role == "user":
            self._say("user", "user", _named(message, gemini_parts.parts(content, f"{param}.content")))
        elif role == "assistant":
            self._say("model", "model", self._spoken(message, param))
        elif role == "tool":
            self._say("user", "tool", self._result(message, param))
        else:
            raise unsupported(f"{param}.role", f"of '{faults.shown(str(role))}'", advice="Use tools instead.")

    def _say(self, role: str, kind: str, said: list[Part]) -> None:
        """Neighbours are one content; results of tools are one of their own."""
        if not said:
            return
        if kind == self._last:
            self.contents[-1]["parts"] += said
        else:
            self.contents.append({"role": role, "parts": said})
        self._last = kind

    def _spoken(self, message: dict[str, Any], param: str) -> list[Part]:
        for name in ("audio", "function_call"):
            if message.get(name) is not None:
                raise unsupported(f"{param}.{name}", advice="Use text and tool calls.")
        signatures = gemini_thoughts.Signatures(message)
        said = gemini_parts.texts(message.get("content"), f"{param}.content")
        said += gemini_parts.texts(message.get("refusal"), f"{param}.refusal")
        listed = message.get("tool_calls")
        calls = listed if isinstance(listed, list) else []
        made = [self._call(call, signatures, f"{param}.tool_calls[{at}]") for at, call in enumerate(calls)]
        _sign_text(said, made, signatures.text())
        if self._signs and made and not any("thoughtSignature" in call for call in made):
            made[0]["thoughtSignature"] = gemini_thoughts.UNSIGNED
        return said + made

    def _call(self, call: object, signatures: gemini_thoughts.Signatures, param: str) -> Part:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(call, dict) or not isinstance(function, dict):
            raise unsupported(param, "of another type than function", advice="Use functions.")
        name = function.get("name")
        if not isinstance(name, str):
            raise faults.missing(f"{param}.function.name")
        call_id = _id(call.get("id"), f"{param}.id")
        self._names[call_id] = name
        given = arguments.decoded(function.get("arguments"), f"{param}.function.arguments")
        part: Part = {"functionCall": {"id": call_id, "name": name, "args": given}}
        signature = signatures.call(call)
        return part if signature is None else {**part, "thoughtSignature": signature}

    def _result(self, message: dict[str, Any], param: str) -> list[Part]:
        where = f"{param}.tool_call_id"
        call_id = _id(message.get("tool_call_id"), where)
        if call_id not in self._names:
            raise InvalidRequest(f"Invalid '{where}': no call before it has this id.", param=where)
        found = list(gemini_parts.parts(message.get("content"), f"{param}.content"))
        text = "".join(part["text"] for part in found if "text" in part)
        shown = [part for part in found if "text" not in part]
        said: dict[str, Any] = {
            "id": call_id,
            "name": self._names[call_id],
            "response": {"result": text},
        }
        if shown and self._signs:
            return [{"functionResponse": {**said, "parts": shown}}]
        return [{"functionResponse": said}, *shown]


def _named(message: dict[str, Any], said: Iterable[Part]) -> list[Part]:
    """What a participant with a name says, after that name: Gemini has no other place for it."""
    parts, name = list(said), message.get("name")
    return [{"text": f"{name}:"}, *parts] if parts and isinstance(name, str) and name else parts


def _sign_text(said: list[Part], calls: list[Part], signature: str | None) -> None:
    """The signature of a text stands at its last part, that of nothing at a part of its own."""
    if signature is None:
        return
    if said:
        said[-1]["thoughtSignature"] = signature
    elif calls:
        calls[0].setdefault("thoughtSignature", signature)
    else:
        said.append({"text": "", "thoughtSignature": signature})


def _id(value: object, param: str) -> str:
    if not isinstance(value, str) or not value:
        raise faults.missing(param)
    return value
