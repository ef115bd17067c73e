"""Where a request goes next, without a gateway: pauses, tries, the deadline, a budget that is used up."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from tests.catalog.rows import provider
from writingmate.errors import UpstreamBroken, UpstreamRefused, UpstreamTimeout, UpstreamUnreachable
from writingmate.operations.failover import FIRST_PAUSE, LONGEST_PAUSE, Failover, Trail, pause
from writingmate.operations.orders import Order
from writingmate.types import Model, ModelSlug, Route
from writingmate.upstream.base import Timeouts
from writingmate.upstream.breaker import IN_A_ROW, SHORTEST
from writingmate.wire import document

ROUTES = tuple(Route(provider(name), f"m-{name}") for name in ("one", "two", "three"))
MODEL = Model(ModelSlug("lab/m"), "M", "lab", 1, "basic", 1000, 100, routes=ROUTES)
ASKED = document.parse(b'{"model": "lab/m", "messages": [{"role": "user", "content": "x"}]}')
DOWN = UpstreamUnreachable("refused")


class Clock:
    """Seconds that a test sets."""

    now = 50.0

    def __call__(self) -> float:
        return self.now


def order(*routes: Route, own_key: str | None = None) -> Order:
    return Order("chat", ASKED, ASKED, 100, MODEL, routes[0], (), own_key, routes[1:])


def failover(clock: Clock, **fields: Any) -> Failover:
    given = {"timeouts": Timeouts(10, 600, 300), "chance": lambda: 1.0, **fields}
    return Failover(clock=clock, today=clock, **given)


def trail(process: Failover, asked: Order) -> Trail:
    process.breaker(asked)
    return Trail(
        process, asked, asked.exchange("req_1"), process.clock(), lambda each: each.exchange("req_1")
    )


def names(path: Trail) -> str:
    return path.order.route.provider.name


def test_pauses_are_anything_up_to_a_doubling_bound() -> None:
    chance = random.Random(3)
    for calls in range(1, 30):
        bound = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (calls - 1))
        drawn = [pause(calls, chance.random()) for _ in range(300)]
        assert 0 <= min(drawn) < bound * 0.05
        assert bound * 0.95 < max(drawn) <= bound


def test_a_route_is_tried_so_often_then_the_next() -> None:
    path = trail(failover(Clock(), tries=3), order(*ROUTES))
    steps = [(path.after(DOWN), names(path)) for _ in range(9)]
    one, two, three = ([(FIRST_PAUSE, each), (2 * FIRST_PAUSE, each)] for each in ("one", "two", "three"))
    assert steps == [*one, (0.0, "two"), *two, (0.0, "three"), *three, (None, "three")]


def test_the_exchange_is_the_routes_own() -> None:
    path = trail(failover(Clock()), order(*ROUTES))
    assert path.after(UpstreamTimeout("x")) == 0.0
    assert document.value(document.parse(path.exchange.legs[0].body)["model"]) == "m-two"


def test_a_wait_that_the_provider_asks_for_is_kept() -> None:
    path = trail(failover(Clock(), chance=lambda: 0.0), order(*ROUTES))
    assert path.after(UpstreamRefused(429, {"retry-after": "1.5"}, b"")) == 1.5
    assert names(path) == "one"


def test_no_try_begins_after_the_deadline_and_none_lasts_beyond_it() -> None:
    clock = Clock()
    path = trail(failover(clock, deadline=100.0, tries=10), order(*ROUTES))
    clock.now += 60
    assert path.after(DOWN) == FIRST_PAUSE
    assert path.timeouts == Timeouts(10, 40, 300)
    clock.now += 39.9
    assert (path.after(DOWN), names(path)) == (0.0, "two")  # a pause would end too late
    assert path.timeouts.connect == pytest.approx(0.1)
    clock.now += 0.1
    assert path.after(DOWN) is None


def test_without_a_budget_there_is_no_other_call_of_any_route() -> None:
    process = failover(Clock())
    while process.budget.spend(50.0):
        pass
    path = trail(process, order(*ROUTES))
    assert (path.after(UpstreamBroken("x")), names(path)) == (None, "one")


def test_a_route_whose_breaker_has_just_opened_is_not_tried_again() -> None:
    process = failover(Clock())
    for _ in range(IN_A_ROW - 1):
        process.breakers["one", "m-one"].failed(50.0)
    path = trail(process, order(*ROUTES))
    assert (path.after(DOWN), names(path)) == (0.0, "two")


def test_resting_routes_are_passed_over_and_give_their_token_back() -> None:
    process = failover(Clock())
    process.breakers["two", "m-two"].rest(30, 50.0)
    path = trail(process, order(*ROUTES))
    assert (path.after(UpstreamTimeout("x")), names(path)) == (0.0, "three")
    process.breakers["three", "m-three"].rest(30, 50.0)
    left = process.budget.tokens
    path = trail(process, order(*ROUTES))
    assert path.after(UpstreamTimeout("x")) is None
    assert process.budget.tokens == pytest.approx(left, abs=0.5)


def test_before_the_first_call_resting_routes_are_gone_past() -> None:
    clock = Clock()
    process = failover(clock)
    process.breakers["one", "m-one"].rest(30, 50.0)
    process.breakers["two", "m-two"].rest(SHORTEST, 50.0)
    path = trail(process, order(*ROUTES))
    assert (path.awake(), names(path)) == (True, "three")
    clock.now += SHORTEST
    probe = trail(process, order(*ROUTES))
    assert (probe.awake(), names(probe)) == (True, "two")
    other = trail(process, order(*ROUTES))
    assert (other.awake(), names(other)) == (True, "three")  # one probe at a time
    process.breakers["three", "m-three"].rest(30, clock.now)
    last = trail(process, order(*ROUTES))
    assert (last.awake(), names(last)) == (False, "one")


def test_a_route_that_cannot_express_the_request_is_no_next_one() -> None:
    mute = replace(ROUTES[1], provider=replace(ROUTES[1].provider, paths={}))
    path = trail(failover(Clock()), order(ROUTES[0], mute, ROUTES[2]))
    assert (path.after(UpstreamTimeout("x")), names(path)) == (0.0, "three")


def test_a_callers_own_key_has_a_budget_and_failures_of_its_own() -> None:
    process = failover(Clock(), tries=10)
    operators = process.budget.tokens
    for _ in range(2):
        path = trail(process, order(ROUTES[0], own_key="k" * 20))
        while path.after(DOWN) is not None:
            assert names(path) == "one"
    assert process.budget.tokens == operators
    assert process.own_budget.tokens < operators
    assert not process.breakers
    refused = trail(process, order(ROUTES[0], own_key="k" * 20))
    assert refused.after(UpstreamRefused(401, {}, b"")) is None
