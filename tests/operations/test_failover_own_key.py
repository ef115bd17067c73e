"""A caller's own key that fails: neither the operator's key nor the operator's routes are touched."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from tests.fakes.openai_upstream import FakeOpenAI, Fault
from tests.fakes.openrouter import FakeOpenRouter, refusing
from tests.live import serving, settings_for
from tests.operations.test_own_keys import KEY, OPERATORS
from writingmate.operations.generate import Generate
from writingmate.operations.own_keys import OwnKeys
from writingmate.providers import for_own_keys
from writingmate.settings import ModelSection, ProviderSection, RouteSection
from writingmate.storage import tables
from writingmate.upstream.breaker import IN_A_ROW
from writingmate.upstream.client import HttpClient
from writingmate.vault.box import Box
from writingmate.vault.keys import Keyring

SLUG = "google/gemini-2.5-flash"


@pytest.fixture
async def openrouter() -> AsyncIterator[FakeOpenRouter]:
    async with FakeOpenRouter(key=KEY) as running:
        yield running


@pytest.mark.parametrize(
    ("fault", "status", "calls"), [(Fault(status=500), 502, 2), (refusing(402, "No credits"), 401, 1)]
)
async def test_their_key_is_tried_again_alone_and_the_operators_routes_stay_well(
    openrouter: FakeOpenRouter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: Fault,
    status: int,
    calls: int,
) -> None:
    made: list[Generate] = []
    begin = Generate.__init__

    def keep(self: Generate, *parts: Any) -> None:
        begin(self, *parts)
        made.append(self)

    monkeypatch.setattr(Generate, "__init__", keep)
    async with FakeOpenAI() as lab:
        settings = settings_for(
            tmp_path,
            providers={
                "openrouter": ProviderSection(base_url=openrouter.base_url, api_key=OPERATORS),
                "lab": ProviderSection(base_url=lab.base_url, api_key="k" * 20),
            },
            models={SLUG: ModelSection(routes=(RouteSection("openrouter", SLUG), RouteSection("lab", "m")))},
        )
        network = HttpClient()
        with serving(settings) as live:
            own = OwnKeys(
                live.database, Box(Keyring(tmp_path / "vault.keys")), network, for_own_keys(settings)
            )
            await own.set(live.user.user_id, KEY)
            await network.close()
            before = len(openrouter.calls)
            openrouter.script(fault, path="/v1/chat/completions")
            headers = {"authorization": f"Bearer {live.key}"}
            asked = {"model": SLUG, "messages": [{"role": "user", "content": "x"}]}
            async with httpx2.AsyncClient(base_url=live.api, headers=headers, timeout=20) as api:
                for _ in range(IN_A_ROW):
                    assert (await api.post("/chat/completions", json=asked)).status_code == status
            with live.database.reading() as connection:
                rows = connection.execute(select(tables.entries)).all()
    assert not lab.calls
    sent = openrouter.calls[before:]
    assert [call.headers["authorization"] for call in sent if call.method == "POST"] == [f"Bearer {KEY}"] * (
        calls * IN_A_ROW
    )
    assert [(row.provider, row.messages, row.flags) for row in rows] == [
        ("openrouter", 0, "byok failed")
    ] * IN_A_ROW
    assert not made[0].failover.breakers
