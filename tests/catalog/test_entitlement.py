from __future__ import annotations

import time

import pytest

from writingmate.catalog.entitlement import allows
from writingmate.types import Model, ModelSlug, Plan, Tier


def model(slug: str, tier: Tier = "pro") -> Model:
    return Model(ModelSlug(slug), "A model", "maker", 1, tier, 4096, 1024)


@pytest.mark.parametrize(("tier", "expected"), [("basic", True), ("pro", True), ("ultimate", False)])
def test_a_tier_is_included_or_not(tier: Tier, *, expected: bool) -> None:
    assert allows(Plan("premium", "Premium", tiers=("basic", "pro")), model("a/b", tier)) is expected


@pytest.mark.parametrize(
    ("pattern", "slug", "expected"),
    [
        ("openai/gpt-5", "openai/gpt-5", True),
        ("openai/gpt-5", "openai/gpt-5-mini", False),
        ("openai/gpt-5", "OPENAI/gpt-5", False),
        ("local/*", "local/qwen", True),
        ("lab/*", "lab/org/model", True),
        ("local/*", "other/local/x", False),
        ("*-mini", "openai/gpt-5-mini", True),
        ("*", "anything/at-all", True),
        ("a/b?", "a/bc", False),
        ("a/b?", "a/b?", True),
        ("a/[bc]", "a/b", False),
        ("a/[bc]*", "a/[bc]d", True),
        ("a/!x", "a/!x", True),
    ],
)
def test_a_slug_is_included_by_name_or_pattern(pattern: str, slug: str, *, expected: bool) -> None:
    assert allows(Plan("p", "P", tiers=(), models=("never/this", pattern)), model(slug)) is expected


def test_a_pattern_full_of_stars_takes_no_time() -> None:
    plan = Plan("p", "P", tiers=(), models=("*a" * 60 + "b",))
    began = time.perf_counter()
    assert not allows(plan, model("a" * 200))
    assert time.perf_counter() - began < 1
