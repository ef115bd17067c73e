"""A year of requests, written as fast as the database takes them; the books are clean afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from random import Random
from typing import Any

from sqlalchemy import insert, text

from writingmate.metering.commands import EntryRow, utc_day
from writingmate.metering.counting import counted_messages
from writingmate.storage.engine import Database
from writingmate.storage.tables import daily_message_count, windows
from writingmate.types import Usage

DAY = 86_400
DAYS = 365
WORKSPACES, USERS, KEYS, MODELS = 20, 5, 4, 12
BATCH = 20_000
ALLOWED = 10**9
_SEED = 20_261_124


def request_id(moment: float, number: int) -> str:
    """As the server makes them, with a number where it has random bits."""
    return f"req_{int(moment * 1e9) >> 20:011x}{number:013x}"


class Year:
    """The entries of a year that ended yesterday, in the order of time, and the balances that they make."""

    def __init__(self, rows: int, now: float) -> None:
        self._rows = rows
        self._began = (now // DAY - DAYS) * DAY
        self._random = Random(_SEED)  # noqa: S311  # a bench's data, not a secret
        self.counts: dict[tuple[str, str, str, str], list[int]] = {}
        self.used: Counter[tuple[str, str, str, str]] = Counter()

    def entries(self) -> Iterator[EntryRow]:
        """One after the other; the balances follow."""
        draw = self._random.random
        for number in range(self._rows):
            at = self._began + DAYS * DAY * number / self._rows
            usage = Usage(int(40_000 * draw() ** 4) + 1, int(8_000 * draw() ** 3) + 1, int(500 * draw()))
            yield self._entry(number, at, usage)

    def _entry(self, number: int, at: float, usage: Usage) -> EntryRow:
        draw = self._random.random
        workspace = int(WORKSPACES * draw() ** 2)
        user, key = int(USERS * draw()), int(KEYS * draw())
        workspace_id, user_id = f"ws_{workspace:02}", f"user_{workspace}_{user}"
        model, day = f"vendor/model-{int(MODELS * draw())}", utc_day(at)
        messages = counted_messages(usage)
        count = self.counts.setdefault((workspace_id, day, user_id, model), [0, 0, 0])
        count[0] += messages
        count[1] += usage.prompt_tokens
        count[2] += usage.completion_tokens
        daily = self._counted(workspace_id, f"user:{user_id}", "messages:pro", day, messages)
        pool = self._counted(workspace_id, "workspace", "messages:pool", day[:7], messages)
        return EntryRow(
            workspace_id, request_id(at, number), user_id, f"key_{workspace}_{user}_{key}", model, "bench",
            model, "chat.completions", usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, 0,
            messages, messages + 1, f"[{daily},{pool}]", "", f"chatcmpl-{number:012x}", day, at, at + 2.5,
            "bench", "pro",
        )  # fmt: skip

    def _counted(self, workspace_id: str, subject: str, meter: str, period: str, messages: int) -> str:
        key = (workspace_id, subject, meter, period)
        self.used[key] += messages
        return f'["{subject}","{meter}","{period}",{ALLOWED},{ALLOWED - self.used[key]}]'


def fill(database: Database, rows: int, now: float) -> str:
    """Write a year of ``rows`` requests into an empty database; the id of one in the middle."""
    year = Year(rows, now)
    found = year.entries()
    middle = ""
    session = database.session()
    while batch := list(islice(found, BATCH)):
        session.begin()
        _write(database, session.cursor, batch)
        session.commit()
        middle = middle or batch[len(batch) // 2].request_id
    session.close()
    with database.transaction() as connection:
        counts = [
            dict(zip(daily_message_count.c.keys(), (*key, *sums), strict=True))
            for key, sums in year.counts.items()
        ]
        connection.execute(insert(daily_message_count), counts)
        used = [dict(zip(windows.c.keys(), (*key, sum_, 0), strict=True)) for key, sum_ in year.used.items()]
        connection.execute(insert(windows), used)
    if database.dialect == "postgresql":  # as autovacuum would have in a year
        with database.writing.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
    return middle


def _write(database: Database, cursor: Any, batch: list[EntryRow]) -> None:  # noqa: ANN401  # either driver's
    names = ", ".join(EntryRow._fields)
    if database.dialect == "sqlite":
        marks = ", ".join("?" * len(EntryRow._fields))
        cursor.executemany(f"INSERT INTO entries ({names}) VALUES ({marks})", batch)  # noqa: S608  # our own names
        return
    with cursor.copy(f"COPY entries ({names}) FROM STDIN") as copy:
        for row in batch:
            copy.write_row(row)
