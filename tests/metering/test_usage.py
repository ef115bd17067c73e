from __future__ import annotations

import dataclasses

import pytest
from sqlalchemy import insert

from tests.metering.conftest import Clock
from tests.metering.examples import estimate, principal
from writingmate.metering.ledger import Ledger
from writingmate.metering.retention import roll_up
from writingmate.metering.usage import Grouping, Scope, UsageRow, midnight, usage
from writingmate.storage.engine import Database
from writingmate.storage.tables import developer_keys, users
from writingmate.types import Principal, Usage

ALL: tuple[Grouping, ...] = ("day", "model", "user", "key")


@pytest.fixture
async def books(database: Database, ledger: Ledger, clock: Clock) -> Database:
    async def use(request_id: str, who: Principal, model: str, tokens: int) -> None:
        async with ledger.hold(request_id, who, dataclasses.replace(estimate(9), model=model)) as hold:
            hold.observe(Usage(tokens, 10, 4, 3))

    second = dataclasses.replace(principal(user="user_two"), key_id="key_two")
    await use("r1", principal(), "a", 100)
    await use("r2", second, "b", 20_000)
    clock.now += 86_400
    await use("r3", principal(), "b", 40_000)
    await use("r4", principal(workspace="ws_two"), "a", 100)
    return database


def read(database: Database, by: Grouping, scope: Scope | None = None) -> list[UsageRow]:
    with database.reading() as connection:
        return list(usage(connection, by, scope))


def test_by_each_grouping(books: Database) -> None:
    assert read(books, "day") == [
        UsageRow("2026-11-22", "", 2, 3, 20_100, 20, 8, 6),
        UsageRow("2026-11-23", "", 2, 4, 40_100, 20, 8, 6),
    ]
    assert read(books, "model") == [
        UsageRow("b", "", 2, 5, 60_000, 20, 8, 6),
        UsageRow("a", "", 2, 2, 200, 20, 8, 6),
    ]
    assert read(books, "user") == [
        UsageRow("user_one", "", 3, 5, 40_200, 30, 12, 9),
        UsageRow("user_two", "", 1, 2, 20_000, 10, 4, 3),
    ]
    assert read(books, "key") == [
        UsageRow("key_one", "", 3, 5, 40_200, 30, 12, 9),
        UsageRow("key_two", "", 1, 2, 20_000, 10, 4, 3),
    ]


def test_a_scope_narrows_it(books: Database) -> None:
    assert read(books, "key", Scope("ws_one", since="2026-11-23")) == [
        UsageRow("key_one", "", 1, 3, 40_000, 10, 4, 3)
    ]
    assert read(books, "key", Scope(since="2026-11-23", until="2026-11-23"))[0].requests == 2
    assert read(books, "key", Scope(until="2026-11-22"))[0].name == "key_two"
    assert read(books, "day", Scope("ws_two", until="2026-11-22")) == []
    assert read(books, "model", Scope("ws_two")) == [UsageRow("a", "", 1, 1, 100, 10, 4, 3)]


@pytest.mark.parametrize(
    "scope",
    [Scope(), Scope("ws_one"), Scope(since="2026-11-22", until="2026-11-22"), Scope(since="2026-11-23")],
)
async def test_it_is_the_same_when_some_or_all_entries_are_sums(books: Database, scope: Scope) -> None:
    before = [read(books, by, scope) for by in ALL]
    for day in ("2026-11-23", "2026-11-24"):
        await roll_up(books, day)
        assert [read(books, by, scope) for by in ALL] == before


def test_users_and_keys_have_the_names_that_people_gave_them(books: Database) -> None:
    with books.transaction() as connection:
        user = {
            "user_id": "user_one",
            "email": "a@b.c",
            "home_workspace_id": "w",
            "current_workspace_id": "w",
        }
        connection.execute(insert(users), [{**user, "created_at": 0.0}])
        key = {"key_id": "key_two", "user_id": "user_one", "name": "Second", "prefix": "p", "created_at": 0.0}
        connection.execute(insert(developer_keys), [{**key, "secret_hash": b"h"}])
    assert [(row.name, row.label) for row in read(books, "user")] == [("user_one", "a@b.c"), ("user_two", "")]
    assert [(row.name, row.label) for row in read(books, "key")] == [("key_one", ""), ("key_two", "Second")]


def test_midnight_is_the_first_second_of_a_utc_day() -> None:
    assert midnight("1970-01-02") == 86_400
    assert midnight("2026-11-23") == 1_795_392_000
    with pytest.raises(ValueError, match="Invalid isoformat"):
        midnight("tomorrow")
