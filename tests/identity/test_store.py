from __future__ import annotations

import pytest
from sqlalchemy import select, update

from writingmate.errors import ConfigurationError, InvalidRequest, NotFound
from writingmate.identity import keys, store
from writingmate.identity.records import KeyOptions, User
from writingmate.storage import revisions
from writingmate.storage.engine import Database
from writingmate.storage.tables import developer_keys, memberships, signing_keys, workspaces

NOW = 1_800_000_000.0


def settled(database: Database) -> User:
    with database.transaction() as connection:
        store.ensure_signing_key(connection, now=NOW)
        return store.create_user(connection, "Ada@Example.org", plan="self-hosted", now=NOW)


def revision(database: Database) -> int:
    with database.reading() as connection:
        return revisions.read(connection, store.REVISION)


def test_a_user_comes_with_a_home_workspace_they_own(database: Database) -> None:
    user = settled(database)
    with database.reading() as connection:
        home = connection.execute(select(workspaces)).mappings().one()
        member = connection.execute(select(memberships)).mappings().one()
        assert store.list_users(connection) == [user]
        assert (
            store.find_user(connection, "ADA@example.org ")
            == store.find_user(connection, user.user_id)
            == user
        )
        assert store.find_user(connection, "nobody@example.org") is None
    assert user.email == "ada@example.org"
    assert user.home_workspace_id == user.current_workspace_id == home["workspace_id"]
    assert (home["plan"], home["name"]) == ("self-hosted", "ada's workspace")
    assert (member["role"], member["status"], member["user_id"]) == ("OWNER", "ACTIVE", user.user_id)


@pytest.mark.parametrize(
    "email", ["", "ada", "@", "a b@c", "a@b@c", "a@\n", "x" * 65 + "@example.org", "ADA@example.org"]
)
def test_what_is_no_address_or_is_taken_is_refused_and_changes_nothing(
    database: Database, email: str
) -> None:
    settled(database)
    before = revision(database)
    with pytest.raises(InvalidRequest) as caught, database.transaction() as connection:
        store.create_user(connection, email, plan="free", now=NOW)
    assert caught.value.param == "email"
    assert revision(database) == before


def test_a_key_is_stored_with_its_options_and_only_a_hash(database: Database) -> None:
    user = settled(database)
    options = KeyOptions(" CI ", user.home_workspace_id, NOW + 60, ("b/two", "a/one", "b/two"), 25)
    with database.transaction() as connection:
        minted = store.create_key(connection, user, options, now=NOW)
    with database.reading() as connection:
        row = connection.execute(select(developer_keys)).mappings().one()
        (listed,) = store.list_keys(connection)
        assert store.list_keys(connection, user_id="user_other") == []
    assert row["secret_hash"] == minted.secret_hash
    secret = minted.key.split(".")[2]
    assert not any(secret in str(value) for value in row.values())
    assert (listed.name, listed.workspace_id, listed.prefix) == ("CI", user.home_workspace_id, minted.prefix)
    assert (listed.allowed_models, listed.daily_cap) == (("a/one", "b/two"), 25)
    assert (listed.created_at, listed.expires_at, listed.last_used_at) == (NOW, NOW + 60, None)
    assert [listed.status(NOW), listed.status(NOW + 60)] == ["active", "expired"]


@pytest.mark.parametrize(
    ("options", "param"),
    [
        (KeyOptions("  "), "name"),
        (KeyOptions("x" * 201), "name"),
        (KeyOptions(daily_cap=0), "daily_cap"),
        (KeyOptions(expires_at=NOW), "expires_at"),
    ],
)
def test_options_out_of_range_are_refused_by_name(
    database: Database, options: KeyOptions, param: str
) -> None:
    user = settled(database)
    with pytest.raises(InvalidRequest) as caught, database.transaction() as connection:
        store.create_key(connection, user, options, now=NOW)
    assert caught.value.param == param


def test_a_key_is_pinned_only_where_its_user_is_an_active_member(database: Database) -> None:
    user = settled(database)
    with database.transaction() as connection:
        other = store.create_user(connection, "bob@example.org", plan="free", now=NOW)
        connection.execute(
            memberships.insert().values(
                workspace_id=other.home_workspace_id,
                user_id=user.user_id,
                role="MEMBER",
                status="INVITED",
                created_at=NOW,
            )
        )
    for workspace_id in (other.home_workspace_id, "ws_none"):
        with pytest.raises(NotFound), database.transaction() as connection:
            store.create_key(connection, user, KeyOptions(workspace_id=workspace_id), now=NOW)


def test_no_key_can_be_made_before_there_is_a_signing_key(database: Database) -> None:
    with database.transaction() as connection:
        user = store.create_user(connection, "ada@example.org", plan="free", now=NOW)
    with pytest.raises(ConfigurationError, match="writingmate init"), database.transaction() as connection:
        store.create_key(connection, user, KeyOptions(), now=NOW)


def test_a_key_is_revoked_once(database: Database) -> None:
    user = settled(database)
    with database.transaction() as connection:
        minted = store.create_key(connection, user, KeyOptions(), now=NOW)
        assert store.revoke_key(connection, minted.key_id, now=NOW + 1)
        assert not store.revoke_key(connection, minted.key_id, now=NOW + 2)
        (listed,) = store.list_keys(connection)
        with pytest.raises(NotFound):
            store.revoke_key(connection, "unknown", now=NOW)
    assert (listed.revoked_at, listed.status(NOW)) == (NOW + 1, "revoked")


