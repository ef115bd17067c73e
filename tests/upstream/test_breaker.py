"""The breaker's states, on a clock of the test's own."""

from __future__ import annotations

import pytest

from writingmate.upstream.breaker import FEWEST, IN_A_ROW, LONGEST, SHORTEST, WINDOW, Breaker


def opened(now: float = 100.0) -> Breaker:
    breaker = Breaker()
    assert [breaker.failed(now) for _ in range(IN_A_ROW)] == [False] * (IN_A_ROW - 1) + [True]
    return breaker


def test_failures_in_a_row_open_it_and_it_rests() -> None:
    breaker = opened()
    assert (breaker.state, breaker.closed) == ("open", False)
    assert not breaker.allows(100.0)
    assert not breaker.allows(100.0 + SHORTEST - 0.01)


def test_an_answer_between_failures_keeps_it_closed() -> None:
    breaker = Breaker()
    for _ in range(3):
        for _ in range(IN_A_ROW - 1):
            assert not breaker.failed(100.0)
        assert not breaker.answered()
    assert (breaker.state, breaker.allows(100.0)) == ("closed", True)


def test_half_of_many_calls_failing_opens_it_though_never_in_a_row() -> None:
    breaker = Breaker()
    opened = []
    for _ in range(FEWEST):
        opened.append(breaker.failed(100.0))
        breaker.answered()
        if opened[-1]:
            break
    assert opened == [False] * (FEWEST // 2) + [True]


def test_a_share_is_of_one_window_only() -> None:
    breaker = Breaker()
    for turn in range(10 * FEWEST):
        assert not breaker.failed(100.0 + turn * (WINDOW + 1))
        breaker.answered()


def test_one_probe_at_a_time_and_its_answer_closes() -> None:
    breaker = opened()
    due = 100.0 + SHORTEST
    assert [breaker.allows(due) for _ in range(3)] == [True, False, False]
    assert breaker.state == "half-open"
    assert breaker.answered()
    assert (breaker.state, breaker.allows(due)) == ("closed", True)
    assert not breaker.failed(due)


def test_a_probe_that_fails_rests_twice_as_long_up_to_a_bound() -> None:
    breaker, now, rest = opened(), 100.0, SHORTEST
    for _ in range(8):
        assert not breaker.allows(now + rest - 0.01)
        now += rest
        assert breaker.allows(now)
        assert not breaker.failed(now)
        assert breaker.state == "open"
        rest = min(LONGEST, rest * 2)
    assert rest == LONGEST
    now += rest
    assert breaker.allows(now)
    assert breaker.answered()
    for _ in range(IN_A_ROW):
        breaker.failed(now)
    assert breaker.allows(now + SHORTEST)


def test_a_probe_that_is_never_heard_of_again_is_followed_by_another() -> None:
    breaker = opened()
    due = 100.0 + SHORTEST
    assert breaker.allows(due)
    assert not breaker.allows(due + SHORTEST - 0.01)
    assert breaker.allows(due + SHORTEST)


def test_failures_of_calls_that_began_before_it_opened_change_nothing() -> None:
    breaker = opened()
    assert not breaker.failed(100.0 + SHORTEST - 1)
    assert breaker.allows(100.0 + SHORTEST)


@pytest.mark.parametrize(("asked", "rests"), [(30.0, 30.0), (3600.0, LONGEST)])
def test_a_route_rests_as_long_as_it_asks_for_up_to_a_bound(asked: float, rests: float) -> None:
    breaker = Breaker()
    assert breaker.rest(asked, 100.0)
    assert not breaker.rest(1.0, 100.0)  # it rests already, and no shorter
    assert not breaker.allows(100.0 + rests - 0.01)
    assert breaker.allows(100.0 + rests)
