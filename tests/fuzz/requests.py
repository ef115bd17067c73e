"""What clients ask, in each of their dialects: mostly well-formed, with everything that a grammar has."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from tests.fuzz import fields
from tests.fuzz.marks import Marks
from tests.fuzz.requests_messages import messages

Json = dict[str, Any]

_PDF = "data:application/pdf;base64,"
_PNG = "data:image/png;base64,"


class Asked:
    """One request's making: ``chance`` decides, ``marks`` are what has to arrive of it."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.marks = Marks(chance)

    def maybe(self, share: float) -> bool:
        """Yes in so many cases."""
        return self.chance.random() < share

    def arguments(self) -> str:
        """JSON of a call's."""
        if self.maybe(0.2):
            return self.chance.choice(("", "{}"))
        return json.dumps({"q": self.marks.text(), "n": [1, 2.5, None]}, ensure_ascii=self.maybe(0.5))


def chat(asked: Asked) -> Json:
    """A chat request."""
    said = [message for _ in range(asked.chance.randint(1, 3)) for message in _exchange(asked)]
    if asked.maybe(0.4):
        said.insert(0, {"role": asked.chance.choice(("system", "developer")), "content": _content(asked)})
    if asked.maybe(0.8):
        said.append({"role": "user", "content": _content(asked)})
    request: Json = {"messages": said, **fields.some("chat", asked.chance)}
    if asked.maybe(0.5):
        request |= _tools(asked)
    if asked.maybe(0.25):
        request["response_format"] = fields.response_format(asked.marks, asked.chance)
    if request.get("logprobs") and asked.maybe(0.5):
        request["top_logprobs"] = 3
    if request.get("stream") and asked.maybe(0.5):
        request["stream_options"] = {"include_usage": asked.maybe(0.5)}
    return request


def _exchange(asked: Asked) -> list[Json]:
    """What the user said and the assistant answered, with the tools that it called in between."""
    user: Json = {"role": "user", "content": _content(asked, pictures=True)}
    if asked.maybe(0.1):
        user["name"] = "ann"
    if asked.maybe(0.2):
        return [user]
    answer: Json = {"role": "assistant"}
    if asked.maybe(0.6):
        return [user, answer | {"content": _content(asked)}]
    calls = [_call(asked) for _ in range(asked.chance.randint(1, 2))]
    answer |= {"content": None if asked.maybe(0.5) else _content(asked), "tool_calls": calls}
    results = [{"role": "tool", "tool_call_id": call["id"], "content": _content(asked)} for call in calls]
    return [user, answer, *results]


def _call(asked: Asked) -> Json:
    function = {"name": asked.marks.word(), "arguments": asked.arguments()}
    return {"id": asked.marks.word(), "type": "function", "function": function}


def _content(asked: Asked, *, pictures: bool = False) -> Any:
    if asked.maybe(0.5):
        return asked.marks.text()
    parts: list[Json] = [
        {"type": "text", "text": asked.marks.text()} for _ in range(asked.chance.randint(1, 2))
    ]
    if pictures and asked.maybe(0.4):
        url = asked.marks.address() if asked.maybe(0.5) else _PNG + asked.marks.payload()
        parts.append({"type": "image_url", "image_url": {"url": url}})
    if pictures and asked.maybe(0.2):
        file = {"filename": asked.marks.label(), "file_data": _PDF + asked.marks.payload()}
        parts.append({"type": "file", "file": file})
    return parts


def _tools(asked: Asked) -> Json:
    """Functions, and the choice among them."""
    functions = [_function(asked) for _ in range(asked.chance.randint(1, 3))]
    said: Json = {"tools": [{"type": "function", "function": each} for each in functions]}
    choices: list[Any] = [
        "auto",
        "none",
        "required",
        {"type": "function", "function": {"name": functions[0]["name"]}},
    ]
    if asked.maybe(0.4):
        said["tool_choice"] = asked.chance.choice(choices)
    if asked.maybe(0.3):
        said["parallel_tool_calls"] = asked.maybe(0.5)
    return said


def _function(asked: Asked) -> Json:
    function: Json = {"name": asked.marks.word()}
    if asked.maybe(0.7):
        function["description"] = asked.marks.text()
    if asked.maybe(0.8):
        function["parameters"] = fields.schema(asked.marks)
    if asked.maybe(0.3):
        function["strict"] = asked.maybe(0.5)
    return function


