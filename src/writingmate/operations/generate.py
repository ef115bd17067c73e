"""Text generation: one request from its bytes to its receipt.

The straight line: document → model and route → exchange → hold → upstream → frames → settle.
The hold encloses everything that can fail; only what runs inside `while_connected` is cancelled
when the client leaves, so that the settlement never is (ARCHITECTURE §1.4).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from writingmate.errors import ClientLeft
from writingmate.metering.ledger import Ledger
from writingmate.operations.admission import admitted
from writingmate.operations.answer import Answer
from writingmate.operations.client import Client, Request
from writingmate.operations.failover import Failover
from writingmate.operations.orders import Order, Orders, passed_on
from writingmate.telemetry import metrics
from writingmate.types import DialectName, Principal, Provider
from writingmate.upstream.base import Upstream


@dataclass(frozen=True, slots=True)
class Generate:
    """The operation behind ``/chat/completions``, ``/completions``, ``/responses`` and ``/v1/messages``.

    ``upstreams`` maps a provider's name to where its calls go; others go to ``network``.
    """

    orders: Orders
    ledger: Ledger
    network: Upstream
    upstreams: dict[str, Upstream]
    failover: Failover

    async def run(self, dialect: DialectName, principal: Principal, request: Request, client: Client) -> None:
        """Answer one request. Raises ApiError and StalePrincipal before anything was sent."""
        order = await self.orders.take(dialect, principal, request.body)
        if request.identity:
            order = replace(order, identity=request.identity)
        if dialect == "messages":
            order = replace(order, passed=passed_on(request.headers))
        order, exchange = order.begin(request.id)
        _note(request, principal, order)
        hold = await admitted(self.ledger, request.id, principal, order, request.claim)
        async with hold:
            if order.own_key is not None:
                hold.mark("byok")
            if hold.clamped:
                exchange = order.exchange(request.id, order.each(hold.completion_tokens))
            answer = Answer(
                self.failover, self._upstream_of, exchange, hold, client, principal, order, request.keeping
            )
            metrics.held(hold.messages)
            try:
                await client.while_connected(answer.give())
            except ClientLeft:
                hold.mark("cancelled")
            finally:
                metrics.held(-hold.messages)
                await answer.account()
                request.facts.update(answer.facts())

    def _upstream_of(self, provider: Provider) -> Upstream:
        return self.upstreams.get(provider.name, self.network)


def _note(request: Request, principal: Principal, order: Order) -> None:
    request.facts.update(
        workspace=principal.workspace_id,
        user=principal.user_id,
        key=principal.key_id,
        model=order.model.slug,
        provider=order.route.provider.name,
    )
