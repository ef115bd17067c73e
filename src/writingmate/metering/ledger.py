"""Hold, then settle: every request is on the books before it costs anything, and leaves them once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from writingmate.errors import Unavailable
from writingmate.metering.books import Answer, Batch
from writingmate.metering.commands import (
    Beat,
    Claim,
    Closing,
    Command,
    HoldRow,
    Leave,
    Opening,
    Sweep,
    Task,
    windows_text,
)
from writingmate.metering.counting import messages_of
from writingmate.metering.hold import Hold
from writingmate.metering.rows import Rows
from writingmate.metering.rows_postgres import PostgresRows
from writingmate.metering.rows_sqlite import SqliteRows
from writingmate.metering.sweep import PAGE
from writingmate.storage.engine import Database
from writingmate.storage.writer import Writer
from writingmate.telemetry import log, metrics
from writingmate.types import Estimate, Limit, Principal

Clock: TypeAlias = Callable[[], float]
# Called in the writer's thread with "hold.before_commit", "settle.after_commit" …; tests die there.
Step: TypeAlias = Callable[[str], None]

BEATS_PER_LEASE: Final = 3

_STEPS: Final = {Opening: "hold", Closing: "settle", Sweep: "sweep", Beat: "beat", Leave: "leave"}


class Ledger:
    """The books of one process. Use it as ``async with ledger.hold(...) as hold``.

    Args:
        database: with the newest schema.
        node_id: who holds; a name of its own for every process that ever ran.
        lease_seconds: how long this node may be silent before others settle what it holds.
        now: UNIX seconds, for tests.
        step: called at each labelled step of the writing, for tests that die there.
    """

    def __init__(
        self,
        database: Database,
        *,
        node_id: str | None = None,
        lease_seconds: float = 30.0,
        now: Clock = time.time,
        step: Step | None = None,
    ) -> None:
        self.node_id: Final = node_id or os.urandom(12).hex()
        self._database = database
        self._lease_seconds = lease_seconds
        self._now = now
        self._step = step
        self._beat_at = float("-inf")
        self._writer: Writer[Command, Answer] | None = None
        self._heart: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Register this node and settle what dead ones hold; from now on do so every third of a lease.

        Raises Unavailable if the database is out of reach.
        """
        self._writer = Writer(self._database, self.apply, step=self._label if self._step else None)
        await self._writer.submit(Beat())
        await self.sweep()
        self._heart = asyncio.create_task(self._keep_alive())

    async def close(self) -> None:
        """Write what is queued; leave the books unless a hold is still open (it is swept later)."""
        if self._writer is None:
            return
        if self._heart is not None:
            self._heart.cancel()
        with contextlib.suppress(Unavailable):
            self._writer.post(Leave())
        await asyncio.get_running_loop().run_in_executor(None, self._writer.close)

    def hold(
        self, request_id: str, principal: Principal, estimate: Estimate, claim: Claim | Task | None = None
    ) -> Hold:
        """Hold the most that the request may cost against every limit, or none, for the ``async with``.

        Entering raises LimitReached, RateLimited, StalePrincipal (read the principal again and
        retry), KeyClaimed or Unavailable. Leaving settles, if nobody did.
        """
        limits = estimate.limits
        if limits:
            _check(principal.workspace_id, limits)
        prompt = estimate.prompt_tokens
        row = HoldRow(
            principal.workspace_id,
            request_id,
            self.node_id,
            principal.user_id,
            principal.key_id,
            estimate.model,
            estimate.provider,
            estimate.upstream_model,
            estimate.endpoint,
            prompt,
            estimate.completion_tokens,
            messages_of(prompt + estimate.completion_tokens),
            windows_text(limits),
            self._now(),
            principal.plan,
            estimate.tier,
        )
        least = 0 if estimate.least_tokens is None else messages_of(prompt + estimate.least_tokens)
        return Hold(self._running(), Opening(row, principal.revision, limits, least, claim))

    async def sweep(self) -> int:
        """Settle every hold of dead nodes; how many. Each is settled once, whoever else sweeps."""
        total = 0
        while True:
            settled = await self._running().submit(Sweep())
            total += settled if isinstance(settled, int) else 0
            if settled != PAGE:
                break
        if total:
            log.event("holds_swept", node=self.node_id, holds=total)
        return total

    def apply(self, cursor: Any, commands: Sequence[Command]) -> Sequence[Answer]:  # noqa: ANN401  # either driver's
        """Decide and write one batch in the transaction that ``cursor`` is in."""
        rows: Rows = SqliteRows(cursor) if self._database.dialect == "sqlite" else PostgresRows(cursor)
        now = self._now()
        kinds = {type(command) for command in commands}
        self._extend_lease(rows, kinds, now)
        lost = rows.lost_holds(now, PAGE) if Sweep in kinds else ()
        batch = Batch(rows, commands, lost, now)
        answers = [batch.answer(command) for command in commands]
        batch.write()
        metrics.batch(len(commands))
        if Sweep in kinds:
            rows.forget_nodes(now)
        if Leave in kinds:
            rows.leave(self.node_id)
        return answers

    def _extend_lease(self, rows: Rows, kinds: set[type[Command]], now: float) -> None:
        """A node never holds without a lease, not even just after it was asleep."""
        if Beat in kinds or (Opening in kinds and now - self._beat_at > self._lease_seconds / 2):
            rows.beat(self.node_id, self._lease_seconds, now)
            self._beat_at = now

    def _running(self) -> Writer[Command, Answer]:
        if self._writer is None:
            raise RuntimeError("The ledger was not started.")
        return self._writer

    def _label(self, moment: str, commands: Sequence[Command]) -> None:
        if self._step is not None:
            for kind in {type(command) for command in commands}:
                self._step(f"{_STEPS[kind]}.{moment}")

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(self._lease_seconds / BEATS_PER_LEASE)
            with contextlib.suppress(Exception):  # the writer has logged it; the next beat tries again
                await self._running().submit(Beat())
                await self.sweep()


def _check(workspace_id: str, limits: Sequence[Limit]) -> None:
    windows = {limit.window for limit in limits}
    if len(windows) < len(limits):
        raise ValueError("Two limits on one window would count a request twice.")
    if any(window.workspace_id != workspace_id for window in windows):
        raise ValueError("A request can be held only against windows of its own workspace.")
