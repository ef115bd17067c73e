"""The queue of background responses in both databases: who gets a row, and who may write to it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from sqlalchemy import insert, select

from writingmate.memory.queue_store import Events, QueueStore, ResponseKey
from writingmate.storage import tables
from writingmate.storage.engine import Database

KEY = ResponseKey("ws_one", "resp_1")


def queue(database: Database, key: ResponseKey = KEY, **columns: Any) -> None:
    """A row that nobody runs."""
    now = time.time()
    row = {
        "workspace_id": key[0],
        "response_id": key[1],
        "user_id": "user_one",
        "key_id": "key_one",
        "request_id": "req_first",
        "previous_response_id": None,
        "status": "queued",
        "background": True,
        "created_at": now,
        "expires_at": now + 60,
        "items": b"items",
        "response": b"queued",
        "request": b"request",
        "node_id": None,
        "attempts": 1,
        "cancelled_at": None,
    }
    with database.transaction() as connection:
        connection.execute(insert(tables.responses).values(row | columns))


def node(database: Database, node_id: str, *, alive: bool) -> None:
    beat = time.time() if alive else 1.0
    values = {"node_id": node_id, "started_at": beat, "heartbeat_at": beat, "lease_seconds": 30.0}
    with database.transaction() as connection:
        connection.execute(insert(tables.nodes).values(values))


def row_of(database: Database) -> Any:
    with database.reading() as connection:
        return connection.execute(select(tables.responses)).one()


async def test_of_many_that_claim_a_row_one_gets_it(database: Database) -> None:
    queue(database)
    for name in ("node_0", "node_1"):
        node(database, name, alive=True)
    other = Database.open(database.url.render_as_string(hide_password=False))
    stores = [QueueStore(database), QueueStore(other)]
    claims = await asyncio.gather(
        *(stores[number % 2].claim(f"node_{number % 2}", f"req_{number}") for number in range(20)),
        return_exceptions=False,
    )
    other.close()
    (got,) = [claim for claim in claims if claim is not None]
    row = row_of(database)
    assert (got.request_id, got.attempts) == (row.request_id, 2)
    assert (got.key, got.key_id, got.request, got.response) == (KEY, "key_one", b"request", b"queued")


async def test_what_a_living_node_runs_is_nobody_elses(database: Database) -> None:
    node(database, "alive", alive=True)
    node(database, "dead", alive=False)
    store = QueueStore(database)
    for key, columns in (
        (ResponseKey("ws_one", "resp_alive"), {"node_id": "alive"}),
        (ResponseKey("ws_one", "resp_over"), {"status": "completed"}),
        (ResponseKey("ws_one", "resp_plain"), {"background": False}),
    ):
        queue(database, key, **columns)
    assert await store.claim("me", "req_none") is None
    queue(database, ResponseKey("ws_one", "resp_dead"), node_id="dead", status="in_progress", created_at=1.0)
    queue(database, ResponseKey("ws_one", "resp_unknown"), node_id="unknown", created_at=2.0)
    claims = [await store.claim("alive", f"req_{number}") for number in range(3)]
    names = [None if claim is None else claim.key.response_id for claim in claims]
    assert names == ["resp_dead", "resp_unknown", None]


async def test_an_attempt_that_was_taken_over_changes_nothing_any_more(database: Database) -> None:
    queue(database)
    store = QueueStore(database)
    assert await store.claim("one", "req_one") is not None
    assert await store.begin(KEY, "req_one", b"running")
    assert await store.add(KEY, "req_one", Events(0, b"first"))
    assert await store.claim("two", "req_two") is not None  # node one is unknown: it counts as dead
    assert not await store.add(KEY, "req_one", Events(1, b"late"))
    assert not await store.begin(KEY, "req_one", b"late")
    assert not await store.end(KEY, "req_one", "completed", b"late")
    assert not await store.give_back(KEY, "req_one", b"late")
    assert not await store.let_go(KEY, "req_one")
    assert (await store.running("two"), await store.running("one")) == ({(KEY, "req_two")}, set())
    assert await store.end(KEY, "req_two", "completed", b"done")
    row = row_of(database)
    assert (row.status, row.response, row.request, row.node_id) == ("completed", b"done", None, None)
    assert not await store.cancel(KEY, b"late")


async def test_cancelled_is_for_good(database: Database) -> None:
    queue(database)
    store = QueueStore(database)
    await store.claim("one", "req_one")
    assert await store.cancel(KEY, b"cancelled")
    assert not await store.cancel(KEY, b"again")
    assert not await store.begin(KEY, "req_one", b"late")
    assert not await store.add(KEY, "req_one", Events(0, b"late"))
    assert not await store.end(KEY, "req_one", "completed", b"late")
    assert await store.claim("two", "req_two") is None
    row = row_of(database)
    assert (row.status, row.response, row.request) == ("cancelled", b"cancelled", None)
    assert row.cancelled_at is not None


async def test_what_is_given_back_has_not_been_an_attempt(database: Database) -> None:
    queue(database)
    store = QueueStore(database)
    await store.claim("one", "req_one")
    await store.begin(KEY, "req_one", b"running")
    assert await store.give_back(KEY, "req_one", b"queued again")
    row = row_of(database)
    assert (row.status, row.response, row.node_id, row.attempts) == ("queued", b"queued again", None, 1)
    claim = await store.claim("two", "req_two")
    assert claim is not None
    assert claim.attempts == 2


async def test_pages_begin_with_the_row_that_holds_the_number(database: Database) -> None:
    queue(database)
    store = QueueStore(database)
    await store.claim("one", "req_one")
    assert await store.last(KEY) is None
    for first in (0, 2, 5):
        assert await store.add(KEY, "req_one", Events(first, b"%d" % first))
    assert await store.last(KEY) == Events(5, b"5")
    for number, firsts in (
        (-1, [0, 2, 5]),
        (0, [0, 2, 5]),
        (1, [0, 2, 5]),
        (2, [2, 5]),
        (4, [2, 5]),
        (9, [5]),
    ):
        page = await store.page(KEY, number)
        assert page is not None
        assert [events.first for events in page.events] == firsts
        assert (page.background, page.status, page.response) == (True, "queued", b"queued")
    assert await store.page(ResponseKey("ws_two", "resp_1"), 0) is None


@pytest.mark.parametrize("status", ["queued", "in_progress"])
async def test_only_what_still_waits_is_forgotten(database: Database, status: str) -> None:
    queue(database, status=status)
    store = QueueStore(database)
    assert await store.add(KEY, "req_first", Events(0, b"first"))
    await store.forget(KEY, "req_other")
    await store.forget(KEY, "req_first")
    assert (await store.page(KEY, 0) is None) == (status == "queued")
    assert (await store.last(KEY) is None) == (status == "queued")


async def test_what_has_expired_goes_with_its_events_unless_it_is_still_to_come(database: Database) -> None:
    store = QueueStore(database)
    for name, columns in (
        ("resp_old", {"expires_at": 1.0, "status": "completed"}),
        ("resp_open", {"expires_at": 1.0}),
        ("resp_new", {"status": "failed"}),
    ):
        key = ResponseKey("ws_one", name)
        queue(database, key, **columns)
        assert await store.add(key, "req_first", Events(0, b"first"))
    assert await store.delete_expired() == 1
    kept = [await store.last(ResponseKey("ws_one", name)) for name in ("resp_old", "resp_open", "resp_new")]
    assert [each is not None for each in kept] == [False, True, True]
    assert await store.page(ResponseKey("ws_one", "resp_old"), 0) is None
