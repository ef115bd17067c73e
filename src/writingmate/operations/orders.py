"""What a request asks for, before anything is held or sent: the model, the route, the limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from time import time
from typing import Final

from writingmate.catalog.resolve import Catalog
from writingmate.dialects import abilities, attachments, demand, quirks_rows
from writingmate.dialects.completions import choices_asked
from writingmate.dialects.exchange import GRAMMARS, Exchange, readable
from writingmate.dialects.responses_history import placed
from writingmate.errors import InvalidRequest, UnsupportedParameter
from writingmate.metering.limits import limits
from writingmate.metering.prompts.careful import Careful, careful
from writingmate.operations.body_limit import check_body
from writingmate.operations.conversations import Conversations, Said
from writingmate.operations.own_routes import OwnRoutes
from writingmate.types import DialectName, Endpoint, Estimate, Limit, Model, Plan, Principal, Route
from writingmate.wire import document
from writingmate.wire.document import Document

ENDPOINTS: dict[DialectName, Endpoint] = {
    "chat": "chat.completions",
    "completions": "completions",
    "responses": "responses",
    "messages": "messages",
}

PASSED_ON: Final = (b"anthropic-version", b"anthropic-beta")
LONGEST_PASSED: Final = 4096


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for, of which model, by which route, against which limits; ``size`` in bytes.

    ``read`` is what is asked for in a dialect that prompts and limits are read in (`readable`).
    ``own_key`` is the caller's own key of the route's provider, where it goes out with that; it has
    no other routes. ``further`` are those to try after ``route``, in order.
    ``passed`` are headers of the client's for a provider of the same dialect.
    ``identity`` is what ids in the answer are made from, where that is not the request's own. ``said`` is
    what a response's request says itself; what was before stands in ``asked``.
    """

    dialect: DialectName
    asked: Document
    read: Document
    size: int
    model: Model
    route: Route
    limits: tuple[Limit, ...]
    own_key: str | None = None
    further: tuple[Route, ...] = ()
    identity: str = ""
    passed: Mapping[str, str] = field(default_factory=dict)
    said: Said | None = None

    def onward(self) -> Iterator[Order]:
        """The same by each of the further routes."""
        for index, route in enumerate(self.further, 1):
            yield replace(self, route=route, further=self.further[index:])

    def begin(self, request_id: str) -> tuple[Order, Exchange]:
        """The order by its first route whose provider can express it, and the conversation with that.

        Raises UnsupportedParameter, of the first route, if there is none.
        """
        try:
            return self, self.exchange(request_id)
        except UnsupportedParameter:
            for order in self.onward():
                with suppress(UnsupportedParameter):
                    return order, order.exchange(request_id)
            raise

    def each(self, completion_tokens: int) -> int:
        """What each answer may take of so many tokens, at least 1."""
        return max(1, completion_tokens // demand.choices(self.read) - demand.predicted(self.read))

    def exchange(self, request_id: str, max_tokens: int | None = None) -> Exchange:
        """The conversation with the provider, each choice held down to ``max_tokens``.

        Raises UnsupportedParameter if the provider's dialect cannot express something, or the model there
        would ignore it.
        """
        try:
            return self._exchange(request_id, max_tokens)
        except InvalidRequest as error:
            raise _placed(error, self.said) from None

    def _exchange(self, request_id: str, max_tokens: int | None) -> Exchange:
        exchange = Exchange.begin(
            self.dialect,
            self.asked,
            self.route.provider.paths,
            model=self.route.model,
            stream_usage=self.route.provider.stream_usage,
            slug=self.model.slug,
            request_id=self.identity or request_id,
            max_tokens=max_tokens,
            cap=self.model.max_output_tokens,
            quirks=quirks_rows.of(self.route),
            provider=self.route.provider.name,
        )
        if self.route.lacks and exchange.legs[0].dialect == "chat":
            abilities.refuse(self.route.lacks, self.read, self.dialect)
        return exchange

    @property
    def calls(self) -> int:
        """How often the prompt is sent at most: once for each choice, if one of the routes needs it."""
        choices = choices_asked(self.read)
        if choices == 1 or not any(quirks_rows.of(route).one_choice for route in (self.route, *self.further)):
            return 1
        return choices

    def bounded(self) -> Estimate:
        """The most that it may cost, without reading it."""
        return self._estimate(attachments.cheap(self.read, self.size), self._output(), None)

    def careful(self) -> Careful:
        """The prompt's tokens counted. It reads the whole prompt: call it off the event loop."""
        names = f"{self.model.slug} {self.route.model}"
        return careful(self.read, dialect=self.dialect, slug=names, window=self.model.window)

    def attached(self, bounded: Estimate) -> bool:
        """Whether the bound is more than text and tools make it: pictures, files or sound do."""
        once = bounded.prompt_tokens // self.calls
        return once >= self.size + attachments.SPOKEN and attachments.attached(self.read)

    def counted(self, prompt_tokens: int) -> Estimate:
        """The most that it may cost with a prompt of so many tokens, content to get less of the answer."""
        shortest = demand.choices(self.read) * (1 + demand.predicted(self.read))
        output = self._output()
        return self._estimate(prompt_tokens, output, min(output, shortest))

    def _output(self) -> int:
        return demand.output(self.read, self.model.max_output_tokens)

    def _estimate(self, prompt_tokens: int, completion_tokens: int, least_tokens: int | None) -> Estimate:
        return Estimate(
            self.model.slug,
            self.route.provider.name,
            self.route.model,
            ENDPOINTS[self.dialect],
            prompt_tokens * self.calls,
            completion_tokens,
            self.limits,
            least_tokens,
            self.model.tier,
        )


@dataclass(frozen=True, slots=True)
class Orders:
    """Takes orders.

    ``plan_of`` says what a caller's workspace may use; ``own`` finds the route of a caller's own key.
    """

    catalog: Catalog
    plan_of: Callable[[Principal], Plan]
    own: OwnRoutes
    conversations: Conversations

    async def take(self, dialect: DialectName, principal: Principal, body: bytes) -> Order:
        """Read a request's body. Raises ApiError, in the order of WIRE §2.3: size, shape, model, plan.

        And StalePrincipal, if the caller's own key was removed since the principal was read.
        """
        plan = self.plan_of(principal)
        check_body(plan, len(body))
        asked = document.parse(body)
        GRAMMARS[dialect].check(asked)
        said = None
        if dialect == "responses":
            asked, said = await self.conversations.whole(principal.workspace_id, asked)
        try:
            read = readable(dialect, asked)
        except InvalidRequest as error:
            raise _placed(error, said) from None
        size = len(body) if read is asked else max(len(body), len(document.encode(read)))
        if said is not None:
            size = max(size, len(memoryview(asked.get("input", b""))))
        byok = principal.byok and plan.byok
        slug = document.value(asked["model"])
        if dialect == "messages":
            slug = self.catalog.named(slug, own=byok)
        model = self.catalog.resolve(principal, plan, slug)
        own = await self.own.route(principal, model) if byok else None
        against = limits(principal, plan, model.tier, time(), byok=own is not None)
        if own is None:
            first, further = model.routes[0], model.routes[1:]
            return Order(dialect, asked, read, size, model, first, against, None, further, said=said)
        return Order(dialect, asked, read, size, model, own, against, own.provider.api_key, said=said)


def passed_on(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """Which version of Anthropic's API a client speaks, and which betas; raises InvalidRequest."""
    passed = {}
    for name in PASSED_ON:
        value = headers.get(name)
        if value is None:
            continue
        text = value.decode("latin-1").strip()
        if not text.isascii() or not text.isprintable() or len(text) > LONGEST_PASSED:
            raise InvalidRequest(
                f"Invalid {name.decode()} header: send printable ASCII.", param=name.decode()
            )
        if text:
            passed[name.decode()] = text
    return passed


def _placed(error: InvalidRequest, said: Said | None) -> InvalidRequest:
    return error if said is None or not said.before else placed(error, said.before)
