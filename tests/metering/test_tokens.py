from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from writingmate.metering import tokens


@pytest.fixture(scope="module", autouse=True)
def _loaded() -> None:
    tokens.count("the vocabulary is loaded before a deadline runs")


def test_known_counts() -> None:
    assert tokens.count("") == 0
    assert tokens.count("hello world") == 2
    assert tokens.count("tiktoken is great!") == 6


def test_special_tokens_in_a_text_are_text() -> None:
    assert tokens.count("<|endoftext|>") > 1


@given(st.text())
def test_a_token_is_at_least_a_byte(text: str) -> None:
    assert tokens.count(text) <= len(text.encode("utf-8", "replace"))


def test_a_lone_surrogate_is_counted() -> None:
    assert tokens.count("a\ud800b") >= 1


def test_threads_share_the_first_load() -> None:
    program = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from writingmate.metering import tokens\n"
        "with ThreadPoolExecutor(4) as pool:\n"
        "    print(set(pool.map(tokens.count, ['hello world'] * 8)))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "{2}\n"


def test_without_a_tokenizer_four_bytes_are_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "toktok", None)
    assert [tokens.count(text) for text in ("", "a", "abcd", "abcde", "ééé")] == [0, 1, 1, 2, 2]


def test_long_texts_are_counted_side_by_side() -> None:
    text = "all work and no play " * 5_000
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(tokens.count, [text, text])
    assert first == second > 20_000