def test_every_change_moves_the_revision_on_and_last_use_does_not(database: Database) -> None:
    user = settled(database)
    seen = [revision(database)]
    with database.transaction() as connection:
        key = store.create_key(connection, user, KeyOptions(), now=NOW)
    seen.append(revision(database))
    with database.transaction() as connection:
        store.revoke_key(connection, key.key_id, now=NOW)
    seen.append(revision(database))
    with database.transaction() as connection:
        store.rotate_signing_key(connection, now=NOW)
    seen.append(revision(database))
    with database.transaction() as connection:
        store.retire_signing_keys(connection, now=NOW + 61)
    seen.append(revision(database))
    with database.transaction() as connection:
        store.create_user(connection, "bob@example.org", plan="free", now=NOW)
    seen.append(revision(database))
    assert seen == sorted(set(seen))
    with database.transaction() as connection:
        store.touch(connection, {key.key_id: NOW})
    assert revision(database) == seen[-1]


def test_last_use_is_written_for_many_keys_and_never_goes_back(database: Database) -> None:
    user = settled(database)
    with database.transaction() as connection:
        ids = [store.create_key(connection, user, KeyOptions(), now=NOW).key_id for _ in range(3)]
        store.touch(connection, {ids[0]: NOW + 5, ids[1]: NOW + 6, "unknown": NOW})
        store.touch(connection, {ids[0]: NOW + 4, ids[1]: NOW + 7} | {f"gone-{n}": NOW for n in range(2500)})
        used = {key.key_id: key.last_used_at for key in store.list_keys(connection)}
    assert used == {ids[0]: NOW + 5, ids[1]: NOW + 7, ids[2]: None}


def test_facts_name_the_workspace_the_key_acts_in(database: Database) -> None:
    user = settled(database)
    with database.transaction() as connection:
        loose = store.create_key(connection, user, KeyOptions(), now=NOW)
        pinned = store.create_key(connection, user, KeyOptions(workspace_id=user.home_workspace_id), now=NOW)
        other = store.create_user(connection, "bob@example.org", plan="premium", now=NOW)
        connection.execute(
            memberships.insert().values(
                workspace_id=other.home_workspace_id,
                user_id=user.user_id,
                role="MEMBER",
                status="ACTIVE",
                created_at=NOW,
            )
        )
    with database.reading() as connection:
        default = store.facts(connection, loose.key_id, None)
        asked = store.facts(connection, loose.key_id, other.home_workspace_id)
        foreign = store.facts(connection, loose.key_id, "ws_none")
        held = store.facts(connection, pinned.key_id, None)
        assert store.facts(connection, "unknown", None) is None
    assert default is not None
    assert asked is not None
    assert foreign is not None
    assert held is not None
    assert (default.workspace_id, default.plan) == (user.home_workspace_id, "self-hosted")
    assert (asked.workspace_id, asked.plan) == (other.home_workspace_id, "premium")
    assert (foreign.workspace_id, foreign.plan) == ("ws_none", None)
    assert (held.workspace_id, held.key.workspace_id) == (user.home_workspace_id, user.home_workspace_id)
    assert default.secret_hash == loose.secret_hash
    assert default.revision == revision(database)


def test_someone_who_is_only_invited_has_no_plan_there(database: Database) -> None:
    user = settled(database)
    with database.transaction() as connection:
        key = store.create_key(connection, user, KeyOptions(), now=NOW)
        connection.execute(update(memberships).values(status="INVITED"))
        facts = store.facts(connection, key.key_id, None)
    assert facts is not None
    assert facts.plan is None


def test_a_new_signing_key_verifies_at_once_and_signs_a_minute_later(database: Database) -> None:
    user = settled(database)
    with database.transaction() as connection:
        fresh = store.rotate_signing_key(connection, now=NOW + 10)
        before = store.create_key(connection, user, KeyOptions(), now=NOW + 69)
        after = store.create_key(connection, user, KeyOptions(), now=NOW + 70)
        known = store.load_signing_keys(connection)
    assert known[0].signing_key_id == fresh.signing_key_id
    assert keys.verify(after.key, [fresh])
    assert not keys.verify(before.key, [fresh])
    assert keys.verify(before.key, known)


def test_retiring_ends_what_older_signing_keys_signed_and_says_how_much(database: Database) -> None:
    user = settled(database)
    with database.transaction() as connection:
        assert store.signed_by_superseded(connection, now=NOW) == 0
        old = store.create_key(connection, user, KeyOptions(), now=NOW)
        store.rotate_signing_key(connection, now=NOW)
        assert store.signed_by_superseded(connection, now=NOW + 59) == 0
        assert store.retire_signing_keys(connection, now=NOW + 59) == 0
        new = store.create_key(connection, user, KeyOptions(), now=NOW + 60)
        assert store.signed_by_superseded(connection, now=NOW + 60) == 1
        assert store.retire_signing_keys(connection, now=NOW + 60) == 1
        assert store.signed_by_superseded(connection, now=NOW + 61) == 0
        known = store.load_signing_keys(connection)
    assert not keys.verify(old.key, known)
    assert keys.verify(new.key, known)


def test_the_first_signing_key_is_made_once(database: Database) -> None:
    with database.transaction() as connection:
        store.ensure_signing_key(connection, now=NOW)
        store.ensure_signing_key(connection, now=NOW)
        assert len(connection.execute(select(signing_keys)).all()) == 1
