"""Deciding and writing one batch of holds and settlements in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from writingmate.errors import AlreadySettled, KeyClaimed, StalePrincipal
from writingmate.metering.commands import (
    Claim,
    ClaimKey,
    Closing,
    Command,
    Ending,
    EntryRow,
    HoldRow,
    Opening,
    RequestKey,
    Sweep,
    Task,
    utc_day,
    windows_left,
)
from writingmate.metering.counting import counted_messages
from writingmate.metering.decision import decide
from writingmate.metering.rates import SECONDS, Rates, rate_keys
from writingmate.metering.rows import Count, CountKey, Rows
from writingmate.metering.sweep import interrupted
from writingmate.metering.windows import Counters, WindowKey, keys
from writingmate.types import Admission, Limit, Receipt, Usage

# A hold answers what it got, a settlement its receipt, a sweep how many it settled; an exception is an
# answer too.
Answer: TypeAlias = Admission | Receipt | int | Exception | None

NOTHING: Final = Usage()
_NO_COUNT: Final = Count(0, 0, 0)


class Batch:
    """One transaction's worth of commands: what it reads, what it decides, what it writes.

    Decisions are made in memory in arrival order: a settlement makes room for the hold behind it, and
    a hold counts against the one behind it.
    """

    def __init__(self, rows: Rows, commands: Sequence[Command], lost: Sequence[HoldRow], now: float) -> None:
        self._rows = rows
        self._now = now
        self._lost = [interrupted(row) for row in lost]
        closings = [*(command for command in commands if type(command) is Closing), *self._lost]
        openings = [command for command in commands if type(command) is Opening]
        self._fresh: dict[RequestKey, HoldRow] = {}
        self._settled: dict[RequestKey, Receipt] = {}
        self._held = dict(rows.delete_holds(_requests(closings))) if closings else {}
        limits = {command.limits for command in openings if command.limits}
        limits.update(command.limits for command in closings if command.limits)
        self._counters = Counters(_read_windows(rows, limits))
        self._rates = self._count_requests(openings, closings, limits)
        self._revision = rows.revision() if openings else 0
        self._entries: list[EntryRow] = []
        self._counts: dict[CountKey, Count] = {}
        # Claims whose hold this transaction has deleted or not written yet: their keys are taken.
        self._claims = {key for closing in closings if (key := _claimed(closing)) is not None}

    def answer(self, command: Command) -> Answer:
        """Decide on one command."""
        if type(command) is Opening:
            return self._open(command)
        if type(command) is Closing:
            return self._close(command)
        if type(command) is Sweep:
            for closing in self._lost:
                self._close(closing)
            return len(self._lost)
        return None

    def write(self) -> None:
        """Write everything decided."""
        if self._fresh:
            self._rows.insert_holds(list(self._fresh.values()))
        if self._entries:
            self._rows.insert_entries(self._entries)
            self._rows.add_counts(self._counts)
        if self._counters.changes:
            self._rows.add_to_windows(self._counters.changes)

    def _count_requests(
        self, openings: Sequence[Opening], closings: Iterable[Closing], limits: Iterable[tuple[Limit, ...]]
    ) -> Rates:
        windows = {window for each in limits for window in rate_keys(each)}
        if not windows or not openings:
            return Rates({}, (), self._now)
        came = min(opening.row.started_at for opening in openings)  # waiting here does not shorten a minute
        counted = self._rows.recent(windows, came - SECONDS)
        rows = {_request(closing.row): closing.row for closing in closings}
        closing = [row for request, row in rows.items() if request in self._held]
        return Rates(counted, closing, came)

    def _open(self, command: Opening) -> Admission | Exception | None:
        row, limits = command.row, command.limits
        if command.revision != self._revision:
            return StalePrincipal("The principal was read before the last change of identities.")
        request = _request(row)
        if request in self._fresh:
            return ValueError(f"Request {row.request_id} is held already.")
        if not limits:
            if (taken := self._with(command)) is not None:
                return taken
            self._fresh[request] = row
            return None
        return self._open_within(command, request)

    def _open_within(self, command: Opening, request: RequestKey) -> Admission | Exception:
        row, limits = command.row, command.limits
        admission = decide(
            limits,
            self._counters,
            self._rates,
            prompt_tokens=row.prompt_tokens,
            completion_tokens=row.completion_tokens,
            least=command.least,
            now=self._now,
        )
        if not isinstance(admission, Admission):
            return admission
        if (taken := self._with(command)) is not None:
            return taken
        if admission.messages != row.messages:
            row = row._replace(messages=admission.messages, completion_tokens=admission.completion_tokens)
        self._counters.hold(limits, row.messages)
        self._rates.add(row)
        self._fresh[request] = row
        return replace(admission, rate=self._rates.rate(limits))

    def _with(self, command: Opening) -> KeyClaimed | None:
        """What goes with the hold: the claim of an idempotency key, a response for the background."""
        task = command.claim if isinstance(command.claim, Task) else None
        claim = command.claim if isinstance(command.claim, Claim) else task and task.claim
        if claim is not None and not self._take(claim):
            return KeyClaimed(claim.idempotency_key)
        if task is not None and task.row is not None:
            self._rows.queue(task.row)
            if claim is not None:
                self._rows.store_answer(claim, task.answer)
        return None

    def _take(self, claim: Claim) -> bool:
        if claim.key in self._claims or not self._rows.take_claim(claim):
            return False
        self._claims.add(claim.key)
        return True

    def _close(self, command: Closing) -> Receipt | AlreadySettled:
        request = _request(command.row)
        if request in self._settled:
            return self._settled[request]
        fresh = self._fresh.pop(request, None)
        held = self._held.get(request) if fresh is None else fresh.messages
        if held is None:
            return self._settled_before(request, command)
        if command.keep is not None:
            self._rows.keep(command.keep)
        usage, messages, flags = _charge(command, held)
        self._counters.settle(command.limits, held, messages)
        self._record(command, usage, messages, held, flags)
        if isinstance(command.claim, Claim) and not isinstance(command.answer, Ending):
            self._rows.store_answer(command.claim, command.answer)
        if isinstance(command.claim, Task) and isinstance(command.answer, Ending):
            self._rows.end(command.claim, command.answer)
        room = self._counters.room(command.limits)
        receipt = self._settled[request] = Receipt(request[1], messages, usage, flags, room)
        return receipt

    def _settled_before(self, request: RequestKey, command: Closing) -> Receipt | AlreadySettled:
        """By this node, if its answer was lost, or by another after the lease had run out."""
        entry = self._rows.entry(request)
        if entry is None:
            return AlreadySettled(f"No hold of request {request[1]} is open.")
        if command.keep is not None:
            self._rows.keep(command.keep)
        flags = frozenset(entry.flags.split())
        return Receipt(request[1], entry.messages, entry.usage, flags, self._counters.room(command.limits))

    def _record(
        self, command: Closing, usage: Usage, messages: int, held: int, flags: frozenset[str]
    ) -> None:
        row = command.row
        day = utc_day(row.started_at)
        self._entries.append(
            EntryRow(
                row.workspace_id,
                row.request_id,
                row.user_id,
                row.key_id,
                row.model,
                row.provider,
                row.upstream_model,
                row.endpoint,
                usage.prompt_tokens,
                usage.completion_tokens,
                usage.cached_tokens,
                usage.reasoning_tokens,
                messages,
                held,
                windows_left(command.limits, self._counters.left),
                " ".join(sorted(flags)) if flags else "",
                command.upstream_request_id,
                day,
                row.started_at,
                self._now,
                row.plan,
                row.tier,
            )
        )
        count = (row.workspace_id, day, row.user_id, row.model)
        before = self._counts.get(count, _NO_COUNT)
        self._counts[count] = Count(
            before[0] + messages, before[1] + usage.prompt_tokens, before[2] + usage.completion_tokens
        )


def _charge(command: Closing, held: int) -> tuple[Usage, int, frozenset[str]]:
    """Nothing usable costs nothing; more than was held is charged all the same, and said."""
    if command.usage is None:
        return NOTHING, 0, command.flags | {"failed"}
    messages = counted_messages(command.usage)
    flags = command.flags | {"overrun"} if messages > held else command.flags
    return command.usage, messages, flags


def _claimed(closing: Closing) -> ClaimKey | None:
    """The idempotency key that a settlement answers; a task's was answered when it was queued."""
    return closing.claim.key if isinstance(closing.claim, Claim) else None


def _request(row: HoldRow) -> RequestKey:
    return row[:2]


def _requests(closings: Iterable[Closing]) -> list[RequestKey]:
    """In order, so that nodes which settle the same holds lock them the same way round."""
    return sorted({_request(closing.row) for closing in closings})


def _read_windows(rows: Rows, limits: Iterable[tuple[Limit, ...]]) -> dict[WindowKey, tuple[int, int]]:
    """The counters of messages and the rows that are locked to count requests."""
    wanted = {window for each in limits for window in (*keys(each), *rate_keys(each))}
    return dict(rows.windows(wanted)) if wanted else {}
