"""OpenAI's own client and types judge what the fake says of responses."""

from __future__ import annotations

from typing import Any

import httpx2
import openai
import pytest
from openai import AsyncOpenAI
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from tests.fakes.openai_answers import Chunk
from tests.fakes.openai_choices import Wish
from tests.fakes.openai_responses import ENCRYPTED, responses
from tests.fakes.openai_upstream import FakeOpenAI, Fault

EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
WEATHER = {"type": "function", "name": "weather", "parameters": {"type": "object", "properties": {}}}
BASE: dict[str, Any] = {"model": "gpt-5.1", "input": "Reply with exactly: a b c"}
REQUESTS: list[tuple[dict[str, Any], Wish]] = [
    ({}, Wish()),
    ({"input": "weather and patch", "tools": [WEATHER, {"type": "custom", "name": "patch"}]}, Wish()),
    ({"reasoning": {"effort": "low"}, "include": ["reasoning.encrypted_content"]}, Wish(reasoning="Hm. ")),
    ({}, Wish(refusal="I will not.")),
    ({"max_output_tokens": 2}, Wish()),
    ({}, Wish(failed=True)),
    ({"tools": [{"type": "web_search"}]}, Wish()),
]


@pytest.mark.parametrize(("fields", "wish"), REQUESTS)
def test_the_published_types_read_every_answer(fields: dict[str, Any], wish: Wish) -> None:
    answer = responses({**BASE, **fields}, "r1", wish)
    Response.model_validate(answer.whole)
    added, done = [], []
    for number, chunk in enumerate(answer.chunks):
        event = EVENTS.validate_python(chunk.document)
        assert (event.type, event.sequence_number) == (chunk.document["type"], number)
        added += [event.item.id] if event.type == "response.output_item.added" else []
        done += [chunk.document["item"]] if event.type == "response.output_item.done" else []
    assert [item["id"] for item in done] == added
    last: Chunk = answer.chunks[-1]
    assert last.document["response"] == answer.whole
    assert answer.whole["output"] == done


async def test_the_client_reads_it_whole_and_streamed() -> None:
    async with FakeOpenAI() as fake, AsyncOpenAI(base_url=fake.base_url, api_key="k", max_retries=0) as sdk:
        asked = "Reply with exactly: a b c"
        reply = await sdk.responses.create(
            model="gpt-5.1", input=asked, reasoning={"effort": "low"}, include=["reasoning.encrypted_content"]
        )
        assert reply.output_text == "a b c"
        assert reply.output[0].type == "reasoning"
        assert reply.output[0].encrypted_content == ENCRYPTED
        async with sdk.responses.stream(model="gpt-4.1", input=asked) as stream:
            assert (await stream.get_final_response()).output_text == "a b c"
        fake.script(Fault(error_after=4))
        with pytest.raises(openai.APIError):
            async for _ in await sdk.responses.create(model="gpt-4.1", input=asked, stream=True):
                pass
        with pytest.raises(openai.BadRequestError):
            await sdk.post("/responses", body={"model": "gpt-4.1"}, cast_to=httpx2.Response)
