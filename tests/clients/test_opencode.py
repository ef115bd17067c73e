"""OpenCode with the reference page's ``config.json``; it always streams and always has tools."""

from __future__ import annotations

import asyncio
import json
import platform
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.clients.stage import PAGE, Stage
from tests.fakes.openai_upstream import Fault, Wish
from tests.installs import npm_packages

VERSION = "1.18.33"
MACHINE = {"x86_64": "x64-baseline", "aarch64": "arm64"}.get(platform.machine())
CONFIG = """
{
  "$schema": "https://opencode.ai/config.json",
  "provider": {
    "writingmate": {
      "npm": "@ai-sdk/openai-compatible",
      "name": "Writingmate",
      "options": {
        "baseURL": "https://writingmate.ai/api/openai/v1",
        "apiKey": "{env:OPENAI_API_KEY}"
      },
      "models": {
        "google/gemini-2.5-flash": {},
        "openai/gpt-5-mini": {}
      }
    }
  }
}
"""
MODEL = "writingmate/google/gemini-2.5-flash"
PLUGIN = "@opencode-ai/plugin"

pytestmark = pytest.mark.skipif(
    MACHINE is None or sys.platform != "linux",
    reason="the program is installed for Linux on two kinds of machine",
)


def configure(stage: Stage) -> Path:
    """The page's file in its place, and the folder it is to work in."""
    folder = stage.home / "config" / "opencode"
    # A first start fetches the types of its plugins; so it looks after one, and it fetches nothing.
    (folder / "node_modules").mkdir(parents=True)
    lock = {"lockfileVersion": 3, "packages": {"": {"dependencies": {PLUGIN: VERSION}}}}
    (folder / "package-lock.json").write_text(json.dumps(lock))
    (folder / "config.json").write_text(CONFIG.replace(PAGE, stage.live.api))
    project = stage.home / "project"
    project.mkdir()
    return project


async def opencode(stage: Stage, project: Path, message: str) -> list[dict[str, Any]]:
    """Run it with a message; the parts of its answer."""
    package = f"opencode-linux-{MACHINE}"
    modules = await asyncio.to_thread(npm_packages, {package: VERSION})
    ran = await stage.run(
        modules / "node_modules" / package / "bin" / "opencode",
        *("run", "--format", "json", "--title", "A title of its own", "--model", MODEL, message),
        cwd=project,
        OPENAI_API_KEY=stage.live.key,
        OPENCODE_DISABLE_AUTOUPDATE="1",
        OPENCODE_DISABLE_LSP_DOWNLOAD="1",
        OPENCODE_DISABLE_MODELS_FETCH="1",
        OPENCODE_DISABLE_SHARE="1",
    )
    return [json.loads(line)["part"] for line in ran.out.splitlines()]


async def test_a_turn(stage: Stage) -> None:
    project = await asyncio.to_thread(configure, stage)
    stage.fake.script(Fault(wish=Wish(text="HELLO FROM OPENCODE", calls={})))
    parts = await opencode(stage, project, "hello")
    assert [part["text"] for part in parts if part["type"] == "text"] == ["HELLO FROM OPENCODE"]
    (sent,) = stage.documents()
    assert sent["stream"] is True
    (entry,) = stage.settled()
    (finish,) = [part for part in parts if part["type"] == "step-finish"]
    tokens = finish["tokens"]
    assert (tokens["input"], tokens["output"]) == (entry["prompt_tokens"], entry["completion_tokens"])


async def test_a_tool_there_and_back(stage: Stage) -> None:
    project = await asyncio.to_thread(configure, stage)
    file = project / "hello.txt"
    written = {"filePath": str(file), "content": "written by a tool\n"}
    stage.fake.script(Fault(wish=Wish(calls={"write": written})), path="/v1/chat/completions", times=1)
    parts = await opencode(stage, project, "Write hello.txt.")
    assert await asyncio.to_thread(file.read_text) == written["content"]
    (used,) = [part for part in parts if part["type"] == "tool"]
    assert (used["tool"], used["state"]["status"], used["state"]["input"]) == ("write", "completed", written)
    first, second = stage.documents()
    assert "write" in [tool["function"]["name"] for tool in first["tools"]]
    call, result = second["messages"][-2:]
    assert json.loads(call["tool_calls"][0]["function"]["arguments"]) == written
    assert (result["role"], result["tool_call_id"]) == ("tool", call["tool_calls"][0]["id"])
    assert len(stage.settled()) == 2
