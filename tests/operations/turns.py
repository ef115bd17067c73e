"""Conversations on a live gateway in front of four kinds of providers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy import select

from tests.fakes.anthropic_upstream import FakeAnthropic
from tests.fakes.gemini_upstream import FakeGemini
from tests.fakes.openai_upstream import FakeOpenAI
from tests.live import Live, serving, settings_for
from writingmate.metering.audit import audit
from writingmate.settings import ProviderSection, TimeoutSection
from writingmate.storage import tables

Json = dict[str, Any]
SECRET = "sk-ant-api03-operators-own-0123456789"
GOOGLES = "AIzaSyOperatorsOwn0123456789abcdefghijk"
CHAT = "chatty/m"
NATIVE = "native/gpt-5.1"
OTHER = "other/gpt-5.1"  # speaks responses too, and cannot read what the first encrypts
CLAUDE = "anthropic/claude-opus-5"
GEMINI = "google/gemini-3.8-flash"
MODELS = (CHAT, NATIVE, CLAUDE, GEMINI)


@dataclass(frozen=True)
class Providers:
    """One of OpenAI's kind, one of Anthropic's, one of Google's."""

    openai: FakeOpenAI
    anthropic: FakeAnthropic
    google: FakeGemini

    def last(self, model: str) -> Json:
        """What the provider of a model was sent last."""
        fake = {CLAUDE: self.anthropic, GEMINI: self.google}.get(model, self.openai)
        document: Json = fake.calls[-1].document
        return document

    def settings(self, folder: Path, database: str = "", **fields: object) -> Any:
        """A gateway in front of them, over a database of its own or of others."""
        shared: Json = {"base_url": self.openai.base_url, "api_key": "k" * 20}
        native = ProviderSection(**shared, dialects=("chat", "responses"), models=("gpt-5.1",))
        settings: Json = {
            "providers": {
                "chatty": ProviderSection(**shared, models=("m",)),
                "native": native,
                "other": native,
            },
            "environ": {
                "ANTHROPIC_API_KEY": SECRET,
                "ANTHROPIC_BASE_URL": self.anthropic.host,
                "GEMINI_API_KEY": GOOGLES,
                "GEMINI_BASE_URL": self.google.host,
            },
            "timeouts": TimeoutSection(connect=2.0, first=20.0, idle=20.0),
            "lease_seconds": 1.0,
        }
        if database:
            settings["database_url"] = database
        return settings_for(folder, **settings | fields)


@asynccontextmanager
async def providers() -> AsyncIterator[Providers]:
    """All of them."""
    async with AsyncExitStack() as stack:
        openai = await stack.enter_async_context(FakeOpenAI())
        anthropic = await stack.enter_async_context(FakeAnthropic(key=SECRET))
        yield Providers(openai, anthropic, await stack.enter_async_context(FakeGemini(key=GOOGLES)))


@contextmanager
def audited(settings: Any) -> Iterator[Live]:
    """The gateway; its books are checked when the test is over."""
    with serving(settings) as live:
        yield live
        with live.database.reading() as connection:
            report = audit(connection)
            assert report.clean, report
            assert not connection.execute(select(tables.holds)).all()


def client_of(live: Live, key: str | None = None) -> httpx2.AsyncClient:
    """A client with a key."""
    headers = {"authorization": f"Bearer {key or live.key}"}
    return httpx2.AsyncClient(base_url=live.api, headers=headers, timeout=30)


async def say(api: httpx2.AsyncClient, text: object, previous: Json | None = None, **fields: object) -> Json:
    """One turn, which must be answered; what it answered."""
    body = {"model": CHAT, "input": text, **fields}
    if previous is not None:
        body["previous_response_id"] = previous["id"]
    answer = await api.post("/responses", json=body)
    assert answer.status_code == 200, answer.text
    said: Json = answer.json()
    return said


def text_of(response: Json) -> str:
    """What a response says."""
    parts = [part for item in response["output"] for part in item.get("content", ())]
    return "".join(part.get("text", "") for part in parts)


def rows(live: Live, table: str = "responses") -> list[Any]:
    """What a table holds."""
    with live.database.reading() as connection:
        return list(connection.execute(select(getattr(tables, table))))


def heard(document: Json) -> list[str]:
    """The texts of a conversation as a provider got it, in whichever of the four dialects."""
    said = document.get("messages", document.get("input", document.get("contents")))
    texts = []
    for item in said if isinstance(said, list) else [{"content": said}]:
        content = item.get("content", item.get("parts")) or []
        parts = [{"text": content}] if isinstance(content, str) else content
        text = "".join(part.get("text", "") for part in parts)
        texts += [text] if text else []
    return texts
