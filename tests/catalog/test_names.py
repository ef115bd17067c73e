"""Anthropic's names of models."""

from __future__ import annotations

import pytest

from writingmate.catalog.names import candidates


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("claude-sonnet-4-5", "anthropic/claude-sonnet-4.5"),
        ("claude-sonnet-4-5-20250929", "anthropic/claude-sonnet-4.5"),
        ("claude-haiku-4-5@20251001", "anthropic/claude-haiku-4.5"),
        ("claude-opus-5", "anthropic/claude-opus-5"),
        ("claude-sonnet-5-5[1m]", "anthropic/claude-sonnet-5.5"),
        ("claude-opus-4-20250514", "anthropic/claude-opus-4"),
        ("claude-3-5-haiku-latest", "anthropic/claude-3.5-haiku"),
        ("anthropic/claude-opus-4-8", "anthropic/claude-opus-4.8"),
    ],
)
def test_a_name_of_anthropics_is_a_slug(name: str, slug: str) -> None:
    assert list(candidates(name))[-1] == slug
    assert next(candidates(name)) == name


def test_other_names_are_themselves() -> None:
    for name in ("openai/gpt-5", "gpt-4-5", "", "house/claude-x"):
        assert list(candidates(name)) == [name]
