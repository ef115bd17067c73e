"""OpenRouter's list of models behind a live gateway: read in the background, kept, and what it decides."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import AsyncOpenAI, BadRequestError, PermissionDeniedError

from tests.fakes.openai_upstream import FakeOpenAI, Fault
from tests.fakes.openrouter import FakeOpenRouter, listing
from tests.live import Live, serving, settings_for
from writingmate.operations.own_keys import OwnKeys
from writingmate.providers import for_own_keys
from writingmate.settings import ModelSection, ProviderSection, RouteSection, Settings
from writingmate.upstream.client import HttpClient
from writingmate.vault.box import Box
from writingmate.vault.keys import Keyring
from writingmate.workspaces import store

KEY = "sk-or-v1-operators-0123456789"
OWN = "sk-or-v1-planted-0123456789abcdef"
FREE = {"prompt": "0", "completion": "0"}
DEAR = {"prompt": "0.00002", "completion": "0.00008"}
LIST = [
    listing("google/gemini-2.5-flash", name="Other"),
    listing("x/paid", expiration_date="2026-12-31"),
    listing("x/free:free", pricing=FREE, supported_parameters=["max_tokens", "temperature"]),
    listing("x/dear", pricing=DEAR),
    listing("x/lean", supported_parameters=["max_tokens", "temperature"]),
    listing("x/auto", pricing={"prompt": "-1", "completion": "-1"}),
]
MESSAGES: Any = [{"role": "user", "content": "Reply with exactly: A B C"}]


@pytest.fixture
async def openrouter() -> AsyncIterator[FakeOpenRouter]:
    async with FakeOpenRouter(key=KEY, listed=LIST) as running:
        yield running


@pytest.fixture
async def lab() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI() as running:
        yield running


def settings(folder: Path, openrouter: str, lab: str, **section: Any) -> Settings:
    return settings_for(
        folder,
        providers={
            "openrouter": ProviderSection(base_url=openrouter, api_key=KEY, **section),
            "lab": ProviderSection(base_url=lab, api_key="k" * 20),
        },
        models={
            "x/free:free": ModelSection(
                routes=(RouteSection("openrouter", "x/free:free"), RouteSection("lab", "m"))
            )
        },
    )


@pytest.fixture
def given(openrouter: FakeOpenRouter, lab: FakeOpenAI, tmp_path: Path) -> Settings:
    return settings(tmp_path, openrouter.base_url, lab.base_url)


@pytest.fixture
def live(given: Settings) -> Iterator[Live]:
    with serving(given) as running:
        yield running


async def shown(live: Live, wanted: str) -> dict[str, dict[str, Any]]:
    """The list of models, once ``wanted`` is in it."""
    async with AsyncOpenAI(base_url=live.api, api_key=live.key) as client:
        for _ in range(2000):
            models = {model.id: model.model_dump() async for model in await client.models.list()}
            if wanted in models:
                return models
    raise AssertionError(f"{wanted} is not listed")


async def test_with_a_key_the_list_is_read_and_served(live: Live, openrouter: FakeOpenRouter) -> None:
    models = await shown(live, "x/paid")
    tiers = {slug: models[slug]["tier"] for slug in models if slug.startswith("x/")}
    assert tiers == {
        "x/auto": "ultimate",
        "x/dear": "ultimate",
        "x/free:free": "basic",
        "x/lean": "pro",
        "x/paid": "pro",
    }
    assert models["google/gemini-2.5-flash"]["name"] == "Gemini 2.5 Flash", "what ships wins"
    paid = models["x/paid"]
    assert (paid["owned_by"], paid["context_length"], paid["max_output_tokens"]) == ("x", 1_048_576, 65_535)
    assert paid["modalities"] == {"input": ["text", "image"], "output": ["text"]}
    assert paid["pricing"] == {"input": "0.3", "output": "2.5"}
    assert paid["expiration_date"] == "2026-12-31"
    assert "expiration_date" not in models["x/dear"]
    asked = next(call for call in openrouter.calls if call.path == "/v1/models")
    assert asked.headers["authorization"] == f"Bearer {KEY}"


async def test_they_answer(live: Live, openrouter: FakeOpenRouter) -> None:
    await shown(live, "x/paid")
    async with AsyncOpenAI(base_url=live.api, api_key=live.key) as client:
        answer = await client.chat.completions.create(model="x/paid", messages=MESSAGES)
    assert answer.choices[0].message.content == "A B C"
    assert openrouter.calls[-1].document["model"] == "x/paid"


async def test_a_plan_sees_its_tiers_only(live: Live) -> None:
    await shown(live, "x/paid")
    with live.database.transaction() as connection:
        store.set_plan(connection, live.user.home_workspace_id, "free", by=None)
    async with AsyncOpenAI(base_url=live.api, api_key=live.key, max_retries=0) as client:
        seen = {model.id async for model in await client.models.list() if model.id.startswith("x/")}
        assert seen == {"x/free:free"}
        with pytest.raises(PermissionDeniedError, match="does not include"):
            await client.chat.completions.create(model="x/paid", messages=MESSAGES)


async def test_what_a_model_lacks_goes_to_the_next_route_or_is_refused_by_name(
    live: Live, openrouter: FakeOpenRouter, lab: FakeOpenAI
) -> None:
    await shown(live, "x/paid")
    async with AsyncOpenAI(base_url=live.api, api_key=live.key, max_retries=0) as client:
        answer = await client.chat.completions.with_raw_response.create(
            model="x/free:free", messages=MESSAGES, seed=7
        )
        assert answer.headers["x-writingmate-route"] == "lab/m"
        with pytest.raises(BadRequestError) as caught:
            await client.chat.completions.create(model="x/paid", messages=MESSAGES, logprobs=True)
        with pytest.raises(BadRequestError) as told:
            await client.responses.create(model="x/lean", input="Hi", reasoning={"effort": "low"})
        plain = await client.responses.create(model="x/lean", input="Reply with exactly: A")
    assert (caught.value.param, caught.value.code) == ("logprobs", "unsupported_parameter")
    assert (told.value.param, told.value.code) == ("reasoning.effort", "unsupported_parameter")
    assert plain.output_text == "A"
    assert [call.document["seed"] for call in lab.calls] == [7]
    assert [call.model for call in openrouter.calls if call.method == "POST"] == ["x/lean"]


async def test_an_offline_start_has_the_list_at_once(given: Settings, openrouter: FakeOpenRouter) -> None:
    with serving(given) as live:
        await shown(live, "x/paid")
    openrouter.script(Fault(status=503), path="/v1/models")
    before = len(openrouter.calls)
    headers = {"authorization": "Bearer "}
    with serving(given) as live:
        headers["authorization"] += live.key
        async with httpx2.AsyncClient(base_url=live.api, headers=headers) as api:
            assert (await api.get("/models/x/paid")).json()["tier"] == "pro"
    assert len(openrouter.calls) == before, "it is new: nobody is asked at a restart"
    kept = json.loads((given.data_dir / "catalog" / "openrouter.json").read_bytes())
    assert kept["models"].keys() == {entry["id"] for entry in LIST}


async def test_the_settings_may_leave_it_alone(
    openrouter: FakeOpenRouter, lab: FakeOpenAI, tmp_path: Path
) -> None:
    with serving(settings(tmp_path, openrouter.base_url, lab.base_url, discover=False)) as live:
        models = await shown(live, "google/gemini-2.5-flash")
    assert "x/paid" not in models
    assert not openrouter.calls


async def test_a_mark_spares_sending_the_list_again(
    given: Settings, openrouter: FakeOpenRouter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("writingmate.catalog.discovery.NEW_SECONDS", 0.0)
    openrouter.script(Fault(headers={"etag": '"v1"'}), path="/v1/models", times=1)
    with serving(given) as live:
        await shown(live, "x/paid")
    openrouter.script(Fault(status=304, body=b""), path="/v1/models")
    with serving(given) as live:
        while len([call for call in openrouter.calls if call.path == "/v1/models"]) < 2:
            await openrouter.called(len(openrouter.calls) + 1)
        assert "x/paid" in await shown(live, "x/paid")
    assert openrouter.calls[-1].headers["if-none-match"] == '"v1"'


async def test_a_callers_own_key_goes_to_listed_models(
    live: Live, given: Settings, openrouter: FakeOpenRouter, tmp_path: Path
) -> None:
    await shown(live, "x/paid")
    openrouter._key = OWN
    network = HttpClient()
    own = OwnKeys(live.database, Box(Keyring(tmp_path / "vault.keys")), network, for_own_keys(given))
    await own.set(live.user.user_id, OWN)
    await network.close()
    async with AsyncOpenAI(base_url=live.api, api_key=live.key, max_retries=0) as client:
        await client.chat.completions.create(model="x/paid", messages=MESSAGES)
        with pytest.raises(BadRequestError) as caught:
            await client.chat.completions.create(model="x/free:free", messages=MESSAGES, seed=7)
    assert caught.value.param == "seed"
    sent = [call for call in openrouter.calls if call.method == "POST"]
    assert [call.headers["authorization"] for call in sent] == [f"Bearer {OWN}"]
