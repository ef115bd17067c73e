from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from tests.cli.commands import Commands
from writingmate.errors import ConfigurationError
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


FIGURES = {"requests": 2, "messages": 3, "input_tokens": 20_010, "output_tokens": 10}
TOTAL = {**FIGURES, "cached_tokens": 0, "reasoning_tokens": 0}


def today() -> str:
    return datetime.now(UTC).date().isoformat()


def changed(commands: Commands, statement: str, **values: str) -> None:
    database = Database.open(commands.environ["WRITINGMATE_DATABASE_URL"])
    with database.transaction() as connection:
        connection.execute(text(statement), values)
    database.close()


async def test_usage_is_added_up_by_day_model_user_and_key(busy: Commands) -> None:
    (user,) = busy.json("users", "list")
    assert busy.json("usage") == [{"name": today(), "label": "", **TOTAL}]
    members = [{"name": user["user_id"], "label": "owner@localhost", **TOTAL}]
    assert busy.json("usage", "--by", "user") == busy.json("usage", "--by", "member") == members
    assert [(row["name"], row["messages"]) for row in busy.json("usage", "--by", "model")] == [
        ("b/two", 2),
        ("a/one", 1),
    ]
    ids = {key["name"]: key["key_id"] for key in busy.json("keys", "list")}
    assert [row["name"] for row in busy.json("usage", "--by", "key")] == [ids["two"], ids["one"]]
    assert f"{ids['two']} (two)" in busy.run("usage", "--by", "key")
    assert "owner@localhost" in busy.run("usage", "--by", "user")
    assert busy.json("usage", "--workspace", "ws_none") == []


async def test_usage_as_comma_separated_values(busy: Commands) -> None:
    changed(busy, """UPDATE developer_keys SET name = '=1+1, "two"' WHERE name = 'two'""")
    ids = {key["name"]: key["key_id"] for key in busy.json("keys", "list")}
    header = "requests,messages,input_tokens,output_tokens,cached_tokens,reasoning_tokens"
    assert busy.run("usage", "--by", "key", "--csv").splitlines() == [
        f"key,label,{header}",
        ids['=1+1, "two"'] + ',"\'=1+1, ""two""",1,2,20000,5,0,0',
        f"{ids['one']},one,1,1,10,5,0,0",
    ]
    assert busy.run("usage", "--csv", "--workspace", "ws_none").splitlines() == [f"day,label,{header}"]


