"""OpenRouter behind a live gateway: what passes as it is, what fails how, and what goes on elsewhere."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from openai import AsyncOpenAI
from sqlalchemy import Row, select

from tests.fakes.openai_choices import Wish
from tests.fakes.openai_upstream import FakeOpenAI, Fault
from tests.fakes.openrouter import MODERATION, PROCESSING, FakeOpenRouter, inside, refusing, stopping
from tests.live import Live, serving, settings_for
from writingmate.settings import ModelSection, ProviderSection, RouteSection, TimeoutSection
from writingmate.storage import tables

KEY = "sk-or-v1-operators-0123456789"
CHAT = "/v1/chat/completions"
ALONE, PAIR = "x/alone", "x/pair"
MESSAGES: Any = [{"role": "user", "content": "Reply with exactly: A B C"}]
BOTH = pytest.mark.parametrize("streaming", [False, True], ids=["whole", "stream"])


@pytest.fixture
async def openrouter() -> AsyncIterator[FakeOpenRouter]:
    async with FakeOpenRouter(key=KEY) as running:
        yield running


@pytest.fixture
async def lab() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI() as running:
        yield running


@pytest.fixture
def live(openrouter: FakeOpenRouter, lab: FakeOpenAI, tmp_path: Path) -> Iterator[Live]:
    routed = RouteSection("openrouter", "google/gemini-2.5-flash")
    settings = settings_for(
        tmp_path,
        providers={
            "openrouter": ProviderSection(
                base_url=openrouter.base_url, api_key=KEY, headers={"HTTP-Referer": "https://example.org"}
            ),
            "lab": ProviderSection(base_url=lab.base_url, api_key="k" * 20),
        },
        models={
            ALONE: ModelSection(tier="basic", routes=(routed,)),
            PAIR: ModelSection(tier="basic", routes=(routed, RouteSection("lab", "m"))),
        },
        timeouts=TimeoutSection(tries=1),
    )
    with serving(settings) as running:
        yield running


@pytest.fixture
async def api(live: Live) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"authorization": f"Bearer {live.key}"}
    async with httpx2.AsyncClient(base_url=live.api, headers=headers, timeout=20) as running:
        yield running


@pytest.fixture
async def client(live: Live) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=live.api, api_key=live.key, max_retries=0) as sdk:
        yield sdk


def asked(model: str, *, streaming: bool = False, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": MESSAGES, "stream": streaming, **more}


def entries(live: Live) -> list[Row[Any]]:
    with live.database.reading() as connection:
        return list(connection.execute(select(tables.entries).order_by(tables.entries.c.started_at)))


def generated(fake: FakeOpenAI) -> int:
    return sum(call.path == CHAT for call in fake.calls)


async def direct(openrouter: FakeOpenRouter, body: dict[str, Any]) -> bytes:
    """What OpenRouter itself answers, without comments."""
    asked_there = {**body, "model": "google/gemini-2.5-flash"}
    async with httpx2.AsyncClient(headers={"authorization": f"Bearer {KEY}"}) as http:
        answer = await http.post(f"{openrouter.base_url}/chat/completions", json=asked_there)
    events = answer.content.replace(PROCESSING.encode(), b"").split(b"\n\n")
    return b"\n\n".join(events)


def unnumbered(body: bytes) -> bytes:
    """Without the comments of ours."""
    events = [event for event in body.split(b"\n\n") if not event.startswith(b":")]
    return b"\n\n".join(event for event in events if event).rstrip()


@BOTH
async def test_what_openrouter_adds_passes_byte_for_byte(
    api: httpx2.AsyncClient, openrouter: FakeOpenRouter, *, streaming: bool
) -> None:
    openrouter.script(Fault(wish=Wish(reasoning="Say it."), comment=PROCESSING if streaming else ""))
    options = {"stream_options": {"include_usage": True}} if streaming else {}
    body = asked(ALONE, streaming=streaming, **options)
    answer = await api.post("/chat/completions", json=body)
    expected = unnumbered(await direct(openrouter, body))
    assert unnumbered(answer.content) == expected
    for word in (b'"provider"', b'"native_finish_reason"', b'"reasoning_details"', b'"cost"'):
        assert word in expected
    assert answer.headers["x-writingmate-route"] == "openrouter/google/gemini-2.5-flash"


async def test_the_choice_beside_the_usage_goes_with_it_where_nobody_asked(
    api: httpx2.AsyncClient, live: Live
) -> None:
    answer = await api.post("/chat/completions", json=asked(ALONE, streaming=True))
    assert '"usage"' not in answer.text
    frames = [line for line in answer.text.splitlines() if line.startswith("data: {")]
    last = json.loads(frames[-1].removeprefix("data: "))
    assert last["choices"][0]["finish_reason"] == "stop"
    (entry,) = entries(live)
    assert (entry.completion_tokens, entry.flags) == (3, "")


async def test_it_is_told_who_calls(api: httpx2.AsyncClient, openrouter: FakeOpenRouter) -> None:
    await api.post("/chat/completions", json=asked(ALONE))
    sent = next(call for call in openrouter.calls if call.path == CHAT).headers
    assert sent["authorization"] == f"Bearer {KEY}"
    assert sent["http-referer"] == "https://example.org"
    assert (sent["x-title"], sent["x-openrouter-title"]) == ("writingmate", "writingmate")


@BOTH
@pytest.mark.parametrize(
    ("code", "metadata", "error"),
    [
        (400, {"error_type": "invalid_prompt"}, openai.BadRequestError),
        (402, {}, openai.InternalServerError),
        (403, MODERATION, openai.PermissionDeniedError),
        (429, {}, openai.RateLimitError),
        (503, {}, openai.InternalServerError),
    ],
    ids=str,
)
async def test_an_error_inside_a_200_is_the_callers_error_and_costs_nothing(
    client: AsyncOpenAI,
    live: Live,
    openrouter: FakeOpenRouter,
    code: int,
    metadata: dict[str, Any],
    error: type[openai.APIStatusError],
    *,
    streaming: bool,
) -> None:
    fault = (
        stopping(0, code, "No.", **metadata) if streaming else inside(code, "No.", partial="A", **metadata)
    )
    openrouter.script(fault, path=CHAT)
    with pytest.raises(error) as caught:
        await client.chat.completions.create(model=ALONE, messages=MESSAGES, stream=streaming)
    assert isinstance(caught.value.code, str)
    (entry,) = entries(live)
    assert (entry.messages, entry.flags, entry.prompt_tokens) == (0, "failed", 0)


@BOTH
@pytest.mark.parametrize("code", [402, 408, 429, 502, 503])
async def test_the_next_route_serves(
    api: httpx2.AsyncClient,
    live: Live,
    openrouter: FakeOpenRouter,
    lab: FakeOpenAI,
    code: int,
    *,
    streaming: bool,
) -> None:
    fault = stopping(0, code, "No.") if streaming else inside(code, "No.")
    openrouter.script(fault, path=CHAT)
    answer = await api.post("/chat/completions", json=asked(PAIR, streaming=streaming))
    assert (answer.status_code, answer.headers["x-writingmate-route"]) == (200, "lab/m")
    assert (generated(openrouter), generated(lab)) == (1, 1)
    (entry,) = entries(live)
    assert (entry.provider, entry.messages, entry.flags) == ("lab", 1, "")


@pytest.mark.parametrize(
    "fault", [inside(403, "Flagged", **MODERATION), refusing(403, "Flagged", **MODERATION)]
)
async def test_a_flagged_prompt_is_asked_of_nobody_else(
    api: httpx2.AsyncClient, openrouter: FakeOpenRouter, lab: FakeOpenAI, fault: Fault
) -> None:
    openrouter.script(fault, path=CHAT)
    answer = await api.post("/chat/completions", json=asked(PAIR))
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "content_policy_violation")
    assert (generated(openrouter), generated(lab)) == (1, 0)


@pytest.mark.parametrize(
    ("code", "type_", "word"),
    [(429, "rate_limit_error", "rate_limit_exceeded"), (502, "upstream_error", "upstream_error")],
)
async def test_an_error_in_the_middle_ends_the_stream_and_what_came_is_charged(
    api: httpx2.AsyncClient, live: Live, openrouter: FakeOpenRouter, code: int, type_: str, word: str
) -> None:
    openrouter.script(stopping(3, code, "Gone.", provider_code="x"), path=CHAT)
    answer = await api.post("/chat/completions", json=asked(PAIR, streaming=True))
    frames = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    error = json.loads(frames[-1])["error"]
    assert (error["type"], error["code"]) == (type_, word)
    assert "choices" not in json.loads(frames[-1])
    assert "[DONE]" not in answer.text
    (entry,) = entries(live)
    assert (entry.messages, entry.flags.split()) == (1, ["broken", "estimated"])
    assert entry.provider == "openrouter"


async def test_what_it_reports_beside_an_error_is_what_is_charged(
    api: httpx2.AsyncClient, live: Live, openrouter: FakeOpenRouter
) -> None:
    fault = stopping(3, 502, "Gone.")
    assert fault.error is not None
    usage = {"prompt_tokens": 40_000, "completion_tokens": 5, "total_tokens": 40_005}
    openrouter.script(replace(fault, error={**fault.error, "usage": usage}), path=CHAT)
    await api.post("/chat/completions", json=asked(ALONE, streaming=True))
    (entry,) = entries(live)
    assert (entry.prompt_tokens, entry.completion_tokens, entry.flags) == (40_000, 5, "broken")
    assert entry.messages == 3
