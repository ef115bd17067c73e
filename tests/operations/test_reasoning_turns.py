"""Reasoning from turn to turn: it goes back to who made it, to nobody else, and is shown when asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI

from tests.fakes.gemini_answers import SIGNATURE
from tests.fakes.openai_responses import ENCRYPTED as THEIRS
from tests.live import Live
from tests.operations.turns import (
    CHAT,
    CLAUDE,
    GEMINI,
    NATIVE,
    OTHER,
    Json,
    Providers,
    audited,
    say,
)
from writingmate.dialects.responses_reasoning import ENCRYPTED, PREFIX

TOOLS = [
    {
        "type": "function",
        "name": "weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
        "strict": False,
    }
]
THINKING: Json = {"tools": TOOLS, "reasoning": {"effort": "medium"}}


@pytest.fixture
def gateway(fakes: Providers, tmp_path: Path) -> Iterator[Live]:
    with audited(fakes.settings(tmp_path)) as live:
        yield live


def called(response: Json) -> list[Json]:
    calls = [item for item in response["output"] if item["type"] == "function_call"]
    return [{"type": "function_call_output", "call_id": each["call_id"], "output": "sunny"} for each in calls]


def reasoning(response: Json) -> list[Json]:
    return [item for item in response["output"] if item["type"] == "reasoning"]


@pytest.mark.parametrize("stream", [False, True])
async def test_thinking_comes_back_signed_in_a_tool_loop(
    gateway: Live, fakes: Providers, *, stream: bool
) -> None:
    async with AsyncOpenAI(api_key=gateway.key, base_url=gateway.api, max_retries=0) as client:
        asked: Any = {"model": CLAUDE, **THINKING}
        if stream:
            async with client.responses.stream(input="weather, please", **asked) as events:
                first = await events.get_final_response()
        else:
            first = await client.responses.create(input="weather, please", **asked)
        output = called(first.to_dict())
        second = await client.responses.create(input=output, previous_response_id=first.id, **asked)  # type: ignore[arg-type]  # as people send it
    assert second.status == "completed"
    _, assistant, _ = fakes.anthropic.calls[1].document["messages"]
    thinking, *_, call = assistant["content"]
    assert (thinking["type"], call["type"]) == ("thinking", "tool_use")
    assert thinking["thinking"] == "Let me see."
    assert thinking["signature"]


@pytest.mark.parametrize("stream", [False, True])
async def test_googles_signatures_come_back_with_their_calls_and_texts(
    gateway: Live, fakes: Providers, *, stream: bool
) -> None:
    """Gemini shows nothing of its thinking here, so that nothing of it is shown."""
    async with AsyncOpenAI(api_key=gateway.key, base_url=gateway.api, max_retries=0) as client:
        asked: Any = {"model": GEMINI, "tools": TOOLS}
        if stream:
            async with client.responses.stream(input="weather, please", **asked) as events:
                first = await events.get_final_response()
        else:
            first = await client.responses.create(input="weather, please", **asked)
        assert [item.type for item in first.output] == ["message", "function_call"]
        output: Any = called(first.to_dict())
        second = await client.responses.create(input=output, previous_response_id=first.id, **asked)
        third = await client.responses.create(model=GEMINI, input="and?", previous_response_id=second.id)
        assert (await client.responses.retrieve(second.id)).to_dict() == second.to_dict()
        listed = await client.responses.input_items.list(third.id, order="asc")
        assert "reasoning" not in [item.type for item in listed.data]
        await client.responses.create(model=CLAUDE, input="and?", previous_response_id=third.id)
    call = fakes.google.calls[1].document["contents"][1]["parts"][-1]
    assert call["functionCall"]["name"] == "weather"
    assert call["thoughtSignature"] == SIGNATURE
    text = fakes.google.calls[2].document["contents"][3]["parts"][-1]
    assert text["thoughtSignature"] == SIGNATURE
    assert SIGNATURE not in str(fakes.anthropic.calls[0].document)


async def test_what_proves_it_is_shown_only_when_asked_for(api: httpx2.AsyncClient, fakes: Providers) -> None:
    plain = await say(api, "weather, please", model=CLAUDE, **THINKING)
    (thought,) = reasoning(plain)
    assert "encrypted_content" not in thought
    path = f"/responses/{plain['id']}"
    assert (await api.get(path)).json() == plain
    (shown,) = reasoning((await api.get(path, params={"include[]": ENCRYPTED})).json())
    proof = shown.pop("encrypted_content")
    assert proof.startswith(PREFIX)
    assert shown == thought
    asked = await say(api, "weather, please", model=CLAUDE, include=[ENCRYPTED], **THINKING)
    assert reasoning(asked)[0]["encrypted_content"].startswith(PREFIX)
    stateless = [{"role": "user", "content": "weather, please"}, *asked["output"], *called(asked)]
    await say(api, stateless, model=CLAUDE, store=False, **THINKING)
    _, assistant, _ = fakes.anthropic.calls[-1].document["messages"]
    assert assistant["content"][0]["signature"]


async def test_another_provider_is_not_given_it(api: httpx2.AsyncClient, fakes: Providers) -> None:
    """Nor is the chat that the native provider is called with where an answer is very short."""
    first = await say(api, "weather, please", model=CLAUDE, **THINKING)
    second = await say(api, called(first), first, model=NATIVE, **THINKING)
    assert second["output"][0]["type"] == "reasoning"
    third = await say(api, "and?", second, model=CHAT)
    fourth = await say(api, "and?", third, model=NATIVE, max_output_tokens=5)
    back = await say(api, "and?", fourth, model=CLAUDE)
    sent = [call.document for call in fakes.openai.calls]
    for document in sent:
        assert PREFIX not in str(document)
        assert "reasoning_details" not in str(document)
    assert not [item for item in sent[0]["input"] if item.get("type") == "reasoning"]
    assert THEIRS not in str(sent[1:])
    assert back["status"] == "completed"
    assistant = fakes.anthropic.calls[-1].document["messages"][1]
    assert assistant["content"][0]["type"] == "thinking"
    assert THEIRS not in str(fakes.anthropic.calls[-1].document)


async def test_encrypted_reasoning_goes_back_to_who_encrypted_it(
    api: httpx2.AsyncClient, fakes: Providers
) -> None:
    """And so do the steps of the provider's own tools."""
    hosted = [{"type": "web_search"}]
    first = await say(api, "news?", model=NATIVE, tools=hosted, reasoning={"effort": "low"})
    types = ["reasoning", "web_search_call", "message"]
    assert [item["type"] for item in first["output"]] == types
    assert (await api.get(f"/responses/{first['id']}")).json() == first
    second = await say(api, "and?", first, model=NATIVE)
    sent = fakes.openai.calls[-1].document["input"]
    assert [item.get("type") for item in sent] == [None, *types, None]
    assert sent[1:3] == first["output"][:2]
    assert sent[1]["encrypted_content"] == THEIRS
    for other in (OTHER, CHAT, CLAUDE):
        await say(api, "and?", second, model=other)
    for document in (fakes.openai.calls[-2].document, fakes.openai.calls[-1].document):
        assert THEIRS not in str(document)
        assert "web_search_call" not in str(document)
    assert THEIRS not in str(fakes.anthropic.calls[-1].document)
