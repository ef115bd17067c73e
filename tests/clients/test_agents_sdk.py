"""The OpenAI Agents SDK, over chat completions and over responses."""

from __future__ import annotations

import asyncio

import pytest

from tests.clients.programs import agents_turns
from tests.clients.stage import Stage
from tests.installs import python_environment

QUESTION = "How is the weather of Paris?"


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_every_turn(stage: Stage, api: str) -> None:
    python = await asyncio.to_thread(python_environment, "clients-libraries") / "python"
    ran = await stage.run(
        python, "-P", agents_turns.__file__, api, BASE_URL=stage.live.api, API_KEY=stage.live.key
    )
    seen = ran.document
    assert seen["run"] == "HELLO"
    assert seen["streamed"] == ["one two three", ["one ", "two ", "three"]]
    steps = ["tool_call_item", "tool_call_output_item", "message_output_item"]
    assert seen["tools"] == [f"You said: {QUESTION}", steps, 2]
    assert seen["tools_streamed"] == [
        f"You said: {QUESTION}",
        ["tool_called", "tool_output", "message_output_created"],
    ]
    assert seen["structured"] == {"name": "Paris", "inhabitants": 7}
    sent = stage.documents()
    assert [bool(document.get("stream")) for document in sent] == [
        False,
        True,
        False,
        False,
        True,
        True,
        False,
    ]
    assert [message["role"] for message in sent[3]["messages"]] == ["system", "user", "assistant", "tool"]
    assert sent[3]["messages"][-1]["content"] == "sunny in Paris"
    assert sent[2]["tools"][0]["function"]["name"] == "weather"
    assert sent[6]["response_format"]["type"] == "json_schema"
    entries = stage.settled()
    assert seen["tokens"] == [
        sum(entry["prompt_tokens"] for entry in entries[2:4]),
        sum(entry["completion_tokens"] for entry in entries[2:4]),
    ]
