"""Changes at the same moment, by real connections of their own."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from sqlalchemy import Connection, text

from tests.databases import empty
from tests.workspaces.people import ADA, BOB, NOW, Team
from tests.workspaces.people import team as made
from writingmate.errors import ApiError, Conflict
from writingmate.storage.engine import Database
from writingmate.workspaces import invitation_store, member_store, store

Change = Callable[[Connection], object]

SECONDS = 20.0
_WAITING = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def together(database: Database, *changes: Change) -> list[BaseException | None]:
    """Each change in a transaction of its own thread; all begin when the last is ready."""
    ready = threading.Barrier(len(changes))

    def run(change: Change) -> object:
        ready.wait(SECONDS)
        with database.transaction() as connection:
            return change(connection)

    with ThreadPoolExecutor(len(changes)) as threads:
        running = [threads.submit(run, change) for change in changes]
        return [future.exception(SECONDS) for future in running]


def waits(database: Database) -> None:
    """Until some transaction waits for another's lock."""
    deadline, pause = time.monotonic() + SECONDS, threading.Event()
    while True:
        with database.reading() as connection:
            if connection.execute(_WAITING).scalar_one():
                return
        assert time.monotonic() < deadline, "nobody waits"
        pause.wait(0.005)


WAYS: dict[str, Callable[[Team, str, str], Change]] = {
    "leave": lambda team, user_id, _: (
        lambda connection: member_store.leave(connection, team.id, user_id, now=NOW)
    ),
    "demote themselves": lambda team, user_id, _: (
        lambda connection: member_store.set_role(connection, team.id, user_id, "MEMBER", by=user_id, now=NOW)
    ),
    "remove each other": lambda team, user_id, other: (
        lambda connection: member_store.remove(connection, team.id, other, by=user_id, now=NOW)
    ),
    "demote each other": lambda team, user_id, other: (
        lambda connection: member_store.set_role(connection, team.id, other, "MEMBER", by=user_id, now=NOW)
    ),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=list(WAYS))
def test_of_two_owners_who_act_at_once_one_stays_an_owner(
    team: Team, way: Callable[[Team, str, str], Change]
) -> None:
    team.join(team.bob, "OWNER")
    ada, bob = team.ada.user_id, team.bob.user_id
    results = together(team.database, way(team, ada, bob), way(team, bob, ada))
    assert sum(result is None for result in results) == 1
    assert all(result is None or isinstance(result, ApiError) for result in results), results
    assert list(team.roles().values()).count("OWNER ACTIVE") == 1


def test_the_second_owner_to_leave_waits_for_the_first_and_finds_itself_the_last(postgres_url: str) -> None:
    empty(postgres_url)
    with closing(Database.open(postgres_url)) as database:
        team = made(database)
        team.join(team.bob, "OWNER")

        def second() -> None:
            with database.transaction() as connection:
                member_store.leave(connection, team.id, team.bob.user_id, now=NOW)

        with ThreadPoolExecutor(1) as threads:
            with database.transaction() as connection:
                member_store.leave(connection, team.id, team.ada.user_id, now=NOW)
                leaving = threads.submit(second)
                waits(database)
            refused = leaving.exception(SECONDS)
        assert isinstance(refused, Conflict)
        assert refused.code == "last_owner"
        assert team.roles() == {BOB: "OWNER ACTIVE"}


def test_a_link_that_is_used_twice_at_once_is_used_once(team: Team) -> None:
    with team.database.transaction() as connection:
        _, secret = invitation_store.invite(connection, team.id, BOB, "MEMBER", by=None, now=NOW)

    def accept(connection: Connection) -> object:
        return invitation_store.accept(connection, secret, team.bob.user_id, now=NOW)

    results = together(team.database, accept, accept)
    assert sorted(type(result).__name__ for result in results) == ["Gone", "NoneType"]
    assert team.roles() == {ADA: "OWNER ACTIVE", BOB: "MEMBER ACTIVE"}


def test_nobody_works_where_they_have_just_been_removed(team: Team) -> None:
    team.join(team.bob)
    bob = team.bob.user_id

    def choose(connection: Connection) -> None:
        store.set_current(connection, bob, team.id)

    def remove(connection: Connection) -> None:
        member_store.remove(connection, team.id, bob, by=team.ada.user_id, now=NOW)

    together(team.database, choose, remove)
    assert team.current(team.bob) == team.bob.home_workspace_id
