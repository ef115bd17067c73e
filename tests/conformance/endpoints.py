"""What is tried at each endpoint, with its vendor's own client, and what must come of it.

An endpoint is its dialect, its path and its trials by feature. A trial raises AssertionError if what came
is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.conformance import anthropic_trials
from tests.conformance.trials import ASKED, PARAMETERS, PICTURE, SAID, City, Run, Trial
from writingmate.types import DialectName

FEATURES = ("text", "tools", "schema", "vision", "reasoning")


@dataclass(frozen=True)
class Endpoint:
    """A feature without a trial is one that the endpoint does not have."""

    dialect: DialectName
    path: str
    trials: Mapping[str, Trial]


_URL = f"data:image/png;base64,{PICTURE}"


async def _chat(run: Run, content: Any, **fields: Any) -> Any:
    """The message that a user's content, or a conversation, is answered with."""
    said: list[Any] = (
        content
        if isinstance(content, list) and "role" in content[0]
        else [{"role": "user", "content": content}]
    )
    if run.stream:
        async with run.client.chat.completions.stream(model=run.model, messages=said, **fields) as events:
            answer: Any = await events.get_final_completion()
    elif "response_format" in fields:
        answer = await run.client.chat.completions.parse(model=run.model, messages=said, **fields)
    else:
        answer = await run.client.chat.completions.create(model=run.model, messages=said, **fields)
    return answer.choices[0].message


async def _chat_text(run: Run) -> None:
    assert (await _chat(run, ASKED)).content == SAID


async def _chat_tools(run: Run) -> None:
    tools = [{"type": "function", "function": {"name": "weather", "strict": True, "parameters": PARAMETERS}}]
    asked: list[Any] = [{"role": "user", "content": "How is the weather?"}]
    message = await _chat(run, asked, tools=tools, tool_choice="required")
    (call,) = message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Paris"})
    called = {"id": call.id, "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    asked += [
        {"role": "assistant", "tool_calls": [called]},
        {"role": "tool", "tool_call_id": call.id, "content": "sunny"},
    ]
    assert (await _chat(run, asked, tools=tools)).content


async def _chat_schema(run: Run) -> None:
    message = await _chat(run, ASKED, response_format=City)
    assert message.parsed == City(name="Paris", people=7)


async def _chat_vision(run: Run) -> None:
    shown = [{"type": "text", "text": ASKED}, {"type": "image_url", "image_url": {"url": _URL}}]
    assert (await _chat(run, shown)).content == SAID


async def _chat_reasoning(run: Run) -> None:
    message = await _chat(run, ASKED, reasoning_effort="low")
    assert message.content == SAID
    assert message.reasoning_content.strip() == "Let me see."


async def _completions_text(run: Run) -> None:
    if not run.stream:
        answer = await run.client.completions.create(model=run.model, prompt=ASKED)
        assert answer.choices[0].text == SAID
        return
    # The published type forgets that a finish_reason is null until the last.
    client = run.client.copy(_extra_kwargs={"_strict_response_validation": False})
    stream = await client.completions.create(model=run.model, prompt=ASKED, stream=True)
    chunks = [chunk async for chunk in stream]
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == SAID


async def _responses(run: Run, asked: Any, **fields: Any) -> Any:
    """The response to an input."""
    if run.stream:
        async with run.client.responses.stream(model=run.model, input=asked, **fields) as events:
            return await events.get_final_response()
    if "text_format" in fields:
        return await run.client.responses.parse(model=run.model, input=asked, **fields)
    return await run.client.responses.create(model=run.model, input=asked, **fields)


async def _responses_text(run: Run) -> None:
    assert (await _responses(run, ASKED)).output_text == SAID


async def _responses_tools(run: Run) -> None:
    tools = [{"type": "function", "name": "weather", "strict": True, "parameters": PARAMETERS}]
    asked: list[Any] = [{"role": "user", "content": "How is the weather?"}]
    response = await _responses(run, asked, tools=tools, tool_choice="required")
    (call,) = (item for item in response.output if item.type == "function_call")
    assert (call.name, json.loads(call.arguments)) == ("weather", {"city": "Paris"})
    kept = {"type": "function_call", "call_id": call.call_id, "name": call.name, "arguments": call.arguments}
    asked += [kept, {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}]
    assert (await _responses(run, asked, tools=tools)).output_text


async def _responses_schema(run: Run) -> None:
    response = await _responses(run, ASKED, text_format=City)
    assert response.output_parsed == City(name="Paris", people=7)


async def _responses_vision(run: Run) -> None:
    shown = {"type": "input_image", "image_url": _URL, "detail": "auto"}
    asked = [{"role": "user", "content": [{"type": "input_text", "text": ASKED}, shown]}]
    assert (await _responses(run, asked)).output_text == SAID


async def _responses_reasoning(run: Run) -> None:
    effort = {"effort": "low", "summary": "auto"}
    response = await _responses(run, ASKED, reasoning=effort)
    assert response.output_text == SAID
    (item,) = (item for item in response.output if item.type == "reasoning")
    assert item.summary[0].text.strip() == "Let me see."


ENDPOINTS = (
    Endpoint(
        "chat",
        "/api/openai/v1/chat/completions",
        {
            "text": _chat_text,
            "tools": _chat_tools,
            "schema": _chat_schema,
            "vision": _chat_vision,
            "reasoning": _chat_reasoning,
        },
    ),
    Endpoint("completions", "/api/openai/v1/completions", {"text": _completions_text}),
    Endpoint(
        "responses",
        "/api/openai/v1/responses",
        {
            "text": _responses_text,
            "tools": _responses_tools,
            "schema": _responses_schema,
            "vision": _responses_vision,
            "reasoning": _responses_reasoning,
        },
    ),
    Endpoint("messages", "/api/anthropic/v1/messages", anthropic_trials.TRIALS),
)
