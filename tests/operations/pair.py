"""A live gateway whose one model has two routes, each to a fake provider of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy import Row, select

from tests.fakes.openai_upstream import FakeOpenAI
from tests.live import Live, check_books, serving, settings_for
from writingmate.operations.generate import Generate
from writingmate.settings import ModelSection, ProviderSection, RouteSection, TimeoutSection
from writingmate.storage import tables

HELLO: dict[str, Any] = {
    "model": "pair/m",
    "messages": [{"role": "user", "content": "Reply with exactly: A B C"}],
}
STREAM = {**HELLO, "stream": True}
CHAT = "/chat/completions"


@dataclass(frozen=True)
class Pair:
    """The gateway, its two providers and a client of it."""

    one: FakeOpenAI
    two: FakeOpenAI
    live: Live
    api: httpx2.AsyncClient
    made: list[Generate] = field(repr=False)

    @property
    def calls(self) -> tuple[int, int]:
        """What each provider was asked so far."""
        return len(self.one.calls), len(self.two.calls)

    def entries(self) -> list[Row[Any]]:
        """The ledger, in order."""
        with self.live.database.reading() as connection:
            return list(connection.execute(select(tables.entries).order_by(tables.entries.c.started_at)))

    async def metric(self, name: str) -> float:
        """One number of `/metrics`, 0 if it is not there."""
        lines = (await self.api.get(f"{self.live.url}/metrics")).text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name + " "))


@asynccontextmanager
async def fakes() -> AsyncIterator[tuple[FakeOpenAI, FakeOpenAI]]:
    """The two providers."""
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(FakeOpenAI()), await stack.enter_async_context(FakeOpenAI())


@contextmanager
def gateway(folder: Path, one: str, two: str, **fields: object) -> Iterator[Live]:
    """``pair/m`` is ``one/m1``, then ``two/m2``; only ``two`` speaks `completions` itself. Audited."""
    model = ModelSection(
        tier="basic",
        context_length=10_000,
        max_output_tokens=1_000,
        routes=(RouteSection("one", "m1"), RouteSection("two", "m2")),
    )
    settings = settings_for(
        folder,
        providers={
            "one": ProviderSection(base_url=one, api_key="k" * 20),
            "two": ProviderSection(base_url=two, api_key="k" * 20, dialects=("chat", "completions")),
        },
        models={"pair/m": model},
        **{"timeouts": TimeoutSection(connect=1.0, first=0.4, idle=0.4, deadline=5.0), **fields},
    )
    with serving(settings) as live:
        yield live
        check_books(live)
