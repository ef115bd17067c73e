"""From what a request asks for to a hold that its limits have room for (PRODUCT §4).

The bound by bytes comes first, for it costs nothing. Only where that does not fit are tokens counted,
and only where the answer asked for does not fit beside them is less of it held.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from writingmate.dialects import demand, prompt
from writingmate.errors import LimitReached
from writingmate.metering import tokens
from writingmate.metering.commands import Claim
from writingmate.metering.estimate import bound
from writingmate.metering.hold import Hold
from writingmate.metering.ledger import Ledger
from writingmate.types import DialectName, Endpoint, Estimate, Limit, Model, Principal, Route
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


async def admitted(
    ledger: Ledger, request_id: str, principal: Principal, order: Order, claim: Claim | None = None
) -> Hold:
    """An open hold; enter it next, with nothing awaited between.

    Raises what `Ledger.hold` raises; LimitReached only if not even a counted prompt and the
    shortest answer fit.
    """
    try:
        return await ledger.hold(request_id, principal, order.bounded(), claim).open()
    except LimitReached:
        careful = await asyncio.to_thread(order.counted)
    return await ledger.hold(request_id, principal, careful, claim).open()
