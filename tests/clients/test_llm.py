"""Simon Willison's ``llm``, set up as the reference page says."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.clients.stage import FLASH, PAGE, Stage
from tests.installs import python_environment

MODELS = """
- model_id: writingmate-gemini-flash
  model_name: google/gemini-2.5-flash
  api_base: "https://writingmate.ai/api/openai/v1"
  api_key_name: openai
"""
ABLE = """\
  supports_tools: true
  supports_schema: true
"""
WEATHER = '''
def weather(city: str) -> str:
    """Look up the weather of a city."""
    return f"sunny in {city}"
'''
SECOND = "How is the weather of Paris?"


async def defined(stage: Stage, models: str) -> Path:
    """The command, with the key stored and these models defined."""
    command = await asyncio.to_thread(python_environment, "clients-libraries") / "llm"
    await stage.run(command, "keys", "set", "openai", "--value", stage.live.key)
    folder = Path((await stage.run(command, "logs", "path")).out.strip()).parent
    file = folder / "extra-openai-models.yaml"
    await asyncio.to_thread(file.write_text, models.replace(PAGE, stage.live.api))
    return command


@pytest.fixture
async def llm(stage: Stage) -> Path:
    """With the page's own definition."""
    return await defined(stage, MODELS)


@pytest.fixture
async def able_llm(stage: Stage) -> Path:
    """With a definition that says what the model can do."""
    return await defined(stage, MODELS + ABLE)


@pytest.mark.parametrize("more", [(), ("--no-stream",)])
async def test_a_turn_streamed_and_not(stage: Stage, llm: Path, more: tuple[str, ...]) -> None:
    ran = await stage.run(llm, "-m", "writingmate-gemini-flash", *more, "Reply with exactly: HELLO_FROM_LLM")
    assert ran.out == "HELLO_FROM_LLM\n"
    (sent,) = stage.documents()
    assert sent["messages"] == [{"role": "user", "content": "Reply with exactly: HELLO_FROM_LLM"}]
    assert bool(sent.get("stream")) is not bool(more)
    (entry,) = stage.settled()
    assert entry["completion_tokens"] == 1
    assert entry["model"] == FLASH


async def test_a_conversation_goes_on(stage: Stage, llm: Path) -> None:
    await stage.run(
        llm, "-m", "writingmate-gemini-flash", "--system", "Be concise.", "Reply with exactly: one"
    )
    ran = await stage.run(llm, "--continue", "Reply with exactly: two")
    assert ran.out == "two\n"
    assert [message["role"] for message in stage.documents()[1]["messages"]] == [
        "system",
        "user",
        "assistant",
        "user",
    ]
    assert len(stage.settled()) == 2


@pytest.mark.parametrize("more", [(), ("--no-stream",)])
async def test_a_tool_there_and_back(stage: Stage, able_llm: Path, more: tuple[str, ...]) -> None:
    ran = await stage.run(able_llm, "-m", "writingmate-gemini-flash", *more, "--functions", WEATHER, SECOND)
    assert ran.out == f"You said: {SECOND}\n"
    first, second = stage.documents()
    assert [tool["function"]["name"] for tool in first["tools"]] == ["weather"]
    call, result = second["messages"][-2:]
    assert json.loads(call["tool_calls"][0]["function"]["arguments"]) == {"city": "Paris"}
    assert (result["role"], result["content"]) == ("tool", "sunny in Paris")
    assert result["tool_call_id"] == call["tool_calls"][0]["id"]
    assert len(stage.settled()) == 2


async def test_a_schema(stage: Stage, able_llm: Path) -> None:
    schema = "name, inhabitants int"
    ran = await stage.run(able_llm, "-m", "writingmate-gemini-flash", "--schema", schema, "Where?")
    assert ran.document == {"name": "Paris", "inhabitants": 7}
    assert stage.documents()[0]["response_format"]["type"] == "json_schema"
    stage.settled()
