"""The provider's own log against the ledger: nothing lost, nothing doubled, every figure exact."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from sqlalchemy import Connection, Row, func, select

from tests.fakes.openai_script import RecordedCall
from tests.metering.looks import overshot
from tests.soak.clients import Heard
from writingmate.metering.audit import audit
from writingmate.metering.counting import counted_messages
from writingmate.storage.tables import entries, holds
from writingmate.types import Usage

SHOWN = 20
WITHOUT_A_CALL = frozenset({"failed", "interrupted", "cancelled"})


@dataclass
class Tally:
    """What was done, and everything that went wrong: all from ``lost`` on must be 0."""

    kills: int = 0
    sent: int = 0
    called: int = 0
    answered: int = 0
    refused: int = 0
    interrupted: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: int = 0
    invented: int = 0
    overshot: int = 0
    left_open: int = 0
    differences: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Nothing went wrong."""
        return not self.notes

    def note(self, what: str, note: str, count: int = 1) -> None:
        """Count a mistake of the kind ``what``."""
        setattr(self, what, getattr(self, what) + count)
        self.notes.append(f"{what}: {note}")

    def add(self, other: Tally) -> None:
        """Add what another found."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    def lines(self) -> list[str]:
        """The summary."""
        figures = [f"{each.name:12} {getattr(self, each.name)}" for each in fields(self)[:-1]]
        return [*figures, *self.notes[:SHOWN]]


def judge(
    tally: Tally, connection: Connection, calls: Sequence[RecordedCall], heard: Iterable[Heard]
) -> None:
    """Compare one snapshot of the books, in which nothing is under way, with both other sides."""
    ledger = {row.request_id: row for row in connection.execute(select(entries))}
    log = Counter(_request_id(call) for call in calls)
    tally.called += log.total()
    tally.interrupted += sum("interrupted" in row.flags for row in ledger.values())
    for request_id in log.keys() - ledger.keys():
        tally.note("lost", f"{request_id} reached the provider and is not in the ledger")
    for request_id, times in log.items():
        if times > 1:
            tally.note("doubled", f"{request_id} reached the provider {times} times")
    for prompt, times in Counter(call.body for call in calls).items():
        if times > 1:
            tally.note("doubled", f"{prompt!r} reached the provider {times} times")
    for request_id in ledger.keys() - log.keys():
        if not WITHOUT_A_CALL & set(ledger[request_id].flags.split()):
            tally.note("invented", f"{request_id} is in the ledger and never reached the provider")
    by_id = {_request_id(call): call for call in calls}
    _judge_figures(tally, ledger, by_id)
    _judge_answers(tally, ledger, by_id, heard)
    _judge_books(tally, connection)


def judge_limits(tally: Tally, connection: Connection, requests_per_minute: int) -> None:
    """At any instant: no limit is overshot, except by what providers overran."""
    for found in overshot(connection, requests_per_minute):
        tally.note("overshot", found)


def _judge_figures(tally: Tally, ledger: Mapping[str, Row[Any]], calls: Mapping[str, RecordedCall]) -> None:
    """An entry without a mark is the provider's report to the token; a mark says why another is not."""
    for request_id in ledger.keys() & calls.keys():
        entry, call = ledger[request_id], calls[request_id]
        flags = set(entry.flags.split())
        if "interrupted" in flags:
            continue
        reported = _reported(call)
        if "failed" in flags:
            exact = entry.messages == 0 and not (call.finished and reported)
        elif "estimated" in flags:
            exact = entry.messages >= 1 and (reported is None or bool(flags & {"broken", "cancelled"}))
        else:
            exact = reported is not None and _charged(entry) == (counted_messages(reported), reported)
        if not exact:
            tally.note("wrong", f"{entry} where the provider reported {reported} (finished: {call.finished})")


def _judge_answers(
    tally: Tally,
    ledger: Mapping[str, Row[Any]],
    calls: Mapping[str, RecordedCall],
    heard: Iterable[Heard],
) -> None:
    """Whoever got a whole answer is charged what the provider reported, never less and never by the rule."""
    for each in heard:
        tally.sent += 1
        tally.refused += each.status == 429
        tally.answered += each.whole
        if not each.whole or each.order.model in {"cut", "no-usage"}:
            continue
        entry, call = ledger.get(each.request_id), calls.get(each.request_id)
        reported = None if call is None else _reported(call)
        if entry is None or reported is None:
            tally.note("lost", f"{each} was answered: {entry}, {reported}")
        elif _charged(entry) != (counted_messages(reported), reported) or "interrupted" in entry.flags:
            tally.note("wrong", f"{each} was answered: {entry}, {reported}")


def _judge_books(tally: Tally, connection: Connection) -> None:
    open_ = connection.scalar(select(func.count()).select_from(holds)) or 0
    if open_:
        tally.note("left_open", f"{open_} holds long after the last lease", open_)
    report = audit(connection)
    if not report.clean:
        tally.note("differences", "\n".join(map(str, report.shown)), report.differences)


def _charged(entry: Row[Any]) -> tuple[int, Usage]:
    usage = Usage(entry.prompt_tokens, entry.completion_tokens, entry.cached_tokens, entry.reasoning_tokens)
    return entry.messages, usage


def _reported(call: RecordedCall) -> Usage | None:
    if call.usage is None:
        return None
    prompt = call.usage.get("prompt_tokens_details") or {}
    completion = call.usage.get("completion_tokens_details") or {}
    return Usage(
        call.usage["prompt_tokens"],
        call.usage["completion_tokens"],
        prompt.get("cached_tokens", 0),
        completion.get("reasoning_tokens", 0),
    )


def _request_id(call: RecordedCall) -> str:
    return call.headers["x-client-request-id"]
