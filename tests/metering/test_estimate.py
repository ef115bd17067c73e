from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from writingmate.metering import tokens
from writingmate.metering.estimate import bound


@pytest.fixture(scope="module", autouse=True)
def _loaded() -> None:
    tokens.count("the vocabulary is loaded before a deadline runs")


@given(st.lists(st.text(max_size=200), min_size=1, max_size=5), st.integers(1, 100_000), st.integers(1, 8))
def test_no_prompt_has_more_tokens_than_the_bound(texts: list[str], max_tokens: int, choices: int) -> None:
    messages = [{"role": "user", "content": text} for text in texts]
    body = json.dumps({"model": "m", "messages": messages}, ensure_ascii=False).encode("utf-8", "replace")
    bounds = bound(len(body), max_tokens, choices)
    around_a_message = 8  # what chat templates put around each, at most
    assert sum(tokens.count(text) + around_a_message for text in texts) <= bounds.prompt_tokens
    assert bounds.completion_tokens == max_tokens * choices


def test_nonsense_is_bounded_too() -> None:
    assert bound(-1, -5, 0) == (0, 0)
