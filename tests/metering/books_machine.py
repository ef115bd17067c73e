"""A stateful test of the books: two nodes, random limits, requests, cancels, crashes, lost leases, days.

Beside the ledger it keeps the provider's own log: what each request that was admitted really used.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import Coroutine
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import delete, select

from tests.metering.conftest import Clock
from tests.metering.examples import MIDDAY, WORKSPACE, assert_clean, principal
from writingmate.errors import LimitReached
from writingmate.metering.commands import windows_keys
from writingmate.metering.counting import counted_messages
from writingmate.metering.hold import Hold
from writingmate.metering.ledger import Ledger
from writingmate.metering.windows import WindowKey
from writingmate.storage.engine import Database
from writingmate.storage.tables import entries, holds, metadata, nodes, windows
from writingmate.types import Estimate, Limit, Usage, Window

T = TypeVar("T")

NODES = 2
METERS = ("messages:pro", "messages:ultimate")
TOKENS = st.integers(0, 60_000)
PICK = st.integers(0, 1_000)
CHOSEN = st.sets(st.integers(0, 5), max_size=4)  # which of the day's, the month's and the pool's windows


@dataclasses.dataclass
class Request:
    """A request under way, and what was held for it."""

    hold: Hold
    node: int
    estimate: Estimate
    alive: bool = True


class BooksMachine(RuleBasedStateMachine):
    """See the module. ``used + held <= allowed`` is checked after every step, and so is the audit."""

    database: Database

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = Clock(MIDDAY)
        self.requests: dict[str, Request] = {}
        self.log: dict[str, Usage | None] = {}
        self.refused: set[str] = set()
        self.allowed: tuple[int, ...] = ()
        self.number = 0
        self._empty()
        self.ledgers = [self._start() for _ in range(NODES)]

    # What can happen

    @initialize(allowed=st.tuples(*(st.integers(0, 12) for _ in range(6))))
    def limits(self, allowed: tuple[int, ...]) -> None:
        self.allowed = allowed

    @rule(
        wanted=st.lists(st.tuples(st.integers(0, NODES - 1), CHOSEN, TOKENS, TOKENS), min_size=1, max_size=6)
    )
    def begin_together(self, wanted: list[tuple[int, set[int], int, int]]) -> None:
        self._run(self._begin_all(wanted))

    @rule(pick=PICK, prompt=TOKENS, completion=TOKENS, cached=TOKENS)
    def end(self, pick: int, prompt: int, completion: int, cached: int) -> None:
        if name := self._pick(pick):
            self._settle(name, Usage(prompt, completion, cached))

    @rule(pick=PICK)
    def fail(self, pick: int) -> None:
        if name := self._pick(pick):
            self._settle(name, None)

    @rule(pick=PICK, turns=st.integers(0, 4))
    def cancel_while_settling(self, pick: int, turns: int) -> None:
        if name := self._pick(pick):
            usage = Usage(20_000, 5)
            hold = self.requests[name].hold
            hold.observe(usage, estimated=True)
            self._run(self._cancelled(hold.settle(), turns))
            self._run(hold.__aexit__(asyncio.CancelledError, None, None))
            self._ended(name, usage)

    @rule(node=st.integers(0, NODES - 1), chosen=CHOSEN, turns=st.integers(0, 4))
    def cancel_while_beginning(self, node: int, chosen: set[int], turns: int) -> None:
        name, estimate = self._next(chosen, 20_000, 0)
        hold = self.ledgers[node].hold(name, principal(), estimate)
        if self._run(self._cancelled(hold.__aenter__(), turns)):
            self.requests[name] = Request(hold, node, estimate)
        else:
            self.log[name] = None  # nobody called the provider, whatever the books know of it

    @rule(node=st.integers(0, NODES - 1))
    def crash(self, node: int) -> None:
        """The process is gone with all it knew; a new one starts later, and sweeps."""
        writer = self.ledgers[node]._writer
        assert writer is not None
        writer.close()
        self._run(self.ledgers[node].close())
        with self.database.transaction() as connection:
            connection.execute(delete(nodes).where(nodes.c.node_id == self.ledgers[node].node_id))
        for name in [name for name, request in self.requests.items() if request.node == node]:
            self._lost(name)
            del self.requests[name]
        self.ledgers[node] = self._start()

    @rule(node=st.integers(0, NODES - 1))
    def lose_the_lease(self, node: int) -> None:
        """The process slept for longer than its lease; its requests go on, and find themselves settled."""
        self.ledgers[node]._beat_at = float("-inf")
        with self.database.transaction() as connection:
            connection.execute(delete(nodes).where(nodes.c.node_id == self.ledgers[node].node_id))
        self._run(self.ledgers[1 - node].sweep())
        for name, request in self.requests.items():
            if request.node == node:
                self._lost(name)
                request.alive = False

    @rule(seconds=st.sampled_from([0.5, 3_600.0, 43_200.0, 86_400.0, -5.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds

    # What must hold at every instant

    @invariant()
    def no_limit_is_overshot(self) -> None:
        allowed = {key: limit.allowed for key, limit in self._limits().items()}
        debt = self._debt()
        with self.database.reading() as connection:
            rows = connection.execute(select(windows)).all()
        for row in rows:
            key = (row.workspace_id, row.subject, row.meter, row.period)
            most = allowed.get(key, max(self.allowed, default=0)) + debt[key]
            assert row.used + row.held <= most, f"{key} is over its limit: {row} of {most}"
            assert row.used >= 0
            assert row.held >= 0

    @invariant()
    def the_books_are_clean(self) -> None:
        assert_clean(self.database)

    @invariant()
    def every_request_is_on_the_books_once(self) -> None:
        with self.database.reading() as connection:
            open_ = list(connection.scalars(select(holds.c.request_id)))
            entered = {row.request_id: row for row in connection.execute(select(entries))}
        alive = {name for name, request in self.requests.items() if request.alive}
        assert sorted(open_) == sorted(alive)
        assert not self.refused & (set(open_) | set(entered))
        for name, usage in self.log.items():
            if usage is None:
                assert name not in entered or entered[name].messages == 0
            else:
                assert (entered[name].prompt_tokens, entered[name].completion_tokens) == (
                    usage.prompt_tokens,
                    usage.completion_tokens,
                )

    def teardown(self) -> None:
        for ledger in self.ledgers:
            self._run(ledger.close())
        self.loop.close()

    # How

    async def _begin_all(self, wanted: list[tuple[int, set[int], int, int]]) -> None:
        new = [(node, *self._next(chosen, prompt, completion)) for node, chosen, prompt, completion in wanted]
        before = self._state()
        await asyncio.gather(*(self._begin(node, name, estimate) for node, name, estimate in new))
        if len(new) == 1:
            _, name, estimate = new[0]
            assert (name in self.refused) == self._too_much(before, estimate), "a false refusal, or admission"

    async def _begin(self, node: int, name: str, estimate: Estimate) -> None:
        hold = self.ledgers[node].hold(name, principal(), estimate)
        try:
            await hold.__aenter__()
        except LimitReached:
            self.refused.add(name)
        else:
            self.requests[name] = Request(hold, node, estimate)

    async def _cancelled(self, work: Coroutine[Any, Any, object], turns: int) -> bool:
        """Whether ``work`` was done before it was cancelled, after so many turns of the loop."""
        task = asyncio.ensure_future(work)
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        for ledger in self.ledgers:  # what was queued is written by now
            await ledger.sweep()
        return not task.cancelled() and task.exception() is None

    def _pick(self, pick: int) -> str | None:
        """A request under way; a rule may not depend on whether there is one, which others decide."""
        return sorted(self.requests)[pick % len(self.requests)] if self.requests else None

    def _settle(self, name: str, usage: Usage | None) -> None:
        request = self.requests[name]
        if usage is not None:
            request.hold.observe(usage)
        receipt = self._run(request.hold.settle())
        if request.alive:
            assert receipt.messages == (0 if usage is None else counted_messages(usage))
            assert ("overrun" in receipt.flags) == (receipt.messages > request.hold.messages)
        else:
            assert "interrupted" in receipt.flags
        self._ended(name, usage)

    def _ended(self, name: str, usage: Usage | None) -> None:
        if self.requests.pop(name).alive:
            self.log[name] = usage

    def _lost(self, name: str) -> None:
        """By the written rule: the prompt's bound is charged."""
        if self.requests[name].alive:
            self.log[name] = Usage(self.requests[name].estimate.prompt_tokens)

    def _next(self, chosen: set[int], prompt: int, completion: int) -> tuple[str, Estimate]:
        self.number += 1
        available = list(self._limits().values())
        limits = tuple(available[index] for index in sorted(chosen))
        return f"r{self.number}", Estimate("m", "p", "u", "chat.completions", prompt, completion, limits)

    def _limits(self) -> dict[WindowKey, Limit]:
        """Those of today, by the clock of the nodes: two a day, two a month, two for life."""
        day = f"2026-11-{22 + int((self.clock.now - MIDDAY + 43_200) // 86_400):02d}"
        names = [(meter, period) for period in (day, "2026-11", "lifetime") for meter in METERS]
        return {
            (WORKSPACE, "workspace", meter, period): Limit(
                Window(WORKSPACE, "workspace", meter, period), allowed
            )
            for (meter, period), allowed in zip(names, self.allowed, strict=True)
        }

    def _state(self) -> Counter[WindowKey]:
        with self.database.reading() as connection:
            rows = connection.execute(select(windows)).all()
        return Counter({(row[0], row[1], row[2], row[3]): row.used + row.held for row in rows})

    def _too_much(self, taken: Counter[WindowKey], estimate: Estimate) -> bool:
        messages = counted_messages(Usage(estimate.prompt_tokens, estimate.completion_tokens))
        keys = [dataclasses.astuple(limit.window) for limit in estimate.limits]
        return any(
            taken[key] + messages > limit.allowed for key, limit in zip(keys, estimate.limits, strict=True)
        )

    def _debt(self) -> Counter[WindowKey]:
        """What recorded overruns have taken from each window beyond what was held."""
        debt: Counter[WindowKey] = Counter()
        with self.database.reading() as connection:
            rows = connection.execute(select(entries).where(entries.c.flags.contains("overrun"))).all()
        for row in rows:
            for key in windows_keys(row.workspace_id, row.windows):
                debt[key] += row.messages - row.held_messages
        return debt

    def _start(self) -> Ledger:
        ledger = Ledger(self.database, now=self.clock, lease_seconds=10_000_000.0)
        self._run(ledger.start())
        return ledger

    def _empty(self) -> None:
        with self.database.transaction() as connection:
            for table in metadata.sorted_tables:
                connection.execute(delete(table))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)
