"""Where limits stand, read beside the ledger: to show them, and to say what it would decide now."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Select, Table, func, select, union_all

from writingmate.errors import LimitReached, RateLimited
from writingmate.metering.counting import messages_of
from writingmate.metering.decision import decide
from writingmate.metering.rates import NONE, SECONDS, Rates, Recent, rate_keys
from writingmate.metering.windows import Counters, WindowKey, key, keys
from writingmate.storage.tables import daily_message_count, entries, holds, windows
from writingmate.types import Admission, Estimate, Limit, Principal


@dataclass(frozen=True, slots=True)
class Standing:
    """One limit and what of it is used and held; of requests a minute, those of the last minute are used."""

    limit: Limit
    used: int
    held: int

    @property
    def remaining(self) -> int:
        """What is left, never below 0."""
        return max(0, self.limit.allowed - self.used - self.held)


@dataclass(frozen=True, slots=True)
class Used:
    """Messages and tokens of one user in one workspace on one day."""

    messages: int
    input_tokens: int
    output_tokens: int


def used_on(connection: Connection, principal: Principal, day: str) -> Used:
    """What ``principal`` has used of all models on the UTC ``day``, by all keys: from the aggregate."""
    table = daily_message_count.c
    sums = [
        func.coalesce(func.sum(column), 0)
        for column in (table.count, table.input_tokens, table.output_tokens)
    ]
    row = connection.execute(
        select(*sums).where(
            table.workspace_id == principal.workspace_id, table.day == day, table.user_id == principal.user_id
        )
    ).one()
    return Used(*map(int, row))


def standings(connection: Connection, limits: Sequence[Limit], now: float) -> list[Standing]:
    """Where each of ``limits`` stands at ``now`` (UNIX seconds): a look-up by key for each."""
    counters, counted = _read(connection, limits, now)
    return [_standing(limit, counters, counted) for limit in limits]


def overview(
    connection: Connection, principal: Principal, limits: Sequence[Limit], *, day: str, now: float
) -> tuple[list[Standing], Used]:
    """Where each of ``limits`` stands, and what ``principal`` has used on ``day``, in one snapshot."""
    return standings(connection, limits, now), used_on(connection, principal, day)


def foreseen(
    connection: Connection, estimate: Estimate, now: float
) -> Admission | LimitReached | RateLimited:
    """What the ledger would answer now if this were held; nothing is."""
    counters, counted = _read(connection, estimate.limits, now)
    least = estimate.least_tokens
    return decide(
        estimate.limits,
        counters,
        Rates(counted, (), now),
        prompt_tokens=estimate.prompt_tokens,
        completion_tokens=estimate.completion_tokens,
        least=0 if least is None else messages_of(estimate.prompt_tokens + least),
        now=now,
    )


def _standing(limit: Limit, counters: Counters, counted: dict[WindowKey, Recent]) -> Standing:
    if limit.unit == "requests":
        return Standing(limit, counted.get(key(limit.window), NONE).requests, 0)
    return Standing(limit, *counters.state(key(limit.window)))


def _read(
    connection: Connection, limits: Sequence[Limit], now: float
) -> tuple[Counters, dict[WindowKey, Recent]]:
    counters = Counters(_windows(connection, keys(limits)))
    return counters, {each: _recent(connection, each, now - SECONDS) for each in rate_keys(limits)}


def _windows(connection: Connection, wanted: Collection[WindowKey]) -> dict[WindowKey, tuple[int, int]]:
    table, found = windows.c, {}
    for workspace_id, subject, meter, period in wanted:
        row = connection.execute(
            select(table.used, table.held).where(
                table.workspace_id == workspace_id,
                table.subject == subject,
                table.meter == meter,
                table.period == period,
            )
        ).first()
        if row is not None:
            found[workspace_id, subject, meter, period] = (row.used, row.held)
    return found


def _recent(connection: Connection, window: WindowKey, since: float) -> Recent:
    requests = union_all(*(_started(table, window, since) for table in (entries, holds))).subquery()
    row = connection.execute(select(func.count(), func.min(requests.c.started_at))).one()
    return Recent(row[0], row[1]) if row[0] else NONE


def _started(table: Table, window: WindowKey, since: float) -> Select[tuple[float]]:
    """When the requests of the window's subject came; the first word of the subject says whose."""
    query = select(table.c.started_at).where(table.c.workspace_id == window[0], table.c.started_at > since)
    kind, _, subject = window[1].partition(":")
    column = {"user": "user_id", "key": "key_id"}.get(kind)
    return query if column is None else query.where(table.c[column] == subject)
