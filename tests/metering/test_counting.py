from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

from hypothesis import example, given
from hypothesis import strategies as st

from writingmate.metering.counting import MESSAGE_TOKENS, counted_messages, effective_input
from writingmate.types import Usage

TOKENS = st.integers(min_value=0, max_value=10**18) | st.integers(min_value=0, max_value=100_000)


@given(TOKENS, TOKENS, TOKENS)
@example(10, 5, 0)
@example(19_000, 3_000, 4_000)
def test_it_is_the_published_formula(prompt: int, completion: int, cached: int) -> None:
    discount = floor(cached * Fraction(1, 2))
    effective = max(0, prompt - discount)
    expected = max(1, ceil(Fraction(effective + completion, 16_000)))
    usage = Usage(prompt, completion, cached)
    assert effective_input(usage) == effective
    assert counted_messages(usage) == expected


def test_the_two_published_examples() -> None:
    assert counted_messages(Usage(10, 5, 0)) == 1
    assert effective_input(Usage(19_000, 3_000, 4_000)) == 17_000
    assert counted_messages(Usage(19_000, 3_000, 4_000)) == 2


@given(TOKENS, TOKENS, TOKENS, TOKENS)
def test_more_tokens_never_cost_less_and_more_cached_never_more(
    prompt: int, completion: int, cached: int, more: int
) -> None:
    messages = counted_messages(Usage(prompt, completion, cached))
    assert messages >= 1
    assert counted_messages(Usage(prompt + more, completion, cached)) >= messages
    assert counted_messages(Usage(prompt, completion + more, cached)) >= messages
    assert counted_messages(Usage(prompt, completion, cached + more)) <= messages


@given(st.integers(min_value=1, max_value=10**12), st.data())
def test_it_steps_exactly_at_the_boundaries(messages: int, data: st.DataObject) -> None:
    total = messages * MESSAGE_TOKENS
    completion = data.draw(st.integers(min_value=0, max_value=total))
    prompt = total - completion
    assert counted_messages(Usage(prompt, completion)) == messages
    assert counted_messages(Usage(prompt + 1, completion)) == messages + 1
    assert counted_messages(Usage(prompt, completion + 1)) == messages + 1


@given(TOKENS, TOKENS, TOKENS)
def test_reasoning_is_part_of_the_completion(prompt: int, completion: int, reasoning: int) -> None:
    assert counted_messages(Usage(prompt, completion, 0, reasoning)) == counted_messages(
        Usage(prompt, completion)
    )
