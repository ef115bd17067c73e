from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import toktok
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


def test_without_a_tokenizer_a_byte_is_a_token_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "toktok", None)
    assert tokens.bounds(["", "abcd", "é"]) == [0, 4, 2]


@given(st.lists(st.text(), max_size=5))
def test_bounds_of_short_texts_are_their_counts(texts: list[str]) -> None:
    assert tokens.bounds(texts) == [tokens.count(text) for text in texts]


@pytest.mark.parametrize("unit", ["all work and no play ", "word,", "def f():\n    return 1\n\n", "é", "7"])
def test_a_long_text_counts_like_its_whole(unit: str) -> None:
    text = unit * (300_000 // len(unit))
    exact = toktok.batch_count([text], tokens.ENCODING)[0]
    assert exact <= tokens.count(text) <= exact + 10
    assert tokens.bounds(["hello world", text]) == [2, tokens.count(text)]


def test_what_time_does_not_suffice_for() -> None:
    text = "all work and no play makes jack " * 30_000
    assert tokens.bounds([text, "é"], seconds=-1) == [len(text), 2]
    assert tokens.count(text, seconds=-1) == len(text) // tokens.BYTES_PER_TOKEN


def test_the_rest_counts_like_what_came_before(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "all work and no play makes jack " * 30_000
    exact = tokens.count(text)
    clock = iter([0.0, 0.1, 0.2, *[9.0] * 100])
    monkeypatch.setattr(tokens, "monotonic", lambda: next(clock))
    assert tokens.count(text) == pytest.approx(exact, rel=0.01)
    clock = iter([0.0, 0.1, 0.2, *[9.0] * 100])
    assert exact < tokens.bounds([text])[0] < len(text)


@pytest.mark.parametrize("nasty", ["a", " ", "=", "/", "Ax", "\t", "é", "\u4e00\u9fa5", "!?"])
def test_no_text_takes_long(nasty: str) -> None:
    text = nasty * (32_000_000 // len(nasty.encode()))
    begun = time.perf_counter()
    assert 0 < tokens.count(text) <= tokens.bounds([text])[0] <= 32_000_000
    assert time.perf_counter() - begun < 5  # about one, on a machine that may be busy


def test_long_texts_are_counted_side_by_side() -> None:
    text = "all work and no play " * 5_000
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(tokens.count, [text, text])
    assert first == second > 20_000
