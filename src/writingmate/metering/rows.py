"""The statements of the ledger: one small set, written twice, because each database has its fast way.

They run on the driver's own cursor inside the writer's transaction: a batch is a dozen statements, and
building them anew through an expression tree would cost more than running them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from writingmate.metering.commands import Claim, Ending, EntryRow, HoldRow, Keep, QueuedRow, RequestKey, Task
from writingmate.metering.rates import Recent
from writingmate.metering.windows import WindowKey

# (workspace_id, day, user_id, model): the primary key of a row of `daily_message_count`
CountKey: TypeAlias = tuple[str, str, str, str]


class Count(NamedTuple):
    """What a row of `daily_message_count` grows by."""

    messages: int
    input_tokens: int
    output_tokens: int


class Rows(Protocol):
    """The ledger's view of one open transaction. Times are UNIX seconds by this node's clock."""

    def revision(self) -> int:
        """The identity revision; 0 if nothing was ever changed."""

    def delete_holds(self, keys: Sequence[RequestKey]) -> Mapping[RequestKey, int]:
        """Delete the holds; the messages that each held which was there. Nobody else can delete the same."""

    def windows(self, keys: Collection[WindowKey]) -> Mapping[WindowKey, tuple[int, int]]:
        """Lock the windows until commit; used and held of those that have been counted in before."""

    def recent(self, keys: Collection[WindowKey], since: float) -> Mapping[WindowKey, Recent]:
        """How many requests of each window's subject came after ``since``; the windows are locked."""

    def take_claim(self, claim: Claim) -> bool:
        """Make the request the one that its idempotency key stands for; False if another one is.

        Another is if its hold is open, or if its answer is stored and has not expired.
        """

    def store_answer(self, claim: Claim, answer: bytes | None) -> None:
        """Store the answer of the request that has the claim; without one, give the claim up."""

    def queue(self, row: QueuedRow) -> None:
        """Write a response that the background is to run, and its first events."""

    def end(self, task: Task, ending: Ending) -> None:
        """End a response of the background, unless it is another attempt's by now or was cancelled."""

    def keep(self, keep: Keep) -> None:
        """Keep a response, unless that was done before, and the conversation that it goes on for longer."""

    def entry(self, key: RequestKey) -> EntryRow | None:
        """A request's entry, if it is settled."""

    def insert_holds(self, rows: Sequence[HoldRow]) -> None:
        """Write requests that begin."""

    def insert_entries(self, rows: Sequence[EntryRow]) -> None:
        """Write requests that ended."""

    def add_counts(self, counts: Mapping[CountKey, Count]) -> None:
        """Add to the aggregate."""

    def add_to_windows(self, changes: Mapping[WindowKey, tuple[int, int]]) -> None:
        """Add to used and to held."""

    def beat(self, node_id: str, lease_seconds: float, now: float) -> None:
        """Register a node, or extend its lease."""

    def leave(self, node_id: str) -> None:
        """Forget a node that holds nothing."""

    def lost_holds(self, now: float, limit: int) -> Sequence[HoldRow]:
        """At most ``limit`` holds of nodes that are unknown or whose lease is over."""

    def forget_nodes(self, now: float) -> None:
        """Forget nodes whose lease is over and that hold nothing."""
