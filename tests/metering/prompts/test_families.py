from __future__ import annotations

import pytest
import toktok
from hypothesis import given
from hypothesis import strategies as st

from writingmate.catalog.models import shipped
from writingmate.metering import tokens
from writingmate.metering.prompts.families import ANY, ROWS, Family, family

TEXTS = {
    "prose": "It was the best of times, it was the worst of times, it was the age of wisdom. " * 20,
    "German": "Die Würde des Menschen ist unantastbar. Sie zu achten und zu schützen ist Verpflichtung. "
    * 20,
    "code": 'def add(first: int, second: int) -> int:\n    """Add."""\n    return first + second\n\n\n' * 20,
    "json": '{"id": 4711, "name": "Ada", "scores": [1.25, 3.5, 99], "active": true}\n' * 20,
    "digits": "".join(str(number) for number in range(2_000)),
    "Chinese": "人人生而自由在尊严和权利上一律平等。他们赋有理性和良心。" * 20,
    "Hindi": "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।" * 20,
    "emoji": "👩‍👩‍👧‍👦🎉🇩🇪 " * 50,
    "spaces": " " * 3_000 + "\n" * 500,
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize(
    ("slug", "encoding"), [("openai/gpt-4-turbo", "cl100k_base"), ("qwen/qwen3.5-27b", "qwen3.5")]
)
def test_other_vocabularies_take_no_more_than_their_family_says(slug: str, encoding: str, text: str) -> None:
    exact = toktok.batch_count([text], encoding)[0]
    assert exact <= family(slug).texts([text])[0] <= max(len(text.encode()), exact)


@given(st.lists(st.text(), max_size=3), st.sampled_from([ANY, *(row[1] for row in ROWS)]))
def test_a_text_is_between_its_tokens_and_its_bytes(texts: list[str], rules: Family) -> None:
    for text, most in zip(texts, rules.texts(texts), strict=True):
        assert tokens.count(text) <= most <= len(text.encode("utf-8", "replace"))


def test_openai_is_exact() -> None:
    assert family("openai/gpt-5.2").texts(["hello world", "tiktoken is great!"]) == [2, 6]


@pytest.mark.parametrize(
    ("slug", "like"),
    [
        ("openrouter/anthropic/claude-opus-5", "anthropic/claude-sonnet-5.5"),
        ("anthropic/claude-sonnet-4-20250514", "anthropic/claude-haiku-4.5"),
        ("anthropic/claude-opus-4-5-20251101", "anthropic/claude-haiku-4.5"),
        ("claude-3-5-haiku-latest", "anthropic/claude-haiku-4.5"),
        ("anthropic/claude-opus-4.8", "anthropic/claude-opus-5"),
        ("gpt-5-2025-08-07", "openai/gpt-5"),
        ("openai/gpt-5.6-luna", "openai/gpt-7"),
        ("groq/llama-3.3-70b-versatile", "meta-llama/llama-3.3-70b-instruct"),
        ("GPT-4o", "openai/gpt-4o"),
    ],
)
def test_a_family_is_known_by_its_models_names(slug: str, like: str) -> None:
    assert family(slug) is family(like)
    assert family(slug) is not ANY


def test_every_shipped_model_has_a_family() -> None:
    assert [slug for slug in shipped() if family(slug) is ANY] == []


def test_the_unknown_are_the_most_cautious() -> None:
    assert family("vendor/unheard-of") is ANY
    for text in TEXTS.values():
        assert ANY.texts([text])[0] >= family("qwen/qwen3.5-27b").texts([text])[0]
