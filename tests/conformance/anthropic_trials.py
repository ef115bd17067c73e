"""What is tried at the endpoint that speaks Anthropic's dialect, with Anthropic's own client."""

from __future__ import annotations

from typing import Any

from tests.conformance.trials import ASKED, PARAMETERS, PICTURE, SAID, City, Run, Trial

_MOST = 8192
_TOOLS: list[Any] = [{"name": "weather", "input_schema": PARAMETERS}]
_SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["name", "people"],
    "additionalProperties": False,
}


async def _asked(run: Run, content: Any, **fields: Any) -> Any:
    """The message that a user's content, or a conversation, is answered with."""
    talk = isinstance(content, list) and "role" in content[0]
    said = content if talk else [{"role": "user", "content": content}]
    asked: dict[str, Any] = {"model": run.model, "max_tokens": _MOST, "messages": said, **fields}
    if not run.stream:
        return await run.anthropic.messages.create(**asked)
    async with run.anthropic.messages.stream(**asked) as events:
        return await events.get_final_message()


def _text(message: Any) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


async def _plain(run: Run) -> None:
    assert _text(await _asked(run, ASKED)) == SAID


async def _tools(run: Run) -> None:
    asked: list[Any] = [{"role": "user", "content": "How is the weather?"}]
    message = await _asked(run, asked, tools=_TOOLS, tool_choice={"type": "any"})
    (call,) = (block for block in message.content if block.type == "tool_use")
    assert (call.name, call.input, message.stop_reason) == ("weather", {"city": "Paris"}, "tool_use")
    called = {"type": "tool_use", "id": call.id, "name": call.name, "input": call.input}
    asked += [
        {"role": "assistant", "content": [called]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}]},
    ]
    assert _text(await _asked(run, asked, tools=_TOOLS))


async def _schema(run: Run) -> None:
    form = {"format": {"type": "json_schema", "schema": _SCHEMA}}
    message = await _asked(run, ASKED, output_config=form)
    assert City.model_validate_json(_text(message)) == City(name="Paris", people=7)


async def _vision(run: Run) -> None:
    source = {"type": "base64", "media_type": "image/png", "data": PICTURE}
    shown = [{"type": "text", "text": ASKED}, {"type": "image", "source": source}]
    assert _text(await _asked(run, shown)) == SAID


async def _reasoning(run: Run) -> None:
    message = await _asked(run, ASKED, thinking={"type": "enabled", "budget_tokens": 2048})
    (thought,) = (block.thinking for block in message.content if block.type == "thinking")
    assert (thought.strip(), _text(message)) == ("Let me see.", SAID)


TRIALS: dict[str, Trial] = {
    "text": _plain,
    "tools": _tools,
    "schema": _schema,
    "vision": _vision,
    "reasoning": _reasoning,
}
