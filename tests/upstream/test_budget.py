from __future__ import annotations

import random

from writingmate.upstream.budget import MOST, PER_SECOND, SHARE, Budget


def test_a_lone_request_may_be_repeated() -> None:
    budget = Budget()
    budget.request()
    assert budget.spend(0.0)


def test_further_calls_are_a_share_of_the_requests() -> None:
    budget, spent, requests = Budget(), 0, 10_000
    for _ in range(requests):
        budget.request()
        spent += sum(budget.spend(7.0) for _ in range(3))
    assert MOST + SHARE * requests - 1 <= spent <= MOST + SHARE * requests


def test_time_pays_in_a_little_and_no_more_than_can_be_saved() -> None:
    budget = Budget()
    assert sum(budget.spend(0.0) for _ in range(100)) == int(MOST)
    assert not budget.spend(0.9 / PER_SECOND)
    assert budget.spend(1.1 / PER_SECOND)
    assert sum(budget.spend(1e6) for _ in range(100)) == int(MOST)


def test_many_requests_without_a_failure_save_no_more_either() -> None:
    budget = Budget()
    for _ in range(10_000):
        budget.request()
    assert sum(budget.spend(0.0) for _ in range(100)) == int(MOST)


def test_what_is_given_back_can_be_spent() -> None:
    budget = Budget()
    while budget.spend(0.0):
        pass
    budget.give_back()
    assert budget.spend(0.0)


def test_no_order_of_events_spends_more_than_was_paid_in() -> None:
    chance = random.Random(7)
    budget, now, requests, spent = Budget(), 0.0, 0, 0
    for _ in range(20_000):
        now += chance.choice((0.0, 0.0, 0.001, 0.5))
        if chance.random() < 0.4:
            budget.request()
            requests += 1
        spent += budget.spend(now)
        assert spent <= MOST + requests * SHARE + now * PER_SECOND + 1e-6
