"""The Vercel AI SDK: its provider for OpenAI-compatible APIs, and its own of OpenAI, over responses."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.clients.stage import Stage
from tests.installs import BIN, npm_packages

PACKAGES = {
    "ai": "6.0.325",
    "@ai-sdk/openai-compatible": "2.0.92",
    "@ai-sdk/openai": "3.0.141",
    "zod": "4.1.13",
}
SCRIPT = Path(__file__).parent / "js" / "vercel.mjs"
QUESTION = "How is the weather of Paris?"


@pytest.mark.parametrize("api", ["compatible", "responses"])
async def test_every_turn(stage: Stage, api: str) -> None:
    modules = await asyncio.to_thread(npm_packages, PACKAGES)
    ran = await stage.run(
        BIN / "node",
        SCRIPT,
        MODULES=str(modules),
        BASE_URL=stage.live.api,
        API_KEY=stage.live.key,
        API=api,
        AI_SDK_LOG_WARNINGS="false",
    )
    seen = ran.document
    assert seen["text"] == ["HELLO", "stop", [12, 1]]
    assert seen["stream"] == [["one ", "two ", "three"], "stop", [9, 3]]
    looked = [[["Paris", "sunny in Paris"]], []]
    assert seen["tools"] == [f"You said: {QUESTION}", looked]
    assert seen["tools_streamed"] == seen["tools"]
    assert seen["object"] == {"name": "Paris", "inhabitants": 7}
    sent = stage.documents()
    assert [bool(document.get("stream")) for document in sent] == [
        False,
        True,
        False,
        False,
        True,
        True,
        False,
        False,
    ]
    assert seen["again"] == "AGAIN"
    roles = ["user", "assistant", "tool", "assistant", "user"]
    assert [message["role"] for message in sent[7]["messages"]] == roles
    assert sent[7]["messages"][3]["content"] == f"You said: {QUESTION}"
    assert [message["role"] for message in sent[3]["messages"]] == ["user", "assistant", "tool"]
    assert sent[3]["messages"][-1]["content"] == "sunny in Paris"
    assert sent[6]["response_format"]["type"] == "json_schema"
    assert len(stage.settled()) == 8
