"""The judge of the soak notices each kind of mistake; a few kills show that it has something to judge."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, update

from tests.fakes.openai_script import RecordedCall
from tests.metering.examples import estimate, limit, principal
from tests.soak.clients import Heard, Order, read
from tests.soak.lane import lane
from tests.soak.verdict import Tally, judge, judge_limits
from writingmate.metering.ledger import Ledger
from writingmate.storage.engine import Database
from writingmate.storage.tables import daily_message_count, entries, holds, windows
from writingmate.types import Usage

SECONDS = 300
ORDER = Order("tag", "well", stream=False, leave_after=None)
REPORTED = {"prompt_tokens": 20_000, "completion_tokens": 7}


def call(request_id: str, usage: dict[str, int] | None = None) -> RecordedCall:
    """A request that the provider answered well."""
    headers, body = {"x-client-request-id": request_id}, json.dumps(request_id).encode()
    return RecordedCall(
        *("POST", "/v1/chat/completions", headers, body, "req"),
        status=200,
        usage=REPORTED if usage is None else usage,
        finished=True,
    )


def heard(request_id: str) -> Heard:
    """A whole answer to it."""
    return Heard(ORDER, 200, request_id, whole=True, code="")


@pytest.fixture
async def books(database: Database) -> Database:
    """Two requests, of which one was answered and the other's process died."""
    ledger = Ledger(database)
    await ledger.start()
    async with ledger.hold("r1", principal(), estimate(2, limit(10))) as hold:
        hold.observe(Usage(20_000, 7))
    await ledger.hold("r2", principal(), estimate(1, limit(10))).open()
    await ledger.close()
    with database.transaction() as connection:
        connection.execute(update(holds).values(node_id="gone"))
    ledger = Ledger(database)
    await ledger.start()
    await ledger.close()
    return database


def verdict(books: Database, calls: list[RecordedCall], answers: list[Heard]) -> Tally:
    tally = Tally()
    with books.reading() as connection:
        judge_limits(tally, connection, 60)
        judge(tally, connection, calls, answers)
    return tally


def test_all_is_well(books: Database) -> None:
    tally = verdict(books, [call("r1"), call("r2")], [heard("r1")])
    assert tally.clean, tally.notes
    assert (tally.called, tally.answered, tally.interrupted) == (2, 1, 1)


def test_a_call_without_an_entry_is_lost(books: Database) -> None:
    assert verdict(books, [call("r1"), call("r3")], []).lost == 1


def test_an_answer_without_an_entry_is_lost(books: Database) -> None:
    assert verdict(books, [call("r1")], [heard("r3")]).lost == 1


def test_a_request_that_is_called_twice_is_doubled(books: Database) -> None:
    assert verdict(books, [call("r1"), call("r1")], []).doubled == 2  # by its id, and by its body


def test_an_entry_that_differs_from_the_report_is_wrong(books: Database) -> None:
    assert verdict(books, [call("r1", {**REPORTED, "completion_tokens": 8})], []).wrong == 1


def test_a_whole_answer_that_is_settled_as_interrupted_is_wrong(books: Database) -> None:
    assert verdict(books, [call("r2")], [heard("r2")]).wrong == 1


def test_an_entry_that_the_provider_never_saw_is_invented(books: Database) -> None:
    assert verdict(books, [call("r2")], []).invented == 1


def test_a_hold_that_stays_is_left_open(books: Database) -> None:
    with books.transaction() as connection:
        row = connection.execute(entries.select()).mappings().first()
        assert row is not None
        columns = {name: row[name] for name in holds.c.keys() if name in row}  # noqa: SIM118  # a collection
        connection.execute(insert(holds).values({**columns, "request_id": "r3", "node_id": "gone"}))
    assert verdict(books, [call("r1")], []).left_open == 1


def test_a_balance_that_is_off_is_a_difference(books: Database) -> None:
    with books.transaction() as connection:
        connection.execute(delete(daily_message_count))
    assert verdict(books, [call("r1")], []).differences == 3


def test_a_window_that_is_over_its_limit_is_overshot(books: Database) -> None:
    with books.transaction() as connection:
        connection.execute(update(windows).values(used=11))
    assert verdict(books, [call("r1")], []).overshot == 1


def test_a_minute_that_is_too_full_is_overshot(books: Database) -> None:
    tally = Tally()
    with books.reading() as connection:
        judge_limits(tally, connection, 1)
    assert tally.overshot == 1


def test_tallies_add_up() -> None:
    tally = Tally(kills=2)
    other = Tally(kills=3)
    other.note("lost", "one")
    tally.add(other)
    assert (tally.kills, tally.lost, tally.notes, tally.clean) == (5, 1, ["lost: one"], False)


HEAD = b"HTTP/1.1 200 OK\r\nX-Request-Id: req_1\r\n"


@pytest.mark.parametrize(
    ("received", "status", "whole"),
    [
        (b"", 0, False),
        (HEAD, 0, False),
        (HEAD + b"Content-Length: 2\r\n\r\n{", 200, False),
        (HEAD + b"Content-Length: 2\r\n\r\n{}", 200, True),
        (b'HTTP/1.1 429 No\r\nContent-Length: 11\r\n\r\n{"code":"x"}', 429, False),
    ],
)
def test_what_a_client_makes_of_a_whole_answer(received: bytes, status: int, *, whole: bool) -> None:
    found = read(ORDER, received)
    assert (found.status, found.whole) == (status, whole)


@pytest.mark.parametrize("end", [b"", b"0\r\n\r\n", b"data: [DONE]\n\n", b"data: [DONE]\n\n0\r\n\r\n"])
def test_a_stream_is_whole_at_its_end(end: bytes) -> None:
    order = Order("tag", "well", stream=True, leave_after=None)
    found = read(order, HEAD + b"transfer-encoding: chunked\r\n\r\n" + end)
    assert found.whole == (end == b"data: [DONE]\n\n0\r\n\r\n")
    assert found.request_id == "req_1"


async def test_a_few_kills(database_url: str, tmp_path: Path) -> None:
    """`make soak` does a thousand of them."""
    url = database_url if database_url.startswith("postgresql") else ""
    gateways = 2 if url else 1
    folder = tmp_path / "lane"
    url = url or f"sqlite:///{folder}/writingmate.db"
    async with lane("few", folder, url, gateways, random.Random(3)) as running:
        tally = await running.run(4, time.monotonic() + SECONDS)
    assert tally.clean, tally.notes
    assert tally.kills == 4
    assert tally.called
