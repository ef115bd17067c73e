"""Providers, settings and callers for the tests of the catalog."""

from __future__ import annotations

from typing import Any

from writingmate.catalog.resolve import Catalog
from writingmate.settings import ModelSection, ProviderSection, Settings
from writingmate.types import Plan, Principal, Provider

CHAT = {"chat": "/chat/completions"}
ALL = Plan("self-hosted", "Everything")
KNOWN = frozenset({"openai", "openrouter", "groq", "together", "fireworks", "ollama", "lab"})


def provider(name: str, *, key: str | None = "k", discovers: bool = False) -> Provider:
    return Provider(name, f"http://{name}/v1", {"chat": "/chat/completions"}, key, discovers=discovers)


def principal(*slugs: str) -> Principal:
    return Principal("user", "workspace", "key", "free", 1, frozenset(slugs) if slugs else None)


def settings(models: dict[str, ModelSection] | None = None, **providers: ProviderSection) -> Settings:
    return Settings(models=models or {}, providers=providers)


def catalog(*providers: Provider, given: Settings | None = None, **more: Any) -> Catalog:
    return Catalog(given or settings(), providers, known=KNOWN, **more)
