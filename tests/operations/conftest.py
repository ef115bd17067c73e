"""A live gateway in front of a fake provider, one for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from tests.fakes.openai_upstream import FakeOpenAI
from tests.live import Live, check_books, serving, settings_for
from tests.operations import pair as pairs
from tests.operations.pair import Pair
from tests.operations.turns import Providers, providers
from writingmate.operations.generate import Generate
from writingmate.settings import ProviderSection, TimeoutSection
from writingmate.storage import tables

SECRET = "sk-operators-own-0123456789abcdef"


@pytest.fixture
async def fake() -> AsyncIterator[FakeOpenAI]:
    """The provider behind ``fake/…``."""
    async with FakeOpenAI(key=SECRET) as running:
        yield running


@pytest.fixture
def gateway(fake: FakeOpenAI, tmp_path: Path) -> Iterator[Live]:
    """The gateway; its books are audited when the test is over."""
    provider = {"api_key": SECRET, "base_url": fake.base_url, "models": ("m",)}
    settings = settings_for(
        tmp_path,
        providers={
            "fake": ProviderSection(**provider, dialects=("chat", "completions")),  # type: ignore[arg-type]  # a literal
            "native": ProviderSection(**provider, dialects=("chat", "responses")),  # type: ignore[arg-type]  # the same
            "chatty": ProviderSection(**provider),  # type: ignore[arg-type]  # the same
        },
        timeouts=TimeoutSection(connect=1.0, first=0.5, idle=0.5),
    )
    with serving(settings) as live:
        yield live
        check_books(live)


@pytest.fixture
async def fakes() -> AsyncIterator[Providers]:
    """The providers that conversations alternate between."""
    async with providers() as running:
        yield running


@pytest.fixture
async def api(gateway: Live) -> AsyncIterator[httpx2.AsyncClient]:
    """A client with a key."""
    headers = {"authorization": f"Bearer {gateway.key}"}
    async with httpx2.AsyncClient(base_url=gateway.api, headers=headers, timeout=20) as client:
        yield client


@pytest.fixture
def entry(gateway: Live) -> Callable[[], Any]:
    """The one row of the ledger."""

    def read() -> Any:
        with gateway.database.reading() as connection:
            return connection.execute(select(tables.entries)).one()

    return read


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Generate]:
    """The operation of the gateway with two routes, to look at and set its clock."""
    made: list[Generate] = []
    begin = Generate.__init__

    def keep(self: Generate, *parts: Any) -> None:
        begin(self, *parts)
        made.append(self)

    monkeypatch.setattr(Generate, "__init__", keep)
    return made


@pytest.fixture
def patience() -> TimeoutSection:
    """How long the gateway with two routes waits; a module of tests may say otherwise."""
    return TimeoutSection(connect=1.0, first=0.4, idle=0.4, deadline=5.0)


@pytest.fixture
async def pair(
    tmp_path: Path, database_url: str, made: list[Generate], patience: TimeoutSection
) -> AsyncIterator[Pair]:
    """A gateway whose model has two routes, each to a fake of its own."""
    async with pairs.fakes() as (one, two):
        with pairs.gateway(
            tmp_path, one.base_url, two.base_url, database_url=database_url, timeouts=patience
        ) as live:
            headers = {"authorization": f"Bearer {live.key}"}
            async with httpx2.AsyncClient(base_url=live.api, headers=headers, timeout=20) as api:
                yield Pair(one, two, live, api, made)
