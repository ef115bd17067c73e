from __future__ import annotations

import pytest
from sqlalchemy import delete, insert, text, update

from tests.metering.examples import estimate, limit, principal
from writingmate.metering.audit import SHOWN, Report, audit
from writingmate.metering.ledger import Ledger
from writingmate.metering.retention import roll_up
from writingmate.storage.engine import Database
from writingmate.storage.tables import daily_message_count, entries, windows
from writingmate.types import Usage

LIMIT = limit(100)
COUNT = "daily_message_count ws_one/2026-11-22/user_one/openai/gpt-5-mini"
WINDOW = "windows ws_one/workspace/messages:pro/2026-11-22"


@pytest.fixture
async def books(database: Database, ledger: Ledger) -> Database:
    """Three settled requests (2, 12 and 0 messages) and one under way."""
    for request_id, usage in (("r1", Usage(20_000, 10)), ("r2", Usage(190_000, 0)), ("r3", None)):
        async with ledger.hold(request_id, principal(), estimate(3, LIMIT)) as hold:
            if usage is not None:
                hold.observe(usage)
    await ledger.hold("open", principal(), estimate(4, LIMIT)).__aenter__()
    return database


def report(database: Database) -> Report:
    with database.reading() as connection:
        return audit(connection)


async def test_true_books_are_clean(books: Database) -> None:
    found = report(books)
    assert found.clean
    assert found.first is None
    assert (found.entries, found.holds, found.counts, found.windows) == (3, 1, 1, 1)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            "UPDATE entries SET messages = 3 WHERE request_id = 'r1'",
            "entries ws_one/r1: messages is 3, must be 2",
        ),
        (
            "UPDATE entries SET completion_tokens = 20000 WHERE request_id = 'r1'",
            "entries ws_one/r1: messages is 2, must be 3",
        ),
        (
            "UPDATE entries SET messages = 1 WHERE request_id = 'r3'",
            "entries ws_one/r3: messages is 1, must be 0",
        ),
        (
            "UPDATE entries SET cached_tokens = 5 WHERE request_id = 'r3'",
            f"entries ws_one/r3: tokens is {Usage(cached_tokens=5)}, must be {Usage()}",
        ),
        (
            "UPDATE entries SET flags = '' WHERE request_id = 'r2'",
            "entries ws_one/r2: overrun is False, must be True",
        ),
        (
            "UPDATE entries SET started_at = 0 WHERE request_id = 'r1'",
            "entries ws_one/r1: day is 2026-11-22, must be 1970-01-01",
        ),
        ("DELETE FROM entries WHERE request_id = 'r2'", f"{COUNT}: count is 14, must be 2"),
        ("UPDATE daily_message_count SET count = 15", f"{COUNT}: count is 15, must be 14"),
        ("UPDATE daily_message_count SET input_tokens = 1", f"{COUNT}: input_tokens is 1, must be 210000"),
        ("UPDATE daily_message_count SET output_tokens = 1", f"{COUNT}: output_tokens is 1, must be 10"),
        ("DELETE FROM daily_message_count", f"{COUNT}: count is 0, must be 14"),
        ("UPDATE windows SET used = 13", f"{WINDOW}: used is 13, must be 14"),
        ("UPDATE windows SET held = 0", f"{WINDOW}: held is 0, must be 4"),
        ("DELETE FROM windows", f"{WINDOW}: used is 0, must be 14"),
        ("DELETE FROM holds", f"{WINDOW}: held is 4, must be 0"),
        ("UPDATE holds SET messages = 5", "holds ws_one/open: messages is 5, must be 4"),
        ("UPDATE holds SET request_id = 'r1'", "holds ws_one/r1: settled entry is r1, must be None"),
    ],
)
async def test_the_first_bad_row_is_named(books: Database, change: str, complaint: str) -> None:
    with books.transaction() as connection:
        connection.execute(text(change))
    found = report(books)
    assert not found.clean
    assert str(found.first) == complaint


async def test_no_more_differences_are_kept_than_can_be_read(books: Database) -> None:
    with books.transaction() as connection:
        connection.execute(delete(windows))
        rows = [
            {"workspace_id": "ws", "subject": "s", "meter": str(number), "period": "p", "used": 1, "held": 0}
            for number in range(2 * SHOWN)
        ]
        connection.execute(insert(windows), rows)
    found = report(books)
    assert found.differences == 2 * SHOWN + 2
    assert len(found.shown) == SHOWN


async def test_an_entry_copied_by_hand_is_found(books: Database) -> None:
    with books.transaction() as connection:
        connection.execute(update(entries).where(entries.c.request_id == "r1").values(user_id="user_two"))
        connection.execute(update(daily_message_count).values(count=12))
    assert not report(books).clean


LIMITS = "limits as [subject, meter, period, allowed, left]"
NOT_THE_PLAN = "no limit of the plan, because the provider's key was the user's own"
ROLLUP = "rollups ws_one/2026-11-22/user_one/key_one/openai/gpt-5-mini"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("UPDATE rollups SET messages = 15", f"{COUNT}: count is 14, must be 15"),
        ("UPDATE rollups SET prompt_tokens = 1", f"{COUNT}: input_tokens is 210000, must be 1"),
        ("UPDATE rollups SET completion_tokens = 1", f"{COUNT}: output_tokens is 10, must be 1"),
        ("UPDATE rollups SET requests = 0", f"{ROLLUP}: requests is 0, must be 1"),
        ("UPDATE rollups SET cached_tokens = -1", f"{ROLLUP}: cached_tokens is -1, must be at least 0"),
        ("DELETE FROM rollups", f"{COUNT}: count is 14, must be 0"),
        ("UPDATE rolled_windows SET used = 13", f"{WINDOW}: used is 14, must be 13"),
        ("UPDATE rolled_windows SET used = -1", f"rolled_{WINDOW}: used is -1, must be at least 0"),
        ("DELETE FROM rolled_windows", f"{WINDOW}: used is 14, must be 0"),
    ],
)
async def test_sums_of_entries_are_held_against_the_balances_too(
    books: Database, change: str, complaint: str
) -> None:
    await roll_up(books, "2026-11-23")
    found = report(books)
    assert found.clean
    assert (found.entries, found.rolled_up) == (0, 3)
    with books.transaction() as connection:
        connection.execute(text(change))
    assert str(report(books).first) == complaint


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            """UPDATE entries SET windows = '[["workspace"]]' WHERE request_id = 'r2'""",
            'entries ws_one/r2: windows is [["workspace"]], must be ' + LIMITS,
        ),
        (
            "UPDATE entries SET flags = 'byok' WHERE request_id = 'r1'",
            "entries ws_one/r1: windows is workspace/messages:pro/2026-11-22, must be " + NOT_THE_PLAN,
        ),
        (
            """UPDATE holds SET windows = '[["workspace","messages:pro","2026-11-22",3]]'""",
            "holds ws_one/open: held against workspace/messages:pro/2026-11-22 is 4, must be at most 3",
        ),
    ],
)
async def test_limits_that_cannot_be_are_named(books: Database, change: str, complaint: str) -> None:
    with books.transaction() as connection:
        connection.execute(text(change))
    assert str(report(books).first) == complaint
