"""Hold, then settle: every request is on the books before it costs anything, and leaves them once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

from writingmate.errors import Unavailable
from writingmate.metering.books import Answer, Batch
from writingmate.metering.commands import (
    Beat,
    Closing,
    Command,
    HoldRow,
    Leave,
    Opening,
    Sweep,
    windows_text,
)
from writingmate.metering.counting import messages_of
from writingmate.metering.rows import Rows
from writingmate.metering.rows_postgres import PostgresRows
from writingmate.metering.rows_sqlite import SqliteRows
from writingmate.metering.sweep import PAGE
from writingmate.metering.windows import WindowKey, key
from writingmate.storage.engine import Database
from writingmate.storage.writer import Uncertain, Writer
from writingmate.telemetry import log, metrics
from writingmate.types import Estimate, Principal, Receipt, Usage

Clock: TypeAlias = Callable[[], float]
# Called in the writer's thread with "hold.before_commit", "settle.after_commit" …; tests die there.
Step: TypeAlias = Callable[[str], None]

BEATS_PER_LEASE: Final = 3
MOST_TOKENS: Final = 10**12  # more is a provider's mistake, and would not fit the columns for long

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

    def hold(self, request_id: str, principal: Principal, estimate: Estimate) -> Hold:
        """Hold the most that the request may cost against every limit, or none, for the ``async with``.

        Entering raises LimitReached, StalePrincipal (read the principal again and retry) or
        Unavailable. Leaving settles, if nobody did.
        """
        messages = messages_of(estimate.prompt_tokens + estimate.completion_tokens)
        windows = _keys(principal.workspace_id, estimate)
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
            estimate.prompt_tokens,
            estimate.completion_tokens,
            messages,
            windows_text(windows),
            self._now(),
        )
        return Hold(self._running(), Opening(row, principal.revision, estimate.limits, windows))

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


class Hold:
    """One request on the books. Tell it what was observed; leaving it settles exactly once."""

    __slots__ = (
        "_estimated",
        "_flags",
        "_opening",
        "_settlement",
        "_upstream_request_id",
        "_usage",
        "_writer",
    )

    def __init__(self, writer: Writer[Command, Answer], opening: Opening) -> None:
        self._writer = writer
        self._opening = opening
        self._usage: Usage | None = None
        self._estimated = False
        self._flags: set[str] = set()
        self._upstream_request_id: str | None = None
        self._settlement: asyncio.Future[Answer] | None = None

    @property
    def request_id(self) -> str:
        """The request that this holds for."""
        return self._opening.row.request_id

    @property
    def messages(self) -> int:
        """Messages held."""
        return self._opening.row.messages

    def observe(self, usage: Usage, *, estimated: bool = False) -> None:
        """What the request has used so far; the last word wins. ``estimated``: we counted, not they."""
        self._usage = _plausible(usage)
        self._estimated = estimated

    def mark(self, flag: str) -> None:
        """Note a fact in the entry: ``cancelled``, ``broken``, ``byok``."""
        self._flags.add(flag)

    def served_by(self, upstream_request_id: str | None) -> None:
        """Note the provider's own id of the request."""
        self._upstream_request_id = _printable(upstream_request_id)

    async def settle(self) -> Receipt:
        """Write the entry and release the rest; the receipt, once it is on disk.

        Nothing observed costs nothing (``failed``). Further calls give the same receipt. Raises
        Unavailable if the database is out of reach: then it is written as soon as it is back.
        """
        if self._settlement is None or _unanswered(self._settlement):
            self._settlement = self._settling()
        answer = await self._settlement
        if not isinstance(answer, Receipt):
            raise TypeError(f"A settlement was answered {answer!r}.")
        return answer

    async def __aenter__(self) -> Self:
        try:
            await self._writer.submit(self._opening)
        except BaseException as reason:
            if isinstance(reason, Uncertain) or not isinstance(reason, Exception):
                self._release()  # it may have been written, and nobody will settle it: if it was, it goes
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._settlement is not None:
            return
        try:
            await self.settle()
        except Unavailable:  # it is owed; what went wrong before it says more
            if kind is None:
                raise

    def _settling(self) -> asyncio.Future[Answer]:
        return self._writer.submit(self._closing(), owed=True)

    def _release(self) -> None:
        with contextlib.suppress(Unavailable):  # the writer is closed: the sweep settles it
            self._writer.post(self._closing())

    def _closing(self) -> Closing:
        opening = self._opening
        flags = frozenset({*self._flags, "estimated"} if self._estimated else self._flags)
        return Closing(
            opening.row, self._usage, flags, self._upstream_request_id, opening.limits, opening.windows
        )


def _unanswered(settlement: asyncio.Future[Answer]) -> bool:
    """Whether to ask again: it is written once, and answered from the entry after that."""
    return settlement.done() and (settlement.cancelled() or settlement.exception() is not None)


def _keys(workspace_id: str, estimate: Estimate) -> tuple[WindowKey, ...]:
    if not estimate.limits:
        return ()
    keys = tuple(dict.fromkeys(key(limit.window) for limit in estimate.limits))
    if any(window[0] != workspace_id for window in keys):
        raise ValueError("A request can be held only against windows of its own workspace.")
    return keys


def _plausible(usage: Usage) -> Usage:
    """Providers have reported negative and absurd figures; the books take neither."""
    figures = (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, usage.reasoning_tokens)
    if min(figures) >= 0 and max(figures) <= MOST_TOKENS:
        return usage
    return Usage(*(min(max(figure, 0), MOST_TOKENS) for figure in figures))


def _printable(text: str | None) -> str | None:
    """A provider's id as a column takes it."""
    return text[:200].encode("ascii", "replace").decode().replace("\x00", "") if text else None
