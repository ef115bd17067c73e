from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.cli.commands import Commands
from writingmate.identity.directory import Directory
from writingmate.metering.ledger import Ledger
from writingmate.storage.engine import Database
from writingmate.storage.tables import daily_message_count
from writingmate.types import Estimate, Usage


@pytest.fixture
async def busy(commands: Commands) -> Commands:
    """Two requests of two keys, on two models, today."""
    first, second = (commands.json("keys", "create", "--name", name)["key"] for name in ("one", "two"))
    database = Database.open(commands.environ["WRITINGMATE_DATABASE_URL"])
    ledger = Ledger(database)
    await ledger.start()
    for key, model, tokens in ((first, "a/one", 10), (second, "b/two", 20_000)):
        principal = await Directory(database).principal(key)
        estimate = Estimate(model, "fake", model, "chat.completions", 30_000, 100)
        async with ledger.hold(f"req_{tokens}", principal, estimate) as hold:
            hold.observe(Usage(prompt_tokens=tokens, completion_tokens=5))
            await hold.settle()
    await ledger.close()
    database.close()
    return commands


async def test_usage_is_added_up_by_day_model_user_and_key(busy: Commands) -> None:
    today = datetime.now(UTC).date().isoformat()
    (user,) = busy.json("users", "list")
    total = {"messages": 3, "input_tokens": 20_010, "output_tokens": 10}
    assert busy.json("usage") == [{"name": today, **total}]
    assert busy.json("usage", "--by", "user") == [{"name": user["user_id"], **total}]
    assert [(row["name"], row["messages"]) for row in busy.json("usage", "--by", "model")] == [
        ("b/two", 2),
        ("a/one", 1),
    ]
    ids = {key["name"]: key["key_id"] for key in busy.json("keys", "list")}
    assert [row["name"] for row in busy.json("usage", "--by", "key")] == [ids["two"], ids["one"]]
    assert f"{ids['two']} (two)" in busy.run("usage", "--by", "key")
    assert "owner@localhost" in busy.run("usage", "--by", "user")
    assert busy.json("usage", "--workspace", "ws_none") == []


async def test_usage_covers_the_days_asked_for(busy: Commands) -> None:
    database = Database.open(busy.environ["WRITINGMATE_DATABASE_URL"])
    with database.transaction() as connection:
        connection.execute(daily_message_count.update().values(day="2001-01-01"))
    database.close()
    assert busy.json("usage") == []
    assert "Nothing was used since" in busy.result("usage", "--days", "1").output
    assert busy.json("usage", "--days", "36500") == [
        {"name": "2001-01-01", "messages": 3, "input_tokens": 20_010, "output_tokens": 10}
    ]


async def test_clean_books_are_said_to_be_clean(busy: Commands) -> None:
    report = busy.json("audit")
    assert (report["clean"], report["entries"], report["differences"], report["shown"]) == (True, 2, 0, [])
    assert "no difference" in busy.run("audit")


async def test_a_difference_is_named_and_makes_the_status_1(busy: Commands) -> None:
    database = Database.open(busy.environ["WRITINGMATE_DATABASE_URL"])
    with database.transaction() as connection:
        cooked = daily_message_count.update().where(daily_message_count.c.model == "a/one")
        connection.execute(cooked.values(count=9))
    database.close()
    report = busy.json("audit", status=1)
    assert (report["clean"], report["differences"]) == (False, 1)
    assert report["shown"][0] | {"row": None} == {
        "table": "daily_message_count",
        "row": None,
        "column": "count",
        "found": "9",
        "expected": "1",
    }
    done = busy.process("audit")
    assert done.returncode == 1
    assert "count is 9, must be 1" in done.stderr
