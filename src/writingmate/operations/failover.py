"""Another call where one failed: on the same route after a pause, or on the next one at once (PRODUCT §5).

While all is well this is a look-up of the route's breaker and no more; a `Trail` is made when a call
fails or a route rests. A caller's own key has no breaker, no next route and a budget apart: what it
does is neither the operator's failure nor paid with the operator's key.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from writingmate.dialects.exchange import Exchange
from writingmate.errors import UnsupportedParameter, UpstreamError
from writingmate.operations.orders import Order
from writingmate.operations.verdicts import Verdict, verdict
from writingmate.telemetry import log, metrics
from writingmate.types import Route
from writingmate.upstream.base import Timeouts
from writingmate.upstream.breaker import Breaker
from writingmate.upstream.budget import Budget

FIRST_PAUSE: Final = 0.25
LONGEST_PAUSE: Final = 8.0
"""Seconds: the most that is paused before a route's second call, and, doubling, before later ones."""


class Breakers(dict[tuple[str, str], Breaker]):
    """Of every route that was called, by its provider's name and the provider's name of the model."""

    def __missing__(self, key: tuple[str, str]) -> Breaker:
        breaker = self[key] = Breaker()
        return breaker


@dataclass(frozen=True, slots=True)
class Failover:
    """What one process knows of its routes, and how often it tries.

    ``timeouts`` are those of one call, ``tries`` how often one route is called, ``deadline`` the
    seconds until the first byte with all calls, ``hedge`` those of silence until the next route is
    asked as well, 0 for never. ``chance`` gives 0 to 1; ``clock`` steady seconds, ``today`` UNIX seconds.
    """

    timeouts: Timeouts
    tries: int = 2
    deadline: float = 900.0
    hedge: float = 0.0
    chance: Callable[[], float] = random.random
    clock: Callable[[], float] = time.monotonic
    today: Callable[[], float] = time.time
    breakers: Breakers = field(default_factory=Breakers)
    budget: Budget = field(default_factory=Budget)
    own_budget: Budget = field(default_factory=Budget)

    def breaker(self, order: Order) -> Breaker | None:
        """That of the order's route; None for a caller's own key. A request begins with this."""
        if order.own_key is not None:
            self.own_budget.request()
            return None
        self.budget.request()
        return self.breakers[order.route.provider.name, order.route.model]

    def answered(self, route: Route, breaker: Breaker) -> None:
        """The route answered a call."""
        if breaker.answered():
            metrics.route_serves(route.provider.name)
            log.event("route_serves", provider=route.provider.name, upstream_model=route.model)


def pause(calls: int, chance: float) -> float:
    """Seconds before the next call of a route that was called so often: anything up to a doubling bound."""
    return min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (calls - 1)) * chance


class Trail:
    """Where one request goes next. ``order`` and ``exchange`` are those of the call to be made.

    Args:
        failover: what the process knows.
        order: the request, with the route that was called or would be first.
        first: the exchange of that.
        began: when its first call began, on the failover's clock.
        exchange: makes an order's exchange; raises UnsupportedParameter where its route cannot.
    """

    def __init__(
        self,
        failover: Failover,
        order: Order,
        first: Exchange,
        began: float,
        exchange: Callable[[Order], Exchange],
    ) -> None:
        self.order = order
        self.exchange = first
        self._failover = failover
        self._ends = began + failover.deadline
        self._begin = exchange
        self._calls = 1
        self._budget = failover.budget if order.own_key is None else failover.own_budget

    @property
    def timeouts(self) -> Timeouts:
        """Those of the next call: none goes beyond the deadline."""
        left = max(0.001, self._ends - self._failover.clock())
        timeouts = self._failover.timeouts
        return replace(timeouts, connect=min(timeouts.connect, left), first=min(timeouts.first, left))

    def awake(self) -> bool:
        """Before the first call: go past a route that rests; False if the order's own is to be called.

        Where all of them rest it is: a breaker must not refuse what would have gone through.
        """
        rests = self.order.route
        if self._breaker(rests).allows(self._failover.clock()) or not self._moves():
            return False
        metrics.attempted(rests.provider.name, "resting")
        return True

    def after(self, error: UpstreamError) -> float | None:
        """The call failed: seconds to pause before the next one, None if there is to be none."""
        now, failed = self._failover.clock(), self.order.route
        judged = verdict(error, self._failover.today())
        if self.order.own_key is None:
            self._learn(failed, judged, now)
        seconds, outcome = self._same(judged, now), "again"
        if seconds is None:
            seconds, outcome = self._next(judged, now), "next"
        metrics.attempted(failed.provider.name, outcome if seconds is not None else "failed")
        return seconds

    def hedges(self) -> bool:
        """The route is silent: on to the next too, if one can take the request and a call may be spent."""
        silent, exchange = self.order, self.exchange
        now = self._failover.clock()
        if now >= self._ends or not silent.further or not self._budget.spend(now):
            return False
        if self._moves() and len(self.exchange.legs) == 1:
            metrics.attempted(silent.route.provider.name, "hedged")
            return True
        self._budget.give_back()
        self.back(silent, exchange)
        return False

    def back(self, order: Order, exchange: Exchange) -> None:
        """To a call that was made before, which is the one that counts."""
        self.order, self.exchange = order, exchange

    def lost(self, route: Route, error: UpstreamError) -> None:
        """A call failed while another went on."""
        self._learn(route, verdict(error, self._failover.today()), self._failover.clock())

    def _learn(self, route: Route, judged: Verdict, now: float) -> None:
        breaker = self._breaker(route)
        if judged.route == "answered":
            self._failover.answered(route, breaker)
        elif (judged.route == "failed" and breaker.failed(now)) or (
            judged.route == "rest" and breaker.rest(judged.rest, now)
        ):
            metrics.route_rests(route.provider.name)
            log.event("route_rests", provider=route.provider.name, upstream_model=route.model)

    def _same(self, judged: Verdict, now: float) -> float | None:
        """The same route once more, unless its breaker has just opened."""
        if judged.again != "same" or self._calls >= self._failover.tries:
            return None
        if self.order.own_key is None and not self._breaker(self.order.route).closed:
            return None
        seconds = max(judged.wait or 0.0, pause(self._calls, self._failover.chance()))
        if now + seconds >= self._ends or not self._budget.spend(now):
            return None
        self._calls += 1
        self.exchange = self._begin(self.order)
        return seconds

    def _next(self, judged: Verdict, now: float) -> float | None:
        if judged.again == "nowhere" or now >= self._ends or not self.order.further:
            return None
        if not self._budget.spend(now):
            return None
        if self._moves():
            return 0.0
        self._budget.give_back()
        return None

    def _moves(self) -> bool:
        """To the first further route that can express the request and does not rest."""
        for order in self.order.onward():
            try:
                exchange = self._begin(order)
            except UnsupportedParameter:
                continue
            if self._breaker(order.route).allows(self._failover.clock()):
                self.order, self.exchange, self._calls = order, exchange, 1
                return True
        return False

    def _breaker(self, route: Route) -> Breaker:
        return self._failover.breakers[route.provider.name, route.model]
