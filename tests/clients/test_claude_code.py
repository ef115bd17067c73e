"""Claude Code by the variables of the clients' page: over a provider that only chats, and over Anthropic."""

from __future__ import annotations

import asyncio
import json
import platform
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.clients.stage import FLASH, Stage
from tests.fakes.anthropic_upstream import FakeAnthropic
from tests.fakes.openai_upstream import Fault, Wish
from tests.installs import npm_packages
from tests.live import serving, settings_for
from writingmate.storage import tables

VERSION = "2.1.332"
MACHINE = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine())
KEY = "sk-ant-api03-operators-own-0123456789"
HAIKU = "claude-haiku-4-5"
CHAT = "/v1/chat/completions"

pytestmark = pytest.mark.skipif(
    MACHINE is None or sys.platform != "linux",
    reason="the program is installed for Linux on two kinds of machine",
)


@pytest.fixture
async def native(stage: Stage, tmp_path: Path) -> AsyncIterator[tuple[Stage, FakeAnthropic]]:
    """The same stage with another gateway, which has Anthropic behind it."""
    async with FakeAnthropic(key=KEY) as fake:
        environ = {"ANTHROPIC_API_KEY": KEY, "ANTHROPIC_BASE_URL": fake.host}
        with serving(settings_for(tmp_path / "native", environ=environ)) as live:
            yield replace(stage, live=live), fake


async def claude(
    stage: Stage, model: str, message: str, *options: str, **environ: str
) -> list[dict[str, Any]]:
    """Run it with a message in a folder of its own; what it tells of its turns, one after the other."""
    package = f"@anthropic-ai/claude-code-linux-{MACHINE}"
    modules = await asyncio.to_thread(npm_packages, {package: VERSION})
    project = stage.home / "project"
    await asyncio.to_thread(project.mkdir)
    variables = {
        "ANTHROPIC_BASE_URL": f"{stage.live.url}/api/anthropic",
        "ANTHROPIC_MODEL": model,
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": model,
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }
    ran = await stage.run(
        modules / "node_modules" / package / "claude",
        *("-p", message, "--output-format", "stream-json", "--verbose", *options),
        cwd=project,
        **(variables | (environ or {"ANTHROPIC_AUTH_TOKEN": stage.live.key})),
    )
    return [json.loads(line) for line in ran.out.splitlines()]


async def test_a_turn_over_chat(stage: Stage) -> None:
    stage.fake.script(Fault(wish=Wish(text="HELLO FROM CLAUDE CODE", calls={})))
    told = await claude(stage, FLASH, "hello")
    assert told[-1]["result"] == "HELLO FROM CLAUDE CODE"
    for sent in stage.documents():
        assert sent["stream"] is True
    entries = stage.settled()
    assert {entry["endpoint"] for entry in entries} == {"messages"}
    used = told[-1]["usage"]
    assert (used["input_tokens"], used["output_tokens"]) in {
        (entry["prompt_tokens"], entry["completion_tokens"]) for entry in entries
    }


async def test_a_tool_there_and_back_over_chat(stage: Stage) -> None:
    file = stage.home / "project" / "hello.txt"
    written = {"file_path": str(file), "content": "written by a tool\n"}
    stage.fake.script(Fault(wish=Wish(calls={"Write": written})), path=CHAT, times=1)
    stage.fake.script(Fault(wish=Wish(text="Done.", calls={})), path=CHAT)
    told = await claude(stage, FLASH, "Write hello.txt.", "--permission-mode", "acceptEdits")
    assert told[-1]["result"] == "Done."
    assert await asyncio.to_thread(file.read_text) == written["content"]
    call, result = [
        message
        for message in stage.documents()[-1]["messages"]
        if message.get("tool_calls") or message["role"] == "tool"
    ]
    assert json.loads(call["tool_calls"][0]["function"]["arguments"]) == written
    assert result["tool_call_id"] == call["tool_calls"][0]["id"]
    stage.settled()


async def test_a_tool_there_and_back_over_anthropic(native: tuple[Stage, FakeAnthropic]) -> None:
    stage, fake = native
    file = stage.home / "project" / "hello.txt"
    written = {"file_path": str(file), "content": "written by a tool\n"}
    fake.script(Fault(wish=Wish(calls={"Write": written})), path="/v1/messages", times=1)
    fake.script(Fault(wish=Wish(text="Done.", calls={})), path="/v1/messages")
    options = ("--permission-mode", "acceptEdits")
    told = await claude(stage, HAIKU, "Write hello.txt.", *options, ANTHROPIC_API_KEY=stage.live.key)
    assert told[-1]["result"] == "Done."
    assert await asyncio.to_thread(file.read_text) == written["content"]
    asked = [call for call in fake.calls if call.path == "/v1/messages"]
    for call in asked:
        assert "claude-code-20250219" in call.headers["anthropic-beta"]
        assert call.headers["x-api-key"] == KEY
        assert call.document["model"] == HAIKU
    with stage.live.database.reading() as connection:
        entries = connection.execute(select(tables.entries)).all()
    assert len(entries) == len(asked)
    assert {(entry.model, entry.endpoint) for entry in entries} == {
        ("anthropic/claude-haiku-4.5", "messages")
    }
