"""A stateful test of the books: one to four nodes, drawn plans, everything that can happen, in any order.

Beside the ledgers it keeps a model: the provider's own log, and what follows from it. After every step the
books must be the model's, to the token; what is checked is in `tests.metering.books_checks`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import delete

from tests.metering.books_checks import Checks
from tests.metering.books_draws import CAPS, LAG, MOST_NODES, NODE, ORDERS, PICK, PLANS, SECONDS, USAGE, Order
from tests.metering.books_model import INTERRUPTED, Request
from tests.metering.books_nodes import Node
from tests.metering.books_traffic import Traffic
from tests.metering.conftest import Clock
from tests.metering.examples import MIDDAY
from writingmate.metering.standing import foreseen
from writingmate.storage import revisions
from writingmate.storage.engine import Database
from writingmate.storage.tables import metadata
from writingmate.types import Plan, Receipt, Usage

T = TypeVar("T")


class BooksMachine(RuleBasedStateMachine):
    """See the module. ``databases`` are as many views of one database as there may be nodes."""

    databases: ClassVar[list[Database]]

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = Clock(MIDDAY)
        self.traffic = Traffic(self.clock)
        self.model = self.traffic.model
        self.checks = Checks(self.databases[0], self.model)
        self.nodes: list[Node] = []
        self.dead: list[Node] = []
        with self.databases[0].transaction() as connection:
            for table in metadata.sorted_tables:
                connection.execute(delete(table))

    @initialize(count=st.integers(1, MOST_NODES), plans=st.tuples(PLANS, PLANS), caps=CAPS)
    def begin(self, count: int, plans: tuple[Plan, Plan], caps: tuple[int | None, ...]) -> None:
        self.traffic.caps = caps
        self.traffic.plans = list(plans)
        self.nodes = [self._start(number) for number in range(count)]

    # What can happen

    @rule(order=ORDERS, lag=LAG)
    def one_begins(self, order: Order, lag: float) -> None:
        """Alone, so that what it must be told is known to the message."""
        asked = self.traffic.ask(order)
        with self.databases[0].reading() as connection:
            foresight = foreseen(connection, asked.estimate, asked.started_at)
        self._run(self.traffic.one(self._node(order.node), asked, lag, foresight))

    @rule(
        orders=st.lists(ORDERS, min_size=1, max_size=8),
        ends=st.lists(st.tuples(PICK, USAGE), max_size=3),
        lag=LAG,
    )
    def many_begin_and_end(
        self, orders: list[Order], ends: list[tuple[int, Usage | None]], lag: float
    ) -> None:
        asked = [(self._node(order.node), self.traffic.ask(order)) for order in orders]
        self._run(self.traffic.many(asked, self._picked(ends), lag))

    @rule(pick=PICK, usage=USAGE)
    def one_ends(self, pick: int, usage: Usage | None) -> None:
        for request, used in self._picked([(pick, usage)]):
            self._run(self.traffic.end(request, used))

    @rule(pick=PICK, usage=USAGE, turns=st.integers(0, 4))
    def the_client_leaves_while_it_is_settled(self, pick: int, usage: Usage | None, turns: int) -> None:
        for request, used in self._picked([(pick, usage)]):
            node = next(each for each in self.nodes if each.node_id == request.node_id)
            self._run(self.traffic.end_cancelled(node, request, used, turns))

    @rule(order=ORDERS, turns=st.integers(0, 4))
    def the_client_leaves_while_it_is_held(self, order: Order, turns: int) -> None:
        node = self._node(order.node)
        asked = self.traffic.ask(order)
        self._run(self.traffic.begin_cancelled(node, asked, turns))
        self.traffic.look_for_cancelled(self.databases[0], node, asked)

    @rule(
        number=NODE,
        step=st.sampled_from(["before_commit", "after_commit"]),
        orders=st.lists(ORDERS, max_size=4),
        ends=st.lists(st.tuples(PICK, USAGE), max_size=3),
        sweeping=st.booleans(),
    )
    def a_process_is_killed(
        self,
        number: int,
        step: str,
        orders: list[Order],
        ends: list[tuple[int, Usage | None]],
        *,
        sweeping: bool,
    ) -> None:
        """In the middle of its work, or of a sweep of the dead before it. A new one takes its place."""
        number %= len(self.nodes)
        victim = self.nodes[number]
        begun = [self.traffic.ask(order) for order in orders]
        ended = [each for each in self._picked(ends) if each[0].node_id == victim.node_id]
        work = self.traffic.work(victim, begun, ended)
        if sweeping:
            self._end_leases_of_the_dead()
            work.append(victim.ledger.sweep())
        self._run(victim.die(step, work))
        self.dead.append(victim)
        self.traffic.look_after_a_crash(self.databases[0], victim, begun, ended)
        self.nodes[number] = self._start(number)
        if sweeping:
            self._recovered(self.dead[:-1])

    @rule()
    def the_dead_are_swept(self) -> None:
        """By everybody at once."""
        self._end_leases_of_the_dead()
        self._run(self._all(*(node.ledger.sweep() for node in self.nodes)))
        self._recovered(self.dead)

    @rule(number=NODE, by=NODE, ends=st.lists(st.tuples(PICK, USAGE), max_size=3))
    def a_lease_is_lost(self, number: int, by: int, ends: list[tuple[int, Usage | None]]) -> None:
        """A process slept, and another sweeps what it holds just as it wakes up and settles some."""
        victim = self._node(number)
        ended = [each for each in self._picked(ends) if each[0].node_id == victim.node_id and each[0].open]
        lost = self.model.held_by(victim.node_id)
        victim.end_lease()
        receipts = self._run(self._all(self._node(by).ledger.sweep(), *self.traffic.work(victim, [], ended)))
        for (request, usage), receipt in zip(ended, receipts[1:], strict=True):
            assert isinstance(receipt, Receipt)
            if receipt.flags >= INTERRUPTED:
                self.model.interrupt(request)
                del self.model.requests[request.asked.name]
            else:
                self.traffic.ended(request, usage)
        for request in lost:
            if request.open:
                self.model.interrupt(request)

    @rule(which=st.integers(0, 1), plan=PLANS)
    def the_plan_changes(self, which: int, plan: Plan) -> None:
        self.traffic.plans[which] = plan
        with self.databases[0].transaction() as connection:
            revisions.bump(connection, "identity")
        self.traffic.revision += 1

    @rule(seconds=SECONDS)
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(month=st.booleans())
    def a_period_nears_its_end(self, *, month: bool) -> None:
        """A quarter of a second is left of the day, or of the month."""
        now = datetime.fromtimestamp(self.clock.now, UTC)
        ends = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        if month:
            ends = (ends.replace(day=28) + timedelta(days=4)).replace(day=1)
        self.clock.now = ends.timestamp() - 0.25

    @invariant()
    def the_books_are_right(self) -> None:
        self.checks.run()

    def teardown(self) -> None:
        for node in self.nodes:
            self._run(node.ledger.close())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()

    # How

    def _picked(self, picks: list[tuple[int, Usage | None]]) -> list[tuple[Request, Usage | None]]:
        """Requests whose process lives, each once; a rule may not depend on whether there are any."""
        living = {node.node_id for node in self.nodes}
        names = sorted(
            name
            for name, each in self.model.requests.items()
            if each.node_id in living and each.hold is not None
        )
        chosen = {names[pick % len(names)]: usage for pick, usage in picks if names}
        return [(self.model.requests[name], usage) for name, usage in chosen.items()]

    def _node(self, number: int) -> Node:
        return self.nodes[number % len(self.nodes)]

    def _start(self, number: int) -> Node:
        node = Node(self.databases[number], self.clock)
        self._run(node.ledger.start())
        return node

    def _end_leases_of_the_dead(self) -> None:
        for node in self.dead:
            node.end_lease()

    def _recovered(self, swept: list[Node]) -> None:
        """What they held is settled, whoever did it; of those processes nothing is left."""
        for node in swept:
            for request in self.model.held_by(node.node_id):
                self.model.interrupt(request)
        self.dead = [node for node in self.dead if node not in swept]

    async def _all(self, *work: Coroutine[Any, Any, object]) -> list[object]:
        return list(await asyncio.gather(*work))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)
