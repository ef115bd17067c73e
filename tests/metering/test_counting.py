"""The formula of the product, over all integers: also those that no provider should report."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

from hypothesis import example, given
from hypothesis import strategies as st

from writingmate.metering.counting import MESSAGE_TOKENS, counted_messages, effective_input, messages_of
from writingmate.types import Usage

ANY = st.integers()
NEAR_A_BOUNDARY = st.builds(
    lambda messages, beside: messages * 16_000 + beside, st.integers(-3, 10**6), st.integers(-2, 2)
)
TOKENS = ANY | NEAR_A_BOUNDARY | st.integers(0, 100_000)
MORE = st.integers(min_value=0) | st.integers(0, 32_000)


@given(TOKENS, TOKENS, TOKENS)
@example(10, 5, 0)
@example(19_000, 3_000, 4_000)
@example(0, 0, 0)
@example(16_000, 0, 1)
@example(16_001, 0, 1)
@example(16_001, 0, 2)
def test_it_is_the_published_formula(prompt: int, completion: int, cached: int) -> None:
    discount = floor(cached * Fraction(1, 2))
    effective = max(0, prompt - discount)
    expected = max(1, ceil(Fraction(effective + completion, 16_000)))
    usage = Usage(prompt, completion, cached)
    assert effective_input(usage) == effective
    assert counted_messages(usage) == expected


def test_the_first_published_example() -> None:
    usage = Usage(prompt_tokens=10, completion_tokens=5, cached_tokens=0)
    assert effective_input(usage) == 10
    assert counted_messages(usage) == 1


def test_the_second_published_example() -> None:
    usage = Usage(prompt_tokens=19_000, completion_tokens=3_000, cached_tokens=4_000)
    assert effective_input(usage) == 17_000
    assert counted_messages(usage) == 2


@given(TOKENS, TOKENS, TOKENS)
def test_every_request_costs_a_message(prompt: int, completion: int, cached: int) -> None:
    assert counted_messages(Usage(prompt, completion, cached)) >= 1


@given(TOKENS, TOKENS, TOKENS, MORE)
def test_more_tokens_never_cost_less_and_more_cached_never_more(
    prompt: int, completion: int, cached: int, more: int
) -> None:
    messages = counted_messages(Usage(prompt, completion, cached))
    assert counted_messages(Usage(prompt + more, completion, cached)) >= messages
    assert counted_messages(Usage(prompt, completion + more, cached)) >= messages
    assert counted_messages(Usage(prompt, completion, cached + more)) <= messages


@given(st.integers(min_value=1), st.data())
def test_it_steps_exactly_at_the_boundaries(messages: int, data: st.DataObject) -> None:
    """Whatever part of the sum is prompt, completion and discount."""
    total = messages * MESSAGE_TOKENS
    completion = data.draw(st.integers(min_value=0, max_value=total))
    cached = data.draw(st.integers(min_value=0, max_value=total))
    prompt = total - completion + cached // 2
    assert counted_messages(Usage(prompt, completion, cached)) == messages
    assert counted_messages(Usage(prompt + 1, completion, cached)) == messages + 1
    assert counted_messages(Usage(prompt, completion + 1, cached)) == messages + 1


@given(st.integers())
def test_a_message_is_a_started_16000(tokens: int) -> None:
    messages = messages_of(tokens)
    assert tokens <= messages * 16_000
    assert messages == 1 or tokens > (messages - 1) * 16_000


@given(TOKENS, TOKENS, TOKENS)
def test_one_token_more_costs_at_most_one_message_more(prompt: int, completion: int, cached: int) -> None:
    messages = counted_messages(Usage(prompt, completion, cached))
    assert counted_messages(Usage(prompt + 1, completion, cached)) - messages in {0, 1}
    assert counted_messages(Usage(prompt, completion + 1, cached)) - messages in {0, 1}


@given(TOKENS, TOKENS, TOKENS)
def test_reasoning_is_part_of_the_completion(prompt: int, completion: int, reasoning: int) -> None:
    assert counted_messages(Usage(prompt, completion, 0, reasoning)) == counted_messages(
        Usage(prompt, completion)
    )
