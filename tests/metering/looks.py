"""A look at the books while others write them: is any limit overshot in this snapshot?"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import msgspec
from sqlalchemy import Connection, Row, select

from writingmate.metering.windows import WindowKey
from writingmate.storage.tables import entries, holds, windows

MINUTE = 60.0
Books: TypeAlias = tuple[Sequence[Row[Any]], Sequence[Row[Any]], Sequence[Row[Any]]]


def overshot(connection: Connection, requests_per_minute: int | None) -> list[str]:
    """What is wrong in one snapshot, by limits that the rows themselves name and that never changed.

    ``requests_per_minute`` is each workspace's, as one.
    """
    books = tuple(connection.execute(select(table)).all() for table in (holds, entries, windows))
    open_, ended, counters = books
    return [*_messages(open_, ended, counters), *_requests([*open_, *ended], requests_per_minute)]


def _messages(
    open_: Sequence[Row[Any]], ended: Sequence[Row[Any]], counters: Sequence[Row[Any]]
) -> Iterator[str]:
    """Used and held are within the limit, but for what providers overran and the entries say so."""
    allowed: dict[WindowKey, int] = {}
    overrun: Counter[WindowKey] = Counter()
    for row in (*open_, *ended):
        for subject, meter, period, most, *_ in msgspec.json.decode(row.windows):
            allowed[row.workspace_id, subject, meter, period] = most
    for row in ended:
        if "overrun" in row.flags:
            for subject, meter, period, *_ in msgspec.json.decode(row.windows):
                overrun[row.workspace_id, subject, meter, period] += row.messages - row.held_messages
    for row in counters:
        key = (row.workspace_id, row.subject, row.meter, row.period)
        if row.used + row.held > allowed.get(key, 0) + overrun[key]:
            yield f"{row} of {allowed.get(key, 0)}, and {overrun[key]} overrun"


def _requests(rows: Sequence[Row[Any]], allowed: int | None) -> Iterator[str]:
    """However a minute is laid, no more than allowed came in it."""
    came: defaultdict[str, list[float]] = defaultdict(list)
    for row in rows:
        came[row.workspace_id].append(row.started_at)
    for workspace, moments in came.items():
        moments.sort()
        if allowed is not None and any(
            last - first < MINUTE for first, last in zip(moments, moments[allowed:], strict=False)
        ):
            yield f"more than {allowed} requests of {workspace} came in a minute"
