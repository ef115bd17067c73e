"""LangChain's ``ChatOpenAI``, over chat completions and over responses."""

from __future__ import annotations

import asyncio

import pytest

from tests.clients.programs import langchain_turns
from tests.clients.stage import Stage
from tests.installs import python_environment


@pytest.mark.parametrize("api", ["chat", "responses"])
async def test_every_turn(stage: Stage, api: str) -> None:
    python = await asyncio.to_thread(python_environment, "clients-libraries") / "python"
    ran = await stage.run(
        python, "-P", langchain_turns.__file__, api, BASE_URL=stage.live.api, API_KEY=stage.live.key
    )
    seen = ran.document
    assert seen["invoke"] == {"text": "HELLO", "tokens": [7, 1]}
    assert seen["stream"]["text"] == "one two three"
    assert seen["stream"]["pieces"] > 2
    assert seen["stream"]["tokens"] == [9, 3]
    assert seen["tools"] == [["weather", {"city": "Paris"}], ["population", {"city": "Paris"}]]
    assert seen["tools_streamed"] == seen["tools"]
    assert seen["after_tools"] == "You said: weather and population of Paris"
    assert seen["structured"] == {"name": "Paris", "inhabitants": 7}
    sent = stage.documents()
    assert [bool(document.get("stream")) for document in sent] == [False, True, False, False, True, False]
    assert [message["role"] for message in sent[3]["messages"]] == ["user", "assistant", "tool", "tool"]
    results = [message["content"] for message in sent[3]["messages"][2:]]
    assert results == ["weather of Paris", "population of Paris"]
    assert sent[5]["response_format"]["type"] == "json_schema"
    assert len(stage.settled()) == 6
