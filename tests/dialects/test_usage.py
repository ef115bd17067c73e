from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from writingmate.dialects import usage
from writingmate.types import Usage


def read(reported: Any) -> Usage | None:
    return usage.read(msgspec.Raw(msgspec.json.encode(reported)))


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        ({}, Usage(100, 50)),
        ({"total_tokens": 150}, Usage(100, 50)),
        ({"prompt_tokens_details": {"cached_tokens": 64}}, Usage(100, 50, 64)),
        ({"prompt_tokens_details": None, "completion_tokens_details": None}, Usage(100, 50)),
        ({"prompt_tokens_details": {}, "completion_tokens_details": {}}, Usage(100, 50)),
        ({"prompt_tokens_details": {"cached_tokens": None}}, Usage(100, 50)),
        ({"completion_tokens_details": {"reasoning_tokens": 20}, "total_tokens": 150}, Usage(100, 50, 0, 20)),
        ({"prompt_cache_hit_tokens": 80, "prompt_cache_miss_tokens": 20}, Usage(100, 50, 80)),
        ({"num_cached_tokens": 10}, Usage(100, 50, 10)),
        ({"cached_tokens": 7}, Usage(100, 50, 7)),
        ({"prompt_tokens_details": {"cached_tokens": 5}, "prompt_cache_hit_tokens": 80}, Usage(100, 50, 5)),
        ({"prompt_tokens_details": {"cached_tokens": 101}}, Usage(100, 50)),
        ({"prompt_tokens_details": {"cached_tokens": -1}, "cached_tokens": "x"}, Usage(100, 50)),
        ({"prompt_tokens_details": [1]}, Usage(100, 50)),
    ],
)
def test_details_wherever_they_are(details: dict[str, Any], expected: Usage) -> None:
    assert read({"prompt_tokens": 100, "completion_tokens": 50, **details}) == expected


@pytest.mark.parametrize(
    ("total", "reasoning", "cached", "completion"),
    [
        (150, 20, 0, 50),  # OpenAI: reasoning is within
        (170, 20, 0, 70),  # xAI: beside, and in the total
        (170, 20, 64, 70),
        (170, 0, 0, 70),  # Google: beside, not itemised
        (170, 0, 64, 50),  # what is beyond may be cached input: not charged as output
        (190, 20, 0, 50),  # explained by nothing
        (140, 20, 0, 50),
        (None, 386, 0, 436),  # more reasoning than completion: it cannot be within
        (None, 20, 0, 50),
    ],
)
def test_reasoning_is_part_of_the_completion(
    total: int | None, reasoning: int, cached: int, completion: int
) -> None:
    reported: dict[str, Any] = {
        "prompt_tokens": 100,
        "completion_tokens": 50,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }
    if total is not None:
        reported["total_tokens"] = total
    assert read(reported) == Usage(100, completion, cached, reasoning)


@pytest.mark.parametrize(
    "reported",
    [
        None,
        {},
        [],
        "usage",
        7,
        {"prompt_tokens": 5},
        {"completion_tokens": 5},
        {"prompt_tokens": -1, "completion_tokens": 5},
        {"prompt_tokens": 5, "completion_tokens": -5},
        {"prompt_tokens": 5.0, "completion_tokens": 5},
        {"prompt_tokens": "5", "completion_tokens": 5},
        {"prompt_tokens": True, "completion_tokens": 5},
        {"prompt_tokens": 10**12, "completion_tokens": 5},
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    ],
)
def test_what_cannot_be_true_is_no_usage(reported: Any) -> None:
    assert read(reported) is None


@pytest.mark.parametrize("raw", [b"", b"9" * 5000, b"{", b'{"prompt_tokens":1' + b"0" * 5000 + b"}"])
def test_what_cannot_be_read_is_no_usage(raw: bytes) -> None:
    assert usage.read(msgspec.Raw(raw)) is None


FIGURES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3)
NAMES = st.sampled_from(
    ["prompt_tokens", "completion_tokens", "total_tokens", "cached_tokens", "reasoning_tokens",
     "prompt_tokens_details", "completion_tokens_details", "prompt_cache_hit_tokens"]
)  # fmt: skip


@given(st.dictionaries(NAMES, FIGURES | st.dictionaries(NAMES, FIGURES)))
def test_whatever_is_reported_the_figures_are_sound(reported: dict[str, Any]) -> None:
    found = usage.normalised(reported)
    if found is not None:
        assert 0 <= found.cached_tokens <= found.prompt_tokens
        assert 0 <= found.reasoning_tokens <= found.completion_tokens
        assert found.prompt_tokens + found.completion_tokens > 0


def test_what_went_into_a_cache_is_told_on() -> None:
    details = {"cached_tokens": 4, "cache_write_tokens": 6}
    reported = {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": details}
    assert usage.normalised(reported) == Usage(10, 5, 4, 0, 6)
    assert usage.normalised({**reported, "prompt_tokens": 9}) == Usage(9, 5, 4)
