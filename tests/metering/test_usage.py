from __future__ import annotations

import dataclasses

import pytest

from tests.metering.conftest import Clock
from tests.metering.examples import estimate, principal
from writingmate.metering.ledger import Ledger
from writingmate.metering.usage import Scope, UsageRow, usage
from writingmate.storage.engine import Database
from writingmate.types import Principal, Usage


@pytest.fixture
async def books(database: Database, ledger: Ledger, clock: Clock) -> Database:
    async def use(request_id: str, who: Principal, model: str, tokens: int) -> None:
        async with ledger.hold(request_id, who, dataclasses.replace(estimate(9), model=model)) as hold:
            hold.observe(Usage(tokens, 10))

    second = dataclasses.replace(principal(user="user_two"), key_id="key_two")
    await use("r1", principal(), "a", 100)
    await use("r2", second, "b", 20_000)
    clock.now += 86_400
    await use("r3", principal(), "b", 40_000)
    await use("r4", principal(workspace="ws_two"), "a", 100)
    return database


def test_by_each_grouping(books: Database) -> None:
    with books.reading() as connection:
        assert usage(connection, "day") == [
            UsageRow("2026-11-22", 3, 20_100, 20),
            UsageRow("2026-11-23", 4, 40_100, 20),
        ]
        assert usage(connection, "model") == [UsageRow("b", 5, 60_000, 20), UsageRow("a", 2, 200, 20)]
        assert usage(connection, "user") == [
            UsageRow("user_one", 5, 40_200, 30),
            UsageRow("user_two", 2, 20_000, 10),
        ]
        assert usage(connection, "key") == [
            UsageRow("key_one", 5, 40_200, 30),
            UsageRow("key_two", 2, 20_000, 10),
        ]


def test_a_scope_narrows_it(books: Database) -> None:
    with books.reading() as connection:
        assert usage(connection, "key", Scope("ws_one", since="2026-11-23")) == [
            UsageRow("key_one", 3, 40_000, 10)
        ]
        assert usage(connection, "day", Scope("ws_two", until="2026-11-22")) == []
        assert usage(connection, "model", Scope("ws_two")) == [UsageRow("a", 1, 100, 10)]
