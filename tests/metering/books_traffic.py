"""The requests of the stateful test: asked for, answered or refused, ended; and the model told of each."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from sqlalchemy import select

from tests.metering.books_draws import ANSWER_SECONDS, CALLERS, WORKSPACES, Asked, Order, windows_by_the_book
from tests.metering.books_model import INTERRUPTED, Model, Request
from tests.metering.books_nodes import Node
from tests.metering.conftest import Clock
from writingmate.errors import KeyClaimed, LimitReached, RateLimited, StalePrincipal
from writingmate.metering.commands import Claim
from writingmate.metering.hold import Hold
from writingmate.metering.limits import limits
from writingmate.storage.engine import Database
from writingmate.storage.tables import entries, holds
from writingmate.types import Admission, Estimate, Plan, Principal, Receipt, Usage

REFUSALS = (LimitReached, RateLimited, KeyClaimed, StalePrincipal)


class Traffic:
    """See the module. ``plans`` are those of the workspaces, ``caps`` those of the keys."""

    def __init__(self, clock: Clock) -> None:
        self.model = Model()
        self.plans: list[Plan] = []
        self.caps: tuple[int | None, ...] = ()
        self.revision = 0
        self._clock = clock
        self._number = 0

    def ask(self, order: Order) -> Asked:
        """What an order asks of the ledger now, against the limits that the documentation names."""
        self._number += 1
        name, now = f"r{self._number}", self._clock.now
        workspace, user, key = CALLERS[order.caller]
        plan = self.plans[WORKSPACES.index(workspace)]
        stale = order.stale and self.revision > 0
        principal = Principal(
            user, workspace, key, plan.name, self.revision - stale, daily_cap=self.caps[order.caller]
        )
        least = None if order.least is None else order.completion * order.least // 100
        against = limits(principal, plan, order.tier, now, byok=order.byok)
        model = f"model-{order.tier}"
        estimate = Estimate(
            *(model, "p", "u", "chat.completions", order.prompt, order.completion, against, least, order.tier)
        )
        claim = None
        if order.once is not None:
            claim = Claim(workspace, user, order.once, b"h" * 32, name, now, now + ANSWER_SECONDS)
        asked = Asked(name, principal, estimate, claim, now, frozenset({"byok"} if order.byok else ()))
        expected = windows_by_the_book(principal, plan, order.tier, now, byok=order.byok)
        assert asked.windows | asked.rates == expected
        return asked

    async def one(self, node: Node, asked: Asked, lag: float, foresight: object) -> None:
        """Begin one request alone: exactly what the model says must come of it, and no ``foresight`` errs."""
        expected, granted = self.model.refusal(asked, self.revision), self.model.grant(asked)
        of_limits = self.model.refusal(asked, asked.principal.revision)
        hold = _hold(node, asked)
        self._clock.now += lag
        outcome = (await asyncio.gather(hold.open(), return_exceptions=True))[0]
        self._as_told(hold, outcome, expected, granted)
        if isinstance(foresight, Admission):
            assert of_limits in {None, KeyClaimed}, "a false admission was foreseen"
            assert foresight.messages == granted, "something else was foreseen"
        else:
            assert type(foresight) is of_limits, f"a false refusal was foreseen: {foresight!r}"
        if expected is None:
            self._began(node, asked, hold)
            for window, allowed in asked.rates.items():
                assert hold.rate is not None
                assert hold.rate.remaining == allowed - self.model.recent(asked, window)

    async def many(
        self, begun: Sequence[tuple[Node, Asked]], ended: Sequence[tuple[Request, Usage | None]], lag: float
    ) -> None:
        """Begin and end requests at the same time, in no order that anybody could know."""
        opened = [_hold(node, asked) for node, asked in begun]
        self._clock.now += lag
        outcomes = await asyncio.gather(
            *(_settle(request, usage) for request, usage in ended),
            *(hold.open() for hold in opened),
            return_exceptions=True,
        )
        for (request, usage), receipt in zip(ended, outcomes[: len(ended)], strict=True):
            self._told(request, usage, receipt)
        refused = []
        for (node, asked), outcome in zip(begun, outcomes[len(ended) :], strict=True):
            if isinstance(outcome, Hold):
                assert asked.principal.revision == self.revision, "a stale principal was admitted"
                self._began(node, asked, outcome)
            else:
                assert isinstance(outcome, REFUSALS), repr(outcome)
                refused.append((asked, outcome))
        if not ended:  # there is least room at the end: whoever was refused before would be refused then
            for asked, reason in refused:
                self._would_be_refused(asked, reason)

    async def end(self, request: Request, usage: Usage | None) -> None:
        """Settle one request alone."""
        receipt = await _settle(request, usage)
        self._told(request, usage, receipt)
        room = self.model.room(request.asked)
        left = None if room is None else max(0, room)
        assert receipt.remaining == left, "a receipt is not what was used"

    async def end_cancelled(self, node: Node, request: Request, usage: Usage | None, turns: int) -> None:
        """Settle a request whose task is cancelled meanwhile: it is written once, all the same."""
        hold = _the_hold(request)
        if usage is not None:
            hold.observe(usage, estimated=True)
        await _cancelled(hold.settle(), turns)
        await hold.__aexit__(asyncio.CancelledError, None, None)
        await node.ledger.sweep()  # it is written by now
        if request.open:
            flags = self._flags(request) | ({"estimated"} if usage is not None else set())
            self.model.settle(request, usage, flags)
        del self.model.requests[request.asked.name]

    async def begin_cancelled(self, node: Node, asked: Asked, turns: int) -> None:
        """Begin a request whose client leaves meanwhile; it is held, or released, or never was."""
        hold = _hold(node, asked)
        if await _cancelled(hold.open(), turns):
            self._began(node, asked, hold)
        await node.ledger.sweep()  # a release is written by now

    def look_for_cancelled(self, database: Database, node: Node, asked: Asked) -> None:
        """Whether it had been held before it was released: then it is in the books, at no charge."""
        if asked.name in self.model.requests:
            return
        with database.reading() as connection:
            entry = connection.execute(select(entries).where(entries.c.request_id == asked.name)).first()
        if entry is not None:
            request = Request(asked, node.node_id, entry.held_messages, None)
            self.model.admit(request)
            self.model.settle(request, None, asked.marks)
            del self.model.requests[asked.name]

    def work(
        self, node: Node, begun: Sequence[Asked], ended: Sequence[tuple[Request, Usage | None]]
    ) -> list[Coroutine[Any, Any, object]]:
        """What a process is busy with."""
        return [
            *(_settle(request, usage) for request, usage in ended),
            *(_hold(node, asked).open() for asked in begun),
        ]

    def look_after_a_crash(
        self,
        database: Database,
        node: Node,
        begun: Sequence[Asked],
        ended: Sequence[tuple[Request, Usage | None]],
    ) -> None:
        """What was committed before the process died is true, and nothing else of it."""
        with database.reading() as connection:
            held = {row.request_id: row.messages for row in connection.execute(select(holds))}
            entered = {row.request_id for row in connection.execute(select(entries))}
        for request in list(self.model.requests.values()):
            if request.open and request.asked.name in entered and request.node_id != node.node_id:
                self.model.interrupt(request)  # it was sweeping
        for request, usage in ended:
            if request.open and request.asked.name in entered:
                self.ended(request, usage)
        for asked in begun:
            if asked.name in held:
                assert asked.principal.revision == self.revision, "a stale principal was admitted"
                self.model.admit(Request(asked, node.node_id, held[asked.name], None))
        for request in list(self.model.requests.values()):
            if request.node_id == node.node_id and not request.open:
                del self.model.requests[request.asked.name]

    def ended(self, request: Request, usage: Usage | None) -> None:
        """It was settled by its own process."""
        answer = None if usage is None else _answer(request)
        self.model.settle(request, usage, self._flags(request), answer)
        del self.model.requests[request.asked.name]

    def _as_told(self, hold: Hold, outcome: object, expected: type[Exception] | None, granted: int) -> None:
        if expected is not None:
            assert type(outcome) is expected, f"a false admission, or refusal: {outcome!r}"
            return
        assert outcome is hold, f"a false refusal: {outcome!r}"
        assert hold.messages == granted, "held something else than is left"

    def _began(self, node: Node, asked: Asked, hold: Hold) -> None:
        self.model.admit(Request(asked, node.node_id, hold.messages, hold))

    def _told(self, request: Request, usage: Usage | None, receipt: object) -> None:
        assert isinstance(receipt, Receipt), repr(receipt)
        if not request.open:  # it was settled by others, and its own process hears of it
            assert receipt.flags >= INTERRUPTED
            del self.model.requests[request.asked.name]
            return
        self.ended(request, usage)
        entry = self.model.entries[request.asked.name]
        written = (entry.messages, entry.usage, entry.flags)
        assert (receipt.messages, receipt.usage, receipt.flags) == written, "a receipt is not what was used"

    def _flags(self, request: Request) -> frozenset[str]:
        return request.asked.marks | ({"clamped"} if _the_hold(request).clamped else set())

    def _would_be_refused(self, asked: Asked, reason: BaseException) -> None:
        if isinstance(reason, LimitReached):
            assert not self.model.grant(asked), f"a false refusal: {reason!r}"
        elif isinstance(reason, RateLimited):
            full = [self.model.recent(asked, window) >= allowed for window, allowed in asked.rates.items()]
            assert any(full), f"a false refusal: {reason!r}"
        elif isinstance(reason, KeyClaimed):
            assert self.model.claimed(asked), f"a false refusal: {reason!r}"
        else:
            assert asked.principal.revision != self.revision, f"a false refusal: {reason!r}"


def _hold(node: Node, asked: Asked) -> Hold:
    hold = node.ledger.hold(asked.name, asked.principal, asked.estimate, asked.claim)
    for mark in asked.marks:
        hold.mark(mark)
    return hold


def _the_hold(request: Request) -> Hold:
    assert request.hold is not None
    return request.hold


async def _settle(request: Request, usage: Usage | None) -> Receipt:
    hold = _the_hold(request)
    if usage is not None:
        hold.observe(usage)
    return await hold.settle(None if usage is None else _answer(request))


def _answer(request: Request) -> bytes:
    return f"the answer to {request.asked.name}".encode()


async def _cancelled(work: Coroutine[Any, Any, object], turns: int) -> bool:
    """Whether ``work`` was done before it was cancelled, after so many turns of the loop."""
    task = asyncio.ensure_future(work)
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    return not task.cancelled() and task.exception() is None
