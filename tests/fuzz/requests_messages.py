"""What clients of Anthropic's ask (WIRE §10.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.fuzz import fields

if TYPE_CHECKING:
    from tests.fuzz.requests import Asked

Json = dict[str, Any]


def messages(asked: Asked) -> Json:
    """A message."""
    said = [turn for _ in range(asked.chance.randint(1, 3)) for turn in _turns(asked)]
    if said[-1]["role"] == "assistant" or asked.maybe(0.5):
        said.append({"role": "user", "content": _content(asked)})
    request: Json = {"max_tokens": asked.chance.choice((1, 100, 5000)), "messages": said}
    request |= fields.some("messages", asked.chance)
    if asked.maybe(0.5):
        request["system"] = asked.marks.text() if asked.maybe(0.5) else [_text(asked), _text(asked)]
    if asked.maybe(0.5):
        request |= _tools(asked)
    if asked.maybe(0.2):
        schema = fields.schema(asked.marks)
        request["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
    return request


def _turns(asked: Asked) -> list[Json]:
    user: Json = {"role": "user", "content": _content(asked, pictures=True)}
    if asked.maybe(0.4):
        return [user, {"role": "assistant", "content": _content(asked)}]
    if asked.maybe(0.2):
        return [user]
    calls = [_call(asked) for _ in range(asked.chance.randint(1, 2))]
    before = [_text(asked)] if asked.maybe(0.5) else []
    results: list[Json] = [_result(asked, call["id"]) for call in calls]
    return [user, {"role": "assistant", "content": before + calls}, {"role": "user", "content": results}]


def _call(asked: Asked) -> Json:
    given: Json = {} if asked.maybe(0.2) else {"q": asked.marks.text(), "n": [1, 2.5, None]}
    return {"type": "tool_use", "id": asked.marks.word(), "name": asked.marks.word(), "input": given}


def _result(asked: Asked, call_id: str) -> Json:
    result: Json = {"type": "tool_result", "tool_use_id": call_id}
    if asked.maybe(0.9):
        result["content"] = _content(asked, pictures=asked.maybe(0.3))
    if asked.maybe(0.1):
        result["is_error"] = asked.maybe(0.5)
    return result


def _content(asked: Asked, *, pictures: bool = False) -> Any:
    if asked.maybe(0.5):
        return asked.marks.text()
    blocks = [_text(asked) for _ in range(asked.chance.randint(1, 2))]
    if pictures and asked.maybe(0.4):
        data = {"type": "base64", "media_type": "image/png", "data": asked.marks.payload()}
        blocks.append({"type": "image", "source": {"type": "url", "url": asked.marks.address()}})
        blocks.append({"type": "image", "source": data})
    return blocks


def _text(asked: Asked) -> Json:
    block: Json = {"type": "text", "text": asked.marks.text()}
    return block | {"cache_control": {"type": "ephemeral"}} if asked.maybe(0.1) else block


def _tools(asked: Asked) -> Json:
    tools: list[Json] = []
    for _ in range(asked.chance.randint(1, 2)):
        tool: Json = {"name": asked.marks.word(), "input_schema": fields.schema(asked.marks)}
        tools.append(tool | {"description": asked.marks.text()} if asked.maybe(0.7) else tool)
    said: Json = {"tools": tools}
    if asked.maybe(0.4):
        choices: list[Json] = [{"type": "auto"}, {"type": "any"}, {"type": "none"}]
        choices.append({"type": "tool", "name": tools[0]["name"], "disable_parallel_tool_use": True})
        said["tool_choice"] = asked.chance.choice(choices)
    return said
