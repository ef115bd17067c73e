"""Conversations in both databases: how far back they are read, and what is not there any more."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import insert

from tests.memory.test_queue_store import KEY, queue, row_of
from writingmate.memory import conversation_store
from writingmate.memory.conversation_store import ConversationStore
from writingmate.memory.queue_store import ResponseKey
from writingmate.storage import tables
from writingmate.storage.engine import Database

MOST = 1 << 20


def key(name: str, workspace: str = "ws_one") -> ResponseKey:
    return ResponseKey(workspace, name)


def turn(database: Database, name: str, previous: str | None = None, **columns: Any) -> None:
    """One that is over."""
    columns = {"previous_response_id": previous, "status": "completed", "background": False, **columns}
    queue(database, key(name), **columns)


async def names(store: ConversationStore, name: str, most: int = MOST) -> list[str]:
    return [each.key.response_id for each in await store.chain(key(name), most)]


async def test_a_chain_is_read_back_to_its_beginning(database: Database) -> None:
    store = ConversationStore(database)
    turn(database, "a")
    for number in range(200):
        turn(database, f"a{number}", f"a{number - 1}" if number else "a")
    turn(database, "b", "a7")
    assert await names(store, "b") == ["b", *(f"a{number}" for number in range(7, -1, -1)), "a"]
    assert len(await names(store, "a199")) == 201
    assert await names(store, "none") == []
    assert await store.chain(key("b", "ws_other"), MOST) == []


async def test_it_ends_where_a_turn_is_missing_or_has_expired(database: Database) -> None:
    store = ConversationStore(database)
    turn(database, "a", expires_at=time.time() - 1)
    turn(database, "b", "a")
    turn(database, "c", "b")
    turn(database, "d", "none")
    assert await names(store, "c") == ["c", "b"]
    assert await names(store, "d") == ["d"]
    assert await names(store, "a") == []
    (oldest,) = await store.chain(key("d"), MOST)
    assert oldest.previous == "none"


async def test_of_another_workspace_nothing_is_read(database: Database) -> None:
    turn(database, "a")
    queue(database, key("b", "ws_other"), previous_response_id="a", status="completed")
    assert [each.key for each in await ConversationStore(database).chain(key("b", "ws_other"), MOST)] == [
        key("b", "ws_other")
    ]


async def test_it_is_read_no_further_than_it_is_large(database: Database, monkeypatch: Any) -> None:
    store = ConversationStore(database)
    for number in range(9):
        turn(database, f"a{number}", f"a{number - 1}" if number else None, items=b"x" * 100)
    assert len(await names(store, "a8", 250)) == 3
    monkeypatch.setattr(conversation_store, "MOST_TURNS", 4)
    assert len(await names(store, "a8")) == 5


async def test_who_answered_is_known_from_the_books(database: Database) -> None:
    turn(database, "a", request_id="req_a")
    turn(database, "b", "a", request_id="req_none")
    words = dict.fromkeys(
        ("user_id", "key_id", "model", "upstream_model", "endpoint", "windows", "flags", "day"), "x"
    )
    numbers = dict.fromkeys(
        (
            "prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens", "messages",
            "held_messages", "started_at", "settled_at",
        ), 1,
    )  # fmt: skip
    entry = {"workspace_id": "ws_one", "request_id": "req_a", "provider": "openai", **words, **numbers}
    with database.transaction() as connection:
        connection.execute(insert(tables.entries).values(entry))
    chain = await ConversationStore(database).chain(key("b"), MOST)
    assert [each.provider for each in chain] == [None, "openai"]


async def test_turns_are_found_by_their_ids_and_by_names_of_items(database: Database) -> None:
    store = ConversationStore(database)
    for name in ("a", "b", "c", "d"):
        turn(database, name, expires_at=time.time() + (60 if name != "d" else -1))
    queue(database, key("b", "ws_other"), status="completed")
    with database.transaction() as connection:
        for workspace, item, response in (
            ("ws_one", "msg_1", "b"), ("ws_one", "msg_2", "c"), ("ws_one", "msg_3", "d"),
            ("ws_other", "msg_4", "b"),
        ):  # fmt: skip
            row = {"workspace_id": workspace, "item_id": item, "response_id": response}
            connection.execute(insert(tables.response_items).values(row))
    found = await store.turns("ws_one", ["a", "none"], ["msg_1", "msg_3", "msg_4"])
    assert {each.key for each in found} == {key("a"), key("b")}
    assert await store.turns("ws_one", [], []) == []


async def test_deleting_takes_what_is_there(database: Database) -> None:
    store = ConversationStore(database)
    queue(database)
    assert not await store.delete(key("resp_1", "ws_other"))
    assert row_of(database).status == "queued"
    assert await store.delete(KEY)
    assert not await store.delete(KEY)
