"""What a workspace's plan lets through, on a live gateway, and that a change of plan counts at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from tests.fakes.openai_upstream import FakeOpenAI
from tests.live import Live, serving, settings_for
from tests.operations.test_generate import HELLO, error_of
from writingmate import app
from writingmate.errors import BodyTooLarge, ConfigurationError
from writingmate.operations.body_limit import check_body
from writingmate.settings import ModelSection, ProviderSection
from writingmate.storage import tables
from writingmate.types import Plan
from writingmate.workspaces import store

PLANS = """
[plans.small]
tiers = ["basic"]
max_body_bytes = 1024
[plans.slow]
tiers = ["basic"]
daily_messages = { basic = 2 }
requests_per_minute = 3
[plans.once]
tiers = ["basic"]
requests_per_minute = 1
[plans.named]
models = ["fake/dear"]
"""
LIST = "/models"


@pytest.fixture
async def fake() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI() as running:
        yield running


@pytest.fixture
def gateway(fake: FakeOpenAI, tmp_path: Path) -> Iterator[Live]:
    """A gateway with plans of its own and models of two tiers."""
    plans = tmp_path / "plans.toml"
    plans.write_text(PLANS)
    settings = settings_for(
        tmp_path,
        plans=plans,
        providers={"fake": ProviderSection(base_url=fake.base_url, models=("m", "dear"), api_key="k" * 20)},
        models={"fake/m": ModelSection(tier="basic"), "fake/dear": ModelSection(tier="ultimate")},
    )
    with serving(settings) as live:
        yield live


@pytest.fixture
async def api(gateway: Live) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"authorization": f"Bearer {gateway.key}"}
    async with httpx2.AsyncClient(base_url=gateway.api, headers=headers, timeout=20) as client:
        yield client


def put_on(gateway: Live, plan: str) -> None:
    """From outside, as a command does."""
    with gateway.database.transaction() as connection:
        store.set_plan(connection, gateway.user.home_workspace_id, plan, by=None)


def held_or_charged(gateway: Live) -> int:
    with gateway.database.reading() as connection:
        tables_of = (tables.holds, tables.entries)
        return sum(len(connection.execute(select(table)).all()) for table in tables_of)


async def slugs(api: httpx2.AsyncClient) -> list[str]:
    return [model["id"] for model in (await api.get(LIST)).json()["data"]]


def asking(model: str, **more: Any) -> dict[str, Any]:
    return {**HELLO, "model": model, **more}


async def test_a_plan_lists_and_admits_what_it_includes(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live
) -> None:
    assert await slugs(api) == ["fake/dear", "fake/m"]
    put_on(gateway, "small")
    assert await slugs(api) == ["fake/m"]
    assert (await api.get(f"{LIST}/fake%2Fm")).status_code == 200
    assert (await api.post("/chat/completions", json=asking("fake/m"))).status_code == 200
    calls, rows = len(fake.calls), held_or_charged(gateway)
    for answer in (
        await api.get(f"{LIST}/fake%2Fdear"),
        await api.post("/chat/completions", json=asking("fake/dear")),
    ):
        assert answer.status_code == 403
        error = error_of(answer)
        assert (error["type"], error["code"], error["param"]) == (
            "permission_error",
            "model_not_in_plan",
            "model",
        )
        assert "`small`" in error["message"]
        assert "upgrade to the plan `professional` or `ultimate`" in error["message"]
    assert (len(fake.calls), held_or_charged(gateway)) == (calls, rows)


async def test_a_plan_may_name_models(api: httpx2.AsyncClient, gateway: Live) -> None:
    put_on(gateway, "named")
    assert await slugs(api) == ["fake/dear"]
    assert (await api.post("/chat/completions", json=asking("fake/dear"))).status_code == 200
    assert (await api.post("/chat/completions", json=asking("fake/m"))).status_code == 403


async def test_an_upgrade_counts_from_the_next_request_on(api: httpx2.AsyncClient, gateway: Live) -> None:
    put_on(gateway, "small")
    assert (await api.post("/chat/completions", json=asking("fake/dear"))).status_code == 403
    put_on(gateway, "ultimate")
    assert (await api.post("/chat/completions", json=asking("fake/dear"))).status_code == 200
    put_on(gateway, "small")
    assert (await api.post("/chat/completions", json=asking("fake/dear"))).status_code == 403


async def test_a_body_larger_than_the_plan_takes_is_refused_before_anything_is_held(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live
) -> None:
    put_on(gateway, "small")
    rest = len(json.dumps(asking("fake/m", user=""), separators=(",", ":")))
    fits, over = (asking("fake/m", user="x" * (size - rest)) for size in (1024, 1025))
    assert (await api.post("/chat/completions", json=fits)).status_code == 200
    calls, rows = len(fake.calls), held_or_charged(gateway)
    answer = await api.post("/chat/completions", json=over)
    assert answer.status_code == 413
    error = error_of(answer)
    assert (error["type"], error["code"]) == ("invalid_request_error", "request_too_large")
    assert "the plan `small`, 1024 bytes" in error["message"]
    assert (len(fake.calls), held_or_charged(gateway)) == (calls, rows)
    put_on(gateway, "self-hosted")
    assert (await api.post("/chat/completions", json=over)).status_code == 200


async def test_a_plans_limits_are_the_ones_that_count(api: httpx2.AsyncClient, gateway: Live) -> None:
    put_on(gateway, "slow")
    small = asking("fake/m", max_tokens=5)
    answers = [await api.post("/chat/completions", json=small) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["x-writingmate-remaining-messages"] == "1"
    assert answers[1].headers["x-ratelimit-limit-requests"] == "3"
    assert answers[1].headers["x-ratelimit-remaining-requests"] == "1"
    assert error_of(answers[2])["code"] == "daily_limit_reached"
    put_on(gateway, "once")
    answer = await api.post("/chat/completions", json=small)
    assert answer.status_code == 429
    assert error_of(answer)["code"] == "rate_limit_exceeded"
    assert answer.headers["x-ratelimit-limit-requests"] == "1"


async def test_a_plan_that_is_not_configured_allows_nothing(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live
) -> None:
    put_on(gateway, "gone")
    for answer in (
        await api.get(LIST),
        await api.get(f"{LIST}/fake%2Fm"),
        await api.post("/chat/completions", json=asking("fake/m")),
    ):
        assert answer.status_code == 403
        assert error_of(answer)["code"] == "model_not_in_plan"
        assert "`gone`" in error_of(answer)["message"]
    assert not fake.calls
    assert held_or_charged(gateway) == 0


async def test_a_changed_file_counts_in_a_running_server(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(app, "PLANS_SECONDS", 0.02)
    plans = tmp_path / "plans.toml"
    await asyncio.to_thread(plans.write_text, "[plans.other]\ntiers = ['pro']\n")
    with serving(settings_for(tmp_path, plans=plans)) as live:
        put_on(live, "lab")
        headers = {"authorization": f"Bearer {live.key}"}
        async with httpx2.AsyncClient(base_url=live.api, headers=headers, timeout=20) as client:
            assert (await client.get(LIST)).status_code == 403
            await asyncio.to_thread(plans.write_text, "[plans.lab]\ntiers = ['basic']\n")
            async with asyncio.timeout(20):
                while (await client.get(LIST)).status_code != 200:
                    pass


async def test_a_server_does_not_start_with_a_wrong_file(tmp_path: Path, sqlite_file_url: str) -> None:
    settings = settings_for(tmp_path, database_url=sqlite_file_url, plans=tmp_path / "none.toml")
    with pytest.raises(ConfigurationError, match=r"none\.toml: cannot be read"):
        await app.Gateway(settings).start()


def test_the_limit_itself_is_allowed() -> None:
    plan = Plan("p", "P", max_body_bytes=10)
    check_body(plan, 10)
    check_body(Plan("q", "Q"), 1 << 40)
    with pytest.raises(BodyTooLarge):
        check_body(plan, 11)
