"""What must hold at every instant: the books, read in one snapshot, against the model beside them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select

from tests.metering.books_draws import Asked
from tests.metering.books_model import Entered, Model
from writingmate.metering.audit import audit
from writingmate.metering.windows import WindowKey
from writingmate.storage.engine import Database
from writingmate.storage.tables import answers, daily_message_count, entries, holds, windows


@dataclass
class Checks:
    """Compares after every step; what the windows held after the last one is remembered."""

    database: Database
    model: Model
    before: Counter[WindowKey] = field(default_factory=Counter)

    def run(self) -> None:
        """Raise AssertionError where the books are not what they must be."""
        with self.database.reading() as connection:
            self._no_limit_is_overshot(connection)
            self._no_minute_holds_more()
            self._windows_are_the_sums(connection)
            self._every_request_is_there_once(connection)
            self._the_aggregate_is_the_sum(connection)
            self._every_claim_stands(connection)
            report = audit(connection)
        assert report.clean, "\n".join(map(str, report.shown))
        self.model.admitted.clear()
        self.model.overruns.clear()

    def _no_limit_is_overshot(self, connection: Connection) -> None:
        """What was admitted since the last look fitted; only what providers overran came on top of it."""
        allowed: dict[WindowKey, int] = {}
        for asked in self.model.admitted:
            for window, most in asked.windows.items():
                allowed[window] = max(most, allowed.get(window, 0))
        taken = Counter({_window(row): row.used + row.held for row in connection.execute(select(windows))})
        for window, now in taken.items():
            most = max(self.before[window], allowed.get(window, 0)) + self.model.overruns[window]
            assert now <= most, f"{window} is over its limit: {now} of {most}"
        self.before = taken

    def _no_minute_holds_more(self) -> None:
        for asked in self.model.admitted:
            for window, allowed in asked.rates.items():
                recent = self.model.recent(asked, window)
                assert recent <= allowed, f"{window} had {recent} requests in a minute, {allowed} are allowed"

    def _windows_are_the_sums(self, connection: Connection) -> None:
        rows = {_window(row): (row.used, row.held) for row in connection.execute(select(windows))}
        for window in rows.keys() | self.model.used.keys() | self.model.held.keys():
            expected = (self.model.used[window], self.model.held[window])
            assert rows.get(window, (0, 0)) == expected, f"{window} is not what was used and held"

    def _every_request_is_there_once(self, connection: Connection) -> None:
        model = self.model
        open_ = {row.request_id: row for row in connection.execute(select(holds))}
        under_way = {name for name, each in model.requests.items() if each.open}
        assert open_.keys() == under_way, f"held is {open_.keys()}, under way are {under_way}"
        for name, row in open_.items():
            request = model.requests[name]
            bound = (request.asked.estimate.prompt_tokens, model.answer_room(request.asked, request.messages))
            assert (row.prompt_tokens, row.completion_tokens, row.messages) == (*bound, request.messages)
            assert row.node_id == request.node_id
        entered = {row.request_id: row for row in connection.execute(select(entries))}
        assert entered.keys() == model.entries.keys(), "the provider's log and the ledger differ"
        for name, expected in model.entries.items():
            assert _written(entered[name]) == _expected(expected), "the provider's log and the ledger differ"

    def _the_aggregate_is_the_sum(self, connection: Connection) -> None:
        sums: Counter[tuple[str, ...]] = Counter()
        for entry in self.model.entries.values():
            who = entry.asked.principal
            key = (who.workspace_id, entry.asked.day, who.user_id, entry.asked.estimate.model)
            sums[*key, "messages"] += entry.messages
            sums[*key, "input"] += entry.usage.prompt_tokens
            sums[*key, "output"] += entry.usage.completion_tokens
        found: Counter[tuple[str, ...]] = Counter()
        for row in connection.execute(select(daily_message_count)):
            key = (row.workspace_id, row.day, row.user_id, row.model)
            found[*key, "messages"], found[*key, "input"], found[*key, "output"] = row[4:]
        assert found == sums, "the provider's log and the ledger differ"

    def _every_claim_stands(self, connection: Connection) -> None:
        rows = {(row[0], row[1], row[2]): row for row in connection.execute(select(answers))}
        for key, claimed in self.model.claims.items():
            if claimed.request.open or claimed.answer is not None:
                row = rows.pop(key, None)
                assert row is not None, f"{key} is claimed and not in the books"
                assert (row.request_id, row.answer) == (claimed.request.asked.name, claimed.answer)
        assert all(row.answer is None for row in rows.values()), "an answer that nobody gave"


def _expected(entry: Entered) -> tuple[object, ...]:
    asked, usage = entry.asked, entry.usage
    counted = [[*window[1:], allowed] for window, allowed in asked.windows.items()]
    return (
        *_facts(asked),
        (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens),
        (entry.messages, entry.held, entry.flags),
        (asked.day, asked.started_at),
        counted,
    )


def _written(row: Row[Any]) -> tuple[object, ...]:
    counted = [window[:4] for window in msgspec.json.decode(row.windows)]
    return (
        *(row.workspace_id, row.user_id, row.key_id, row.plan, row.tier),
        (row.prompt_tokens, row.completion_tokens, row.cached_tokens),
        (row.messages, row.held_messages, frozenset(row.flags.split())),
        (row.day, row.started_at),
        counted,
    )


def _facts(asked: Asked) -> tuple[str, ...]:
    who = asked.principal
    return (who.workspace_id, who.user_id, who.key_id, who.plan, asked.estimate.tier)


def _window(row: Row[Any]) -> WindowKey:
    return (row.workspace_id, row.subject, row.meter, row.period)