def completions(asked: Asked) -> Json:
    """A completion."""
    prompts = [asked.marks.text() for _ in range(asked.chance.randint(1, 3))]
    request: Json = {"prompt": prompts[0] if len(prompts) == 1 and asked.maybe(0.7) else prompts}
    request |= fields.some("completions", asked.chance)
    if request.get("stream") and asked.maybe(0.5):
        request["stream_options"] = {"include_usage": True}
    return request


def responses(asked: Asked) -> Json:
    """A response."""
    items = [item for _ in range(asked.chance.randint(0, 4)) for item in _items(asked)]
    request: Json = {"input": items or asked.marks.text(), **fields.some("responses", asked.chance)}
    if asked.maybe(0.4):
        request["instructions"] = asked.marks.text()
    if asked.maybe(0.5):
        request |= _flat_tools(asked)
    if asked.maybe(0.25):
        request["text"] = _text_format(asked)
    if asked.maybe(0.1):
        request["top_logprobs"] = 2
    return request


def _items(asked: Asked) -> list[Json]:
    kind = asked.chance.choice(
        ("user", "user", "assistant", "system", "developer", "call", "call", "custom", "reasoning")
    )
    if kind == "reasoning":
        summary = [{"type": "summary_text", "text": "I thought."}]
        return [{"type": "reasoning", "id": asked.marks.name(), "summary": summary}]
    if kind in {"call", "custom"}:
        return _called(asked, custom=kind == "custom")
    message: Json = {"role": kind, "content": _flat_content(asked, kind)}
    return [message if asked.maybe(0.5) else {"type": "message", **message}]


def _called(asked: Asked, *, custom: bool) -> list[Json]:
    form, member = ("custom_tool_call", "input") if custom else ("function_call", "arguments")
    called = []
    for _ in range(asked.chance.randint(1, 2)):
        given = asked.marks.text() if custom else asked.arguments()
        called.append(
            {"type": form, "call_id": asked.marks.word(), "name": asked.marks.word(), member: given}
        )
    outputs = [
        {"type": f"{form}_output", "call_id": call["call_id"], "output": _flat_content(asked, "tool")}
        for call in called
    ]
    return [*called, *outputs]


def _flat_content(asked: Asked, role: str) -> Any:
    if asked.maybe(0.5):
        return asked.marks.text()
    form = "output_text" if role == "assistant" else "input_text"
    parts: list[Json] = [
        {"type": form, "text": asked.marks.text()} for _ in range(asked.chance.randint(1, 2))
    ]
    if role == "assistant" and asked.maybe(0.2):
        parts.append({"type": "refusal", "refusal": asked.marks.text()})
    if role in {"user", "tool"} and asked.maybe(0.3):
        url = asked.marks.address() if asked.maybe(0.5) else _PNG + asked.marks.payload()
        parts.append({"type": "input_image", "image_url": url, "detail": "auto"})
    if role in {"user", "tool"} and asked.maybe(0.2):
        file = {"filename": asked.marks.label(), "file_data": _PDF + asked.marks.payload()}
        parts.append({"type": "input_file", **file})
    return parts


def _flat_tools(asked: Asked) -> Json:
    tools: list[Json] = [{"type": "function", **_function(asked)} for _ in range(asked.chance.randint(1, 2))]
    if asked.maybe(0.3):
        tools.append({"type": "custom", "name": asked.marks.word(), "description": asked.marks.text()})
    if asked.maybe(0.1):
        tools.append({"type": "web_search"})
    said: Json = {"tools": tools}
    if asked.maybe(0.4):
        choices: list[Any] = ["auto", "none", "required", {"type": "function", "name": tools[0]["name"]}]
        said["tool_choice"] = asked.chance.choice(choices)
    if asked.maybe(0.3):
        said["parallel_tool_calls"] = asked.maybe(0.5)
    return said


def _text_format(asked: Asked) -> Json:
    form = fields.response_format(asked.marks, asked.chance)
    flat = {"type": form["type"], **form.get("json_schema", {})}
    return {"format": flat} if asked.maybe(0.7) else {"format": flat, "verbosity": "low"}


REQUESTS: dict[str, Callable[[Asked], Json]] = {
    "chat": chat,
    "completions": completions,
    "responses": responses,
    "messages": messages,
}
