from __future__ import annotations

import pytest

from writingmate.errors import InvalidRequest, NotFound
from writingmate.storage import revisions
from writingmate.storage.engine import Database
from writingmate.storage.tables import memberships, users
from writingmate.workspaces import store

NOW = 1_800_000_000.0


def add_user(database: Database, user_id: str) -> str:
    with database.transaction() as connection:
        connection.execute(
            users.insert().values(
                user_id=user_id,
                email=f"{user_id}@example.org",
                home_workspace_id="ws_home",
                current_workspace_id="ws_home",
                created_at=NOW,
            )
        )
    return user_id


def revision(database: Database) -> int:
    with database.reading() as connection:
        return revisions.read(connection, store.REVISION)


def test_whoever_makes_a_workspace_owns_it(database: Database) -> None:
    ada = add_user(database, "user_ada")
    with database.transaction() as connection:
        made = store.create(connection, " Team ", owner_id=ada, plan="premium", now=NOW)
        assert store.get(connection, made.workspace_id) == made
    assert (made.name, made.plan, made.owner_id, made.members) == ("Team", "premium", ada, 1)


def test_members_count_when_active_and_lists_are_per_member(database: Database) -> None:
    ada, bob = add_user(database, "user_ada"), add_user(database, "user_bob")
    with database.transaction() as connection:
        first = store.create(connection, "First", owner_id=ada, plan="free", now=NOW)
        second = store.create(connection, "Second", owner_id=bob, plan="free", now=NOW + 1)
        rows = [(first.workspace_id, bob, "ACTIVE"), (second.workspace_id, ada, "INVITED")]
        for workspace_id, user_id, status in rows:
            connection.execute(
                memberships.insert().values(
                    workspace_id=workspace_id, user_id=user_id, role="MEMBER", status=status, created_at=NOW
                )
            )
        everything = store.list_all(connection)
        adas = store.list_all(connection, member_id=ada)
        bobs = store.list_all(connection, member_id=bob)
    assert [(item.name, item.members, item.owner_id) for item in everything] == [
        ("First", 2, ada),
        ("Second", 1, bob),
    ]
    assert [item.name for item in adas] == ["First"]
    assert [item.name for item in bobs] == ["First", "Second"]


def test_name_plan_and_current_workspace_can_be_changed(database: Database) -> None:
    ada = add_user(database, "user_ada")
    with database.transaction() as connection:
        made = store.create(connection, "Team", owner_id=ada, plan="free", now=NOW)
    before = revision(database)
    with database.transaction() as connection:
        store.rename(connection, made.workspace_id, "Crew", by=None)
        store.set_plan(connection, made.workspace_id, "appsumo-tier-4", by=None)
    between = revision(database)
    with database.transaction() as connection:
        store.set_current(connection, ada, made.workspace_id)
        changed = store.get(connection, made.workspace_id)
        current = connection.execute(users.select()).mappings().one()["current_workspace_id"]
    assert (changed.name, changed.plan, current) == ("Crew", "appsumo-tier-4", made.workspace_id)
    assert before < between < revision(database)


@pytest.mark.parametrize("status", ["INVITED", None])
def test_nobody_acts_where_they_are_no_active_member(database: Database, status: str | None) -> None:
    ada, bob = add_user(database, "user_ada"), add_user(database, "user_bob")
    with database.transaction() as connection:
        made = store.create(connection, "Team", owner_id=ada, plan="free", now=NOW)
        if status:
            connection.execute(
                memberships.insert().values(
                    workspace_id=made.workspace_id, user_id=bob, role="MEMBER", status=status, created_at=NOW
                )
            )
    with pytest.raises(NotFound), database.transaction() as connection:
        store.set_current(connection, bob, made.workspace_id)


def test_what_does_not_exist_is_not_found(database: Database) -> None:
    with database.transaction() as connection:
        for change in (
            lambda: store.get(connection, "ws_none"),
            lambda: store.rename(connection, "ws_none", "Name", by=None),
            lambda: store.set_plan(connection, "ws_none", "free", by=None),
            lambda: store.set_current(connection, "user_none", "ws_none"),
            lambda: store.create(connection, "Team", owner_id="user_none", plan="free", now=NOW),
        ):
            with pytest.raises(NotFound):
                change()


@pytest.mark.parametrize("plan", ["", "Free", "a b", "-x", "x" * 65, "free\n"])
def test_a_plan_has_a_plain_name(database: Database, plan: str) -> None:
    ada = add_user(database, "user_ada")
    with pytest.raises(InvalidRequest), database.transaction() as connection:
        store.create(connection, "Team", owner_id=ada, plan=plan, now=NOW)


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\x00b", "a\nb"])
def test_a_workspace_has_a_printable_name(database: Database, name: str) -> None:
    ada = add_user(database, "user_ada")
    with pytest.raises(InvalidRequest), database.transaction() as connection:
        store.create(connection, name, owner_id=ada, plan="free", now=NOW)
