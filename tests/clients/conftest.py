"""A stage for each test, empty before and with clean books after."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.clients.stage import PROVIDER_KEY, Outside, Stage
from tests.fakes.openrouter import FakeOpenRouter
from tests.live import serving, settings_for


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """The page's models served through OpenRouter, as configured by its usual variables."""
    outside = Outside()
    home = tmp_path / "home"
    home.mkdir()
    trap = await asyncio.start_server(outside.refuse, "127.0.0.1", 0)
    async with trap, FakeOpenRouter(key=PROVIDER_KEY) as fake:
        proxy = f"http://127.0.0.1:{trap.sockets[0].getsockname()[1]}"
        environ = {"OPENROUTER_API_KEY": PROVIDER_KEY, "OPENROUTER_BASE_URL": fake.base_url}
        with serving(settings_for(tmp_path / "gateway", environ=environ)) as live:
            yield Stage(live, fake, outside, proxy, home)
    assert not outside.wanted, "the client wanted to talk to somebody else"
