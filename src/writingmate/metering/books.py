"""Deciding and writing one batch of holds and settlements in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from writingmate.errors import AlreadySettled, StalePrincipal
from writingmate.metering.commands import (
    Closing,
    Command,
    EntryRow,
    HoldRow,
    Opening,
    RequestKey,
    Sweep,
    utc_day,
)
from writingmate.metering.counting import counted_messages
from writingmate.metering.rows import Count, CountKey, Rows
from writingmate.metering.sweep import interrupted
from writingmate.metering.windows import Counters, WindowKey, key, limit_reached
from writingmate.types import Receipt, Usage

# A hold answers None, a settlement its receipt, a sweep how many it settled; an exception is an answer too.
Answer: TypeAlias = Receipt | int | Exception | None

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
        self._gone = rows.delete_holds(_keys(closings)) if closings else ()
        self._counters = Counters(_read_windows(rows, [*openings, *closings]))
        self._revision = rows.revision() if openings else 0
        self._entries: list[EntryRow] = []
        self._counts: dict[CountKey, Count] = {}

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

    def _open(self, command: Opening) -> Exception | None:
        row = command.row
        if command.revision != self._revision:
            return StalePrincipal("The principal was read before the last change of identities.")
        refusing = self._counters.refusal(command.limits, row.messages)
        if refusing is not None:
            return limit_reached(
                refusing, self._counters.state(key(refusing.window)), row.messages, self._now
            )
        request = row.workspace_id, row.request_id
        if request in self._fresh:
            return ValueError(f"Request {row.request_id} is held already.")
        self._counters.hold(command.windows, row.messages)
        self._fresh[request] = row
        return None

    def _close(self, command: Closing) -> Receipt | AlreadySettled:
        request = command.row.workspace_id, command.row.request_id
        if request in self._settled:
            return self._settled[request]
        if self._fresh.pop(request, None) is None and request in self._gone:
            return self._settled_before(request, command)
        usage, messages, flags = _charge(command)
        self._counters.settle(command.windows, command.row.messages, messages)
        self._record(command, usage, messages, flags)
        room = self._counters.room(command.limits)
        receipt = self._settled[request] = Receipt(request[1], messages, usage, flags, room)
        return receipt

    def _settled_before(self, request: RequestKey, command: Closing) -> Receipt | AlreadySettled:
        """By this node, if its answer was lost, or by another after the lease had run out."""
        entry = self._rows.entry(request)
        if entry is None:
            return AlreadySettled(f"No hold of request {request[1]} is open.")
        flags = frozenset(entry.flags.split())
        return Receipt(request[1], entry.messages, entry.usage, flags, self._counters.room(command.limits))

    def _record(self, command: Closing, usage: Usage, messages: int, flags: frozenset[str]) -> None:
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
                row.messages,
                row.windows,
                " ".join(sorted(flags)) if flags else "",
                command.upstream_request_id,
                day,
                row.started_at,
                self._now,
            )
        )
        count = (row.workspace_id, day, row.user_id, row.model)
        before = self._counts.get(count, _NO_COUNT)
        self._counts[count] = Count(
            before[0] + messages, before[1] + usage.prompt_tokens, before[2] + usage.completion_tokens
        )


def _charge(command: Closing) -> tuple[Usage, int, frozenset[str]]:
    """Nothing usable costs nothing; more than was held is charged all the same, and said."""
    if command.usage is None:
        return NOTHING, 0, command.flags | {"failed"}
    messages = counted_messages(command.usage)
    flags = command.flags | {"overrun"} if messages > command.row.messages else command.flags
    return command.usage, messages, flags


def _keys(closings: Iterable[Closing]) -> list[RequestKey]:
    """In order, so that nodes which settle the same holds lock them the same way round."""
    return sorted({(closing.row.workspace_id, closing.row.request_id) for closing in closings})


def _read_windows(rows: Rows, commands: Iterable[Opening | Closing]) -> dict[WindowKey, tuple[int, int]]:
    wanted = {window for command in commands for window in command.windows}
    return dict(rows.windows(wanted)) if wanted else {}
