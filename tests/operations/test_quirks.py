"""Requests that providers would refuse or ignore, through the gateway to fakes that do."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from openai import AsyncOpenAI
from sqlalchemy import select

from tests.fakes.openai_choices import Wish
from tests.fakes.openai_upstream import FakeOpenAI, Fault
from tests.live import Live, check_books, serving, settings_for
from writingmate.settings import ModelSection, ProviderSection, RouteSection, TimeoutSection
from writingmate.storage import tables

KEY = "sk-operators-own-0123456789abcdef"
LIKE = ("openai", "groq", "mistral", "deepseek", "xai")
USAGE = {"prompt_tokens": 9000, "completion_tokens": 4000}
Fakes = dict[str, FakeOpenAI]


def says(text: str) -> list[Any]:
    return [{"role": "user", "content": f"Reply with exactly: {text}"}]


@pytest.fixture
async def fakes() -> AsyncIterator[Fakes]:
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(FakeOpenAI(key=KEY, like=name)) for name in LIKE}


@pytest.fixture
def gateway(fakes: Fakes, tmp_path: Path) -> Iterator[Live]:
    providers = {
        name: ProviderSection(api_key=KEY, base_url=fake.base_url, models=("any",))
        for name, fake in fakes.items()
    }
    lab = ProviderSection(api_key=KEY, base_url=fakes["mistral"].base_url, models=("m",), quirks="mistral")
    both = ModelSection(routes=(RouteSection("groq", "any"), RouteSection("openai", "gpt-4.1")))
    settings = settings_for(
        tmp_path,
        providers=providers | {"lab": lab},
        models={"both/any": both},
        timeouts=TimeoutSection(connect=1.0, first=0.5, idle=0.5),
    )
    with serving(settings) as live:
        yield live
        check_books(live)


@pytest.fixture
async def client(gateway: Live) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=gateway.api, api_key=gateway.key, max_retries=0) as sdk:
        yield sdk


@pytest.mark.parametrize("stream", [True, False])
async def test_what_aider_sends_to_a_model_that_has_no_temperature(
    fakes: Fakes, client: AsyncOpenAI, *, stream: bool
) -> None:
    raw = await client.chat.completions.with_raw_response.create(
        model="openai/gpt-5", messages=says("A"), temperature=0, max_tokens=50, stream=stream
    )
    if stream:
        events: Any = raw.parse()
        assert [chunk async for chunk in events]
    assert raw.headers["x-writingmate-dropped"] == "temperature"
    (call,) = fakes["openai"].calls
    assert call.document.keys() - {"stream", "stream_options"} == {
        "model",
        "messages",
        "max_completion_tokens",
    }


async def test_nothing_is_said_of_what_was_not_left_out(fakes: Fakes, client: AsyncOpenAI) -> None:
    raw = await client.chat.completions.with_raw_response.create(
        model="openai/gpt-4.1", messages=says("A"), temperature=0
    )
    assert "x-writingmate-dropped" not in raw.headers
    assert fakes["openai"].calls[0].document["temperature"] == 0


@pytest.mark.parametrize("model", ["mistral/any", "lab/m"])
async def test_a_provider_gets_its_own_words(fakes: Fakes, client: AsyncOpenAI, model: str) -> None:
    developer: Any = [{"role": "developer", "content": "Be kind."}, *says("A B C")]
    answer = await client.chat.completions.create(
        model=model, messages=developer, seed=3, max_completion_tokens=2, user="u", store=False, logit_bias={}
    )
    assert answer.choices[0].message.content == "A B "
    (call,) = fakes["mistral"].calls
    assert call.document == {
        "model": model.partition("/")[2],
        "messages": [{"role": "system", "content": "Be kind."}, *says("A B C")],
        "random_seed": 3,
        "max_tokens": 2,
    }


async def test_a_refusal_by_name_costs_nothing_and_asks_nobody(
    gateway: Live, fakes: Fakes, client: AsyncOpenAI
) -> None:
    refused: dict[str, dict[str, Any]] = {
        "openai/gpt-5": {"stop": "x"},
        "groq/any": {"logprobs": True},
        "mistral/any": {"logit_bias": {"5": 1}},
        "deepseek/any": {"seed": 1},
        "x-ai/grok-4.5": {"presence_penalty": 1},
    }
    for model, asked in refused.items():
        with pytest.raises(openai.BadRequestError) as caught:
            await client.chat.completions.create(model=model, messages=says("A"), **asked)
        assert caught.value.param in asked
        assert caught.value.code == "unsupported_parameter"
    assert not any(fake.calls for fake in fakes.values())
    with gateway.database.reading() as connection:
        assert not connection.execute(select(tables.entries)).all()


async def test_a_route_that_can_do_it_answers_for_one_that_cannot(fakes: Fakes, client: AsyncOpenAI) -> None:
    raw = await client.chat.completions.with_raw_response.create(
        model="both/any", messages=says("A"), logprobs=True
    )
    assert raw.headers["x-writingmate-route"] == "openai/gpt-4.1"
    assert raw.parse().choices[0].logprobs is not None
    assert not fakes["groq"].calls


async def test_several_choices_whole(fakes: Fakes, client: AsyncOpenAI, entry: Callable[[], Any]) -> None:
    fakes["groq"].script(Fault(wish=Wish(usage=USAGE)))
    raw = await client.chat.completions.with_raw_response.create(
        model="groq/any", messages=says("A"), n=3, seed=1
    )
    answer = raw.parse()
    assert [(choice.index, choice.message.content) for choice in answer.choices] == [
        (0, "A"),
        (1, "A"),
        (2, "A"),
    ]
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (27_000, 12_000)
    assert sorted(call.document["seed"] for call in fakes["groq"].calls) == [1, 2, 3]
    assert raw.headers["x-writingmate-counted-messages"] == "3"
    row = entry()
    assert (row.prompt_tokens, row.completion_tokens, row.messages, row.flags) == (27_000, 12_000, 3, "")


async def test_several_choices_streamed(fakes: Fakes, client: AsyncOpenAI, entry: Callable[[], Any]) -> None:
    fakes["groq"].script(Fault(wish=Wish(usage=USAGE)))
    chunks = [
        chunk
        async for chunk in await client.chat.completions.create(
            model="groq/any", messages=says("A B"), n=2, stream=True, stream_options={"include_usage": True}
        )
    ]
    texts = {0: "", 1: ""}
    for chunk in chunks[:-1]:
        texts[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    assert texts == {0: "A B", 1: "A B"}
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.prompt_tokens == 18_000
    assert entry().prompt_tokens == 18_000


async def test_several_choices_of_a_completion(fakes: Fakes, client: AsyncOpenAI) -> None:
    answer = await client.completions.create(
        model="groq/any", prompt=["Reply with exactly: A", "Reply with exactly: B"], n=2
    )
    assert [(choice.index, choice.text) for choice in answer.choices] == [
        (0, "A"),
        (1, "A"),
        (2, "B"),
        (3, "B"),
    ]
    assert len(fakes["groq"].calls) == 4


async def test_of_a_route_that_is_called_again_only_what_is_missing_is_asked(
    fakes: Fakes, client: AsyncOpenAI
) -> None:
    fakes["groq"].script(Fault(), times=1)
    fakes["groq"].script(Fault(status=503), times=1)
    answer = await client.chat.completions.create(model="groq/any", messages=says("A"), n=2)
    assert [choice.message.content for choice in answer.choices] == ["A", "A"]
    assert len(fakes["groq"].calls) == 3


async def test_more_choices_than_anybody_gives_are_refused(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await client.chat.completions.create(model="groq/any", messages=says("A"), n=129)
    assert (caught.value.param, caught.value.code) == ("n", "integer_above_max_value")


async def test_a_choice_that_fails_fails_the_request_and_nothing_is_charged(
    gateway: Live, fakes: Fakes, client: AsyncOpenAI
) -> None:
    fakes["groq"].script(Fault(), times=1)
    fakes["groq"].script(Fault(status=400, body=json.dumps({"error": {"message": "no"}}).encode()), times=1)
    fakes["groq"].script(Fault(silent=True))
    with pytest.raises(openai.BadRequestError):
        await client.chat.completions.create(model="groq/any", messages=says("A"), n=3)
    assert len(fakes["groq"].calls) <= 3
    with gateway.database.reading() as connection:
        assert [row.messages for row in connection.execute(select(tables.entries))] in ([], [0])


async def read(stream: Any, seen: list[int]) -> None:
    async for chunk in stream:
        seen += [choice.index for choice in chunk.choices]


async def test_a_choice_that_fails_in_a_stream_ends_it_with_what_came_charged(
    fakes: Fakes, client: AsyncOpenAI, entry: Callable[[], Any]
) -> None:
    fakes["groq"].script(Fault(wish=Wish(usage=USAGE)), times=1)
    fakes["groq"].script(Fault(error_after=2))
    stream = await client.chat.completions.create(model="groq/any", messages=says("A B C"), n=3, stream=True)
    seen: list[int] = []
    with pytest.raises(openai.APIError):
        await read(stream, seen)
    assert seen[-1] == 1
    assert len(fakes["groq"].calls) == 2
    row = entry()
    assert row.flags == "broken estimated"
    assert 9_000 + 6 <= row.prompt_tokens < 9_000 + 20  # as reported, and the broken call's words
    assert 4_000 < row.completion_tokens < 4_000 + 6


async def test_the_prompt_is_held_for_every_choice(client: AsyncOpenAI, fakes: Fakes) -> None:
    async def estimate(model: str, n: int) -> Any:
        body = {"model": model, "messages": says("A"), "n": n, "max_tokens": 10}
        return await client.post("/estimate/chat/completions", body=body, cast_to=dict[str, Any])

    one, three = await estimate("groq/any", 1), await estimate("groq/any", 3)
    assert three["prompt_tokens"]["bound"] == 3 * one["prompt_tokens"]["bound"]
    assert three["completion_tokens"] == 30
    same = await estimate("openai/gpt-4.1", 3)
    assert same["prompt_tokens"]["bound"] == one["prompt_tokens"]["bound"] + len("openai/gpt-4.1") - len(
        "groq/any"
    )
    either = await estimate("both/any", 3)
    assert either["prompt_tokens"]["bound"] == three["prompt_tokens"]["bound"]
    assert not fakes["groq"].calls


async def test_a_response_has_its_temperature_left_out_too(fakes: Fakes, client: AsyncOpenAI) -> None:
    raw = await client.responses.with_raw_response.create(
        model="openai/gpt-5", input="Reply with exactly: A", temperature=0
    )
    assert raw.headers["x-writingmate-dropped"] == "temperature"
    assert raw.parse().output_text == "A"
    assert fakes["openai"].calls[0].path == "/v1/chat/completions"


async def test_a_message_of_anthropics_client_has_its_temperature_left_out_too(
    gateway: Live, fakes: Fakes
) -> None:
    asked = {"model": "openai/gpt-5", "max_tokens": 9, "temperature": 0, "messages": says("A")}
    async with httpx2.AsyncClient(base_url=f"{gateway.url}/api/anthropic", timeout=20) as client:
        answer = await client.post("/v1/messages", json=asked, headers={"x-api-key": gateway.key})
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-writingmate-dropped"] == "temperature"
    (call,) = fakes["openai"].calls
    assert call.document["max_completion_tokens"] == 9
    assert "temperature" not in call.document
