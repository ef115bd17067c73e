"""Aider, set up as the reference page says, edits a file. It has no function tools."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from tests.clients.stage import Ran, Stage
from tests.fakes.openai_upstream import Fault, Wish
from tests.installs import python_environment

pytestmark = pytest.mark.skipif(
    sys.version_info >= (3, 13), reason="Aider's releases are for Python before 3.13"
)

MODEL = "openai/google/gemini-2.5-flash"
BEFORE = 'print("before")\n'
AFTER = 'print("after")\n'
QUIET = (
    "--no-git",
    "--yes-always",
    "--no-check-update",
    "--no-show-release-notes",
    "--analytics-disable",
    "--no-show-model-warnings",
    "--disable-playwright",
)
# Its window and prices: for a model that Aider does not know it would fetch a list of those it might.
METADATA = {MODEL: {"max_input_tokens": 1_048_576, "max_output_tokens": 65_535, "litellm_provider": "openai"}}


async def aider(stage: Stage, *more: str) -> Ran:
    """Run it over the files of its home."""
    command = await asyncio.to_thread(python_environment, "clients-aider") / "aider"
    metadata = stage.home / ".aider.model.metadata.json"
    await asyncio.to_thread(metadata.write_text, json.dumps(METADATA))
    return await stage.run(
        command,
        *("--model", MODEL, *QUIET, *more),
        OPENAI_API_KEY=stage.live.key,
        OPENAI_API_BASE=stage.live.api,
        LITELLM_LOCAL_MODEL_COST_MAP="True",
    )


@pytest.mark.parametrize("streaming", ["--stream", "--no-stream"])
async def test_a_question(stage: Stage, streaming: str) -> None:
    ran = await aider(stage, streaming, "--message", "Reply with exactly: HELLO_FROM_AIDER")
    assert "HELLO_FROM_AIDER" in ran.out.splitlines()
    (sent,) = stage.documents()
    assert bool(sent.get("stream")) is (streaming == "--stream")
    (entry,) = stage.settled()
    assert entry["completion_tokens"] >= 1


@pytest.mark.parametrize("streaming", ["--stream", "--no-stream"])
async def test_an_edit(stage: Stage, streaming: str) -> None:
    file = stage.home / "hello.py"
    await asyncio.to_thread(file.write_text, BEFORE)
    stage.fake.script(Fault(wish=Wish(text=f"Like this:\n\nhello.py\n```python\n{AFTER}```\n")))
    ran = await aider(stage, streaming, "--message", "Say after.", file.name)
    assert "Applied edit to hello.py" in ran.out
    assert await asyncio.to_thread(Path.read_text, file) == AFTER
    (sent,) = stage.documents()
    said = [message["content"] for message in sent["messages"]]
    assert any(BEFORE in each for each in said)
    assert said[-1].startswith("Say after.")
    stage.settled()
