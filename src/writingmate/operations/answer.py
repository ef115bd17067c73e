"""One answer on its way: what was asked of a provider, what came of it, what the client gets.

Whatever ends it, what the provider may bill for is told to the hold, and a hold is settled before the
last bytes are sent (ARCHITECTURE, decision 4).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial

from writingmate.dialects.exchange import Exchange, Leg
from writingmate.errors import ApiError, UpstreamError
from writingmate.metering.hold import Hold
from writingmate.operations import counts
from writingmate.operations.client import Client, Keeping
from writingmate.operations.failover import Failover, Trail
from writingmate.operations.failures import as_answer, forget_key
from writingmate.operations.hedge import Opening, Race, Which
from writingmate.operations.orders import Order
from writingmate.operations.together import together
from writingmate.operations.used import observe
from writingmate.telemetry import log, metrics
from writingmate.types import Principal, Provider, Rate, Receipt, Route
from writingmate.upstream.base import Call, Upstream


class Answer:
    """Knows what was asked of the provider and what came back so far.

    ``upstream_of`` says where a provider's calls go.
    """

    def __init__(  # noqa: PLR0913, PLR0917  # each is a part of the request, and nobody else holds them together
        self,
        failover: Failover,
        upstream_of: Callable[[Provider], Upstream],
        exchange: Exchange,
        hold: Hold,
        client: Client,
        principal: Principal,
        order: Order,
        keeping: Keeping | None,
    ) -> None:
        route = order.route
        self._failover = failover
        self._upstream_of = upstream_of
        self._upstream = upstream_of(route.provider)
        self._timeouts = failover.timeouts
        self._exchange = exchange
        self._hold = hold
        self._client = client
        self._principal = principal
        self._order = order
        self._route = route
        self._own_key = order.own_key
        self._keeping = keeping
        self._breaker = failover.breaker(order)
        self._trail: Trail | None = None  # made when something fails
        self._began = 0.0
        self._bodies: dict[int, bytes] = {}  # by leg
        self._receipt: Receipt | None = None
        self._owed = False  # the provider has been asked and has not refused

    async def give(self) -> None:
        """Ask and answer, by another route where one fails. Raises ApiError while nothing has been sent."""
        self._began = self._failover.clock()
        if self._breaker is not None and not self._breaker.closed:
            trail = self._on_trail()
            if trail.awake():
                self._turn(trail)
        while True:
            try:
                return await (self._stream() if self._exchange.streaming else self._whole())
            except UpstreamError as error:
                self._owed = False
                self._report(error)
                trail = self._on_trail()
                pause = trail.after(error)
                if pause is None:
                    raise self._exchange.told(as_answer(error, own_key=self._own_key)) from error
            if pause:
                await asyncio.sleep(pause)
            self._turn(trail)

    def _on_trail(self) -> Trail:
        if self._trail is None:
            identity, clamp = self._hold.request_id, self._exchange.max_tokens
            self._trail = Trail(
                self._failover,
                self._order,
                self._exchange,
                self._began,
                lambda order: order.exchange(identity, clamp),
            )
        return self._trail

    def _turn(self, trail: Trail) -> None:
        """To the call that the trail leads to."""
        self._exchange, self._timeouts = trail.exchange, trail.timeouts
        if trail.order is self._order:
            return
        self._order, route = trail.order, trail.order.route
        self._route = route
        self._upstream = self._upstream_of(route.provider)
        self._breaker = self._failover.breakers[route.provider.name, route.model]
        self._bodies = {}
        self._hold.rerouted(route.provider.name, route.model)

    def _open(self, leg: Leg) -> Opening:
        opening = self._upstream.open(self._call(leg))
        if not self._failover.hedge or not self._order.further or len(self._exchange.legs) > 1:
            return opening
        return self._hedged(opening)

    def _hedged(self, opening: Opening) -> Race:
        """A race of this call and, if it is silent, the next route's, which then is the answer's."""
        trail, order, exchange = self._on_trail(), self._order, self._exchange

        def second() -> Opening | None:
            if not trail.hedges():
                return None
            self._turn(trail)
            return self._upstream.open(self._call(self._exchange.legs[0]))

        def first_serves() -> None:
            trail.back(order, exchange)
            self._turn(trail)

        def lost(error: UpstreamError, which: Which) -> None:
            route = order.route if which == "first" else self._order.route
            trail.lost(route, error)
            self._report(error, route)

        return Race(opening, second, first_serves, lost, self._failover.hedge)

    async def _whole(self) -> None:
        # Of a route that is called again, what came of it stays.
        await together(self._ask, [leg for leg in self._exchange.legs if leg.index not in self._bodies])
        bodies, self._bodies = self._bodies, {}
        body = self._exchange.reply([bodies[leg.index] for leg in self._exchange.legs])
        self._answered()
        receipt = await self._settle(body)
        await self._client.reply(200, self._headers(receipt), body)

    async def _ask(self, leg: Leg) -> None:
        self._owed = True
        async with self._open(leg) as reply:
            self._bodies[leg.index] = await reply.body()
            self._hold.served_by(_their_id(reply.headers))

    async def _stream(self) -> None:
        started = False
        try:
            for leg in self._exchange.legs:
                self._owed = True
                async with self._open(leg) as reply:
                    self._hold.served_by(_their_id(reply.headers))
                    async for frames in reply.frames(partial(self._pass, leg)):
                        out = self._exchange.feed(leg, frames)
                        if not started:
                            self._answered()
                            await self._client.start(self._headers(None))
                            started = True
                        if out:
                            await self._client.send(out)
                if last := self._exchange.end(leg):
                    await self._client.send(last)
        except UpstreamError as error:
            if not started:
                raise
            await self._break_off(error)
            return
        await self._finish(None)

    def _answered(self) -> None:
        if self._breaker is not None:
            self._failover.answered(self._route, self._breaker)

    def _pass(self, leg: Leg, frames: list[bytes]) -> bool:
        """From the provider's socket to the client's, as long as that takes them without waiting."""
        if not self._client.ready():
            return False
        if out := self._exchange.feed(leg, frames):
            self._client.push(out)
        return True

    async def _break_off(self, error: UpstreamError) -> None:
        """The provider died after the 200: what came is charged, an error frame ends the stream."""
        self._report(error)
        self._hold.mark("broken")
        await self._finish(self._exchange.told(as_answer(error, own_key=self._own_key)))

    async def _finish(self, error: ApiError | None) -> None:
        """Settle, then the last frames: the count, and either the dialect's end or an error."""
        last = self._exchange.closing() if error is None else self._exchange.failure(error)
        try:
            receipt = await self._settle(last if error is None else None)
        except ApiError as unsettled:
            await self._client.finish(self._exchange.failure(unsettled))
            return
        count = counts.comment(receipt.request_id, receipt.messages, receipt.remaining)
        await self._client.finish(count + last)

    async def _settle(self, last: bytes | None) -> Receipt:
        """``last`` is what the answer will end with; None if it is no answer to keep."""
        await observe(self._exchange, self._hold)
        kept, keep, answered = None, None, self._exchange.answered
        if self._keeping is not None and last is not None:
            kept = await self._keeping.kept(self._headers(None), last, answered)
        if answered is not None and self._order.said is not None:
            keep = await self._order.said.keep(self._principal, self._hold.request_id, answered)
        self._receipt = await self._hold.settle(kept, keep)
        metrics.messages(self._receipt.messages)
        return self._receipt

    async def account(self) -> None:
        """On the way out, whatever happened: what the provider may bill for is observed."""
        if self._receipt is None and self._owed:
            await observe(self._exchange, self._hold)

    def facts(self) -> dict[str, str | int | float | None]:
        """For the request's log line."""
        facts: dict[str, str | int | float | None] = {"provider": self._route.provider.name}
        if self._receipt is not None:
            facts["messages"] = self._receipt.messages
        return facts

    def _call(self, leg: Leg) -> Call:
        provider = self._route.provider
        url = provider.base_url + provider.paths[leg.dialect] + leg.place
        headers = provider.authorized()
        # OpenAI keeps it beside its own id ("Debugging requests"); others ignore it.
        headers["x-client-request-id"] = self._hold.request_id
        if self._order.passed and leg.dialect == "messages":
            headers |= self._order.passed
        return Call(url, headers, leg.body, self._exchange.streaming, self._timeouts)

    def _headers(self, receipt: Receipt | None) -> dict[str, str]:
        headers = {
            "x-writingmate-workspace": self._principal.workspace_id,
            "x-writingmate-route": f"{self._route.provider.name}/{self._route.model}",
        }
        if self._hold.rate is not None:
            headers |= _rate_headers(self._hold.rate)
        if self._exchange.max_tokens is not None:
            headers["x-writingmate-max-tokens-clamped"] = str(self._exchange.max_tokens)
        if self._exchange.dropped:
            headers["x-writingmate-dropped"] = ", ".join(self._exchange.dropped)
        if receipt is not None:
            headers["x-writingmate-counted-messages"] = str(receipt.messages)
            if receipt.remaining is not None:
                headers["x-writingmate-remaining-messages"] = str(receipt.remaining)
        return headers

    def _report(self, error: UpstreamError, route: Route | None = None) -> None:
        if self._own_key is not None:
            forget_key(error, self._own_key)
        provider = (route or self._route).provider.name
        metrics.upstream_failed(provider, type(error).__name__)
        log.failure("upstream_failed", error, request_id=self._hold.request_id, provider=provider)


def _their_id(headers: Mapping[str, str]) -> str | None:
    """The provider's own id of the call: OpenAI's and most others' header, or Anthropic's."""
    return headers.get("x-request-id") or headers.get("request-id")


def _rate_headers(rate: Rate) -> dict[str, str]:
    """OpenAI's three, of which the last is a duration as Go writes it (WIRE §1.3)."""
    return {
        "x-ratelimit-limit-requests": str(rate.allowed),
        "x-ratelimit-remaining-requests": str(rate.remaining),
        "x-ratelimit-reset-requests": f"{int(rate.seconds // 60)}m{int(rate.seconds % 60)}s",
    }
