"""What must be true of one row of the books by itself, without a look at any other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from writingmate.metering.applied import Applied
from writingmate.metering.commands import EntryRow, HoldRow, utc_day
from writingmate.metering.counting import counted_messages
from writingmate.types import Usage

_NOTHING: Final = Usage()
_LIMITS: Final = "limits as [subject, meter, period, allowed, left]"
_CLAMPING: Final = "the limit that it was clamped by"
_NOT_THE_PLAN: Final = "no limit of the plan, because the provider's key was the user's own"


class Fault(NamedTuple):
    """A column that is not what the rest of its row says it should be."""

    column: str
    found: object
    expected: object


def entry_faults(entry: EntryRow, limits: Sequence[Applied] | None) -> Iterator[Fault]:
    """The arithmetic of an entry, its flags and its ``limits`` (`applied`)."""
    flags = entry.flags.split() if entry.flags else ()
    usage = entry.usage
    failed = "failed" in flags
    expected = 0 if failed else counted_messages(usage)
    if entry.messages != expected:
        yield Fault("messages", entry.messages, expected)
    if failed and usage != _NOTHING:
        yield Fault("tokens", usage, _NOTHING)
    if ("overrun" in flags) != (entry.messages > entry.held_messages):
        yield Fault("overrun", "overrun" in flags, entry.messages > entry.held_messages)
    if entry.day != (day := utc_day(entry.started_at)):
        yield Fault("day", entry.day, day)
    if limits is None:
        yield Fault("windows", entry.windows, _LIMITS)
    elif limits or flags:
        yield from _limit_faults(entry, limits, flags)


def hold_faults(hold: HoldRow, limits: Sequence[Applied] | None) -> Iterator[Fault]:
    """The arithmetic of a hold, and its ``limits`` (`applied`)."""
    bound = counted_messages(Usage(hold.prompt_tokens, hold.completion_tokens))
    if hold.messages != bound:
        yield Fault("messages", hold.messages, bound)
    if limits is None:
        yield Fault("windows", hold.windows, _LIMITS)
        return
    for limit in limits:
        if limit.allowed is not None and hold.messages > limit.allowed:
            yield Fault(f"held against {limit.name}", hold.messages, f"at most {limit.allowed}")


def _limit_faults(entry: EntryRow, limits: Sequence[Applied], flags: Sequence[str]) -> Iterator[Fault]:
    """A request is admitted, clamped or not, only where all it holds fits under each limit."""
    if "clamped" in flags and not limits:
        yield Fault("windows", entry.windows, _CLAMPING)
    for limit in limits:
        if "byok" in flags and not limit.subject.startswith("key:"):
            yield Fault("windows", limit.name, _NOT_THE_PLAN)
        if limit.allowed is None or not entry.plan:  # held before limits were kept, perhaps settled since
            continue
        if entry.held_messages > limit.allowed:
            yield Fault(f"held against {limit.name}", entry.held_messages, f"at most {limit.allowed}")
        if limit.left is not None and limit.left > limit.allowed - entry.messages:
            yield Fault(f"left of {limit.name}", limit.left, f"at most {limit.allowed - entry.messages}")