async def test_usage_covers_the_days_asked_for(busy: Commands) -> None:
    changed(busy, "UPDATE entries SET day = '2001-01-01', started_at = 978350400.0")
    assert busy.json("usage") == []
    assert "Nothing was used from" in busy.result("usage", "--days", "1").output
    old = [{"name": "2001-01-01", "label": "", **TOTAL}]
    assert busy.json("usage", "--days", "36500") == old
    assert busy.json("usage", "--since", "2001-01-01") == old
    assert busy.json("usage", "--until", "2001-01-01", "--days", "1") == old
    assert busy.json("usage", "--since", "2001-01-02") == busy.json("usage", "--until", "2000-12-31") == []


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--since", "yesterday"), "--since yesterday: write a date such as 2026-01-31."),
        (("--until", "2026-13-01"), "--until 2026-13-01: write a date such as 2026-01-31."),
        (
            ("--since", "2026-01-02", "--until", "2026-01-01"),
            "--since 2026-01-02 is after --until 2026-01-01",
        ),
        (("--csv", "--json"), "Choose one of --csv and --json."),
        (("roll-up", "--before", "x"), "--before x: write a date such as 2026-01-31."),
        (("roll-up", "--before", "2999-01-01"), "--before 2999-01-01: entries of the last two days stay"),
        (("explain", "req_none"), "There is no request req_none. "),
        (("explain", "req_10", "--workspace", "ws_x"), "There is no request req_10 in workspace ws_x. "),
    ],
)
def test_what_cannot_be_asked_is_refused(busy: Commands, options: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        busy.run("usage", *options)
    assert str(refused.value).startswith(complaint)


async def test_a_count_is_explained(busy: Commands) -> None:
    shown = busy.run("usage", "explain", "req_20000")
    assert "total                      20,005  20,000 + 5\n" in shown
    assert "messages                        2  max(1, ceil(20,005 / 16,000))\n" in shown
    assert "served by         fake, b/two\n" in shown
    document = busy.json("usage", "explain", "req_20000")
    assert (document["total_tokens"], document["messages"], document["held_messages"]) == (20_005, 2, 2)
    assert document["limits"] == document["flags"] == []


async def test_flags_and_limits_are_explained_in_words(busy: Commands) -> None:
    day = "2026-11-22"
    limits = json.dumps([["workspace", "messages:pro", day], ["user:u", "messages", day, 1000, -3]])
    changed(
        busy,
        "UPDATE entries SET flags = 'broken estimated', tier = 'pro', windows = :limits",
        limits=limits,
    )
    shown = busy.run("usage", "explain", "req_10")
    assert "estimated: The provider did not report these tokens: they were counted here.\n" in shown
    assert "limit on messages:pro of workspace in 2026-11-22\n" in shown
    assert "limit on messages of user:u in 2026-11-22: 1,000 allowed, -3 left after it\n" in shown
    assert "model asked for   a/one, tier pro\n" in shown


async def test_what_failed_is_explained(busy: Commands) -> None:
    changed(
        busy,
        "UPDATE entries SET flags = 'failed', messages = 0, prompt_tokens = 0, completion_tokens = 0",
    )
    shown = busy.run("usage", "explain", "req_10")
    assert "messages                        0  nothing usable came of it\n" in shown
    assert "failed: Nothing usable came of it, so nothing is charged." in shown


async def test_a_request_under_way_is_said_to_be(busy: Commands) -> None:
    changed(
        busy,
        "INSERT INTO holds SELECT workspace_id, 'req_open', 'n', user_id, key_id, model, provider, "
        "upstream_model, endpoint, 1, 1, 1, '[]', started_at, '', '' FROM entries LIMIT 1",
    )
    with pytest.raises(ConfigurationError, match="req_open is still under way and holds 1 messages"):
        busy.run("usage", "explain", "req_open")


def test_old_entries_are_rolled_up(busy: Commands) -> None:
    changed(busy, "UPDATE entries SET day = '2001-01-01', started_at = 978350400.0")
    changed(busy, "UPDATE daily_message_count SET day = '2001-01-01'")
    busy.environ["WRITINGMATE_RETENTION_DAYS"] = "0"
    with pytest.raises(ConfigurationError, match="`retention_days` is 0"):
        busy.run("usage", "roll-up")
    busy.environ["WRITINGMATE_RETENTION_DAYS"] = "36500"
    assert busy.json("usage", "roll-up")["entries"] == 0
    assert busy.json("usage", "roll-up", "--before", "2001-01-02") == {
        "before": "2001-01-02",
        "entries": 2,
        "left": 0,
        "windows": 0,
    }
    assert "Rolled up 0 entries" in busy.run("usage", "roll-up", "--before", "2001-01-02")
    assert busy.json("usage", "--since", "2001-01-01") == [{"name": "2001-01-01", "label": "", **TOTAL}]
    report = busy.json("audit")
    assert (report["clean"], report["entries"], report["rolled_up"]) == (True, 0, 2)


async def test_wrong_entries_are_left_and_said_to_be(busy: Commands) -> None:
    changed(busy, "UPDATE entries SET started_at = 978350400.0")
    done = busy.process("usage", "roll-up", "--before", "2001-01-02")
    assert done.stdout.startswith("Rolled up 0 entries")
    assert "2 entries are wrong and were left; `writingmate audit` names them." in done.stderr


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
