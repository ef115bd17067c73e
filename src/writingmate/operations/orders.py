"""What a request asks for, before anything is held or sent: the model, the route, the limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import time

from writingmate.catalog.resolve import Catalog
from writingmate.dialects import demand, prompt
from writingmate.dialects.exchange import GRAMMARS, Exchange
from writingmate.metering import tokens
from writingmate.metering.estimate import bound
from writingmate.metering.limits import limits
from writingmate.operations.body_limit import check_body
from writingmate.types import DialectName, Endpoint, Estimate, Limit, Model, Plan, Principal, Route
from writingmate.wire import document
from writingmate.wire.document import Document

ENDPOINTS: dict[DialectName, Endpoint] = {"chat": "chat.completions", "completions": "completions"}


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for, of which model, by which route, against which limits; ``size`` in bytes."""

    dialect: DialectName
    asked: Document
    size: int
    model: Model
    route: Route
    limits: tuple[Limit, ...]

    @property
    def choices(self) -> int:
        """Answers that are generated."""
        return demand.choices(self.asked)

    def exchange(self, request_id: str, max_tokens: int | None = None) -> Exchange:
        """The conversation with the provider, each choice held down to ``max_tokens``.

        Raises UnsupportedParameter if the provider's dialect cannot express something.
        """
        return Exchange.begin(
            self.dialect,
            self.asked,
            self.route.provider.paths,
            model=self.route.model,
            stream_usage=self.route.provider.stream_usage,
            slug=self.model.slug,
            request_id=request_id,
            max_tokens=max_tokens,
        )

    def bounded(self) -> Estimate:
        """The most that it may cost, without reading it."""
        most = demand.tokens(self.asked)
        cap = self.model.max_output_tokens if most is None else most
        bounds = bound(self.size, cap, self.choices)
        return self._estimate(bounds.prompt_tokens, bounds.completion_tokens, None)

    def counted(self) -> Estimate:
        """The same with the prompt's tokens counted, content to get less room for the answer.

        It reads the whole prompt: call it off the event loop.
        """
        bounded = self.bounded()
        prompt_tokens = min(bounded.prompt_tokens, tokens.count(prompt.text(self.asked)))
        return self._estimate(prompt_tokens, bounded.completion_tokens, self.choices)

    def _estimate(self, prompt_tokens: int, completion_tokens: int, least_tokens: int | None) -> Estimate:
        return Estimate(
            self.model.slug,
            self.route.provider.name,
            self.route.model,
            ENDPOINTS[self.dialect],
            prompt_tokens,
            completion_tokens,
            self.limits,
            least_tokens,
            self.model.tier,
        )


@dataclass(frozen=True, slots=True)
class Orders:
    """Takes orders. ``plan_of`` says what a caller's workspace may use."""

    catalog: Catalog
    plan_of: Callable[[Principal], Plan]

    def take(self, dialect: DialectName, principal: Principal, body: bytes) -> Order:
        """Read a request's body. Raises ApiError, in the order of WIRE §2.3: size, shape, model, plan."""
        plan = self.plan_of(principal)
        check_body(plan, len(body))
        asked = document.parse(body)
        GRAMMARS[dialect].check(asked)
        model = self.catalog.resolve(principal, plan, document.value(asked["model"]))
        against = limits(principal, plan, model.tier, time())
        return Order(dialect, asked, len(body), model, model.routes[0], against)
