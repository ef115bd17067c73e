from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import Connection, select, update

from writingmate.catalog import models
from writingmate.errors import Sealed
from writingmate.identity import store as identity
from writingmate.providers import for_own_keys
from writingmate.settings import Settings
from writingmate.storage import revisions
from writingmate.storage.engine import Database
from writingmate.storage.tables import credentials
from writingmate.vault import store
from writingmate.vault.box import Box
from writingmate.vault.keys import Keyring
from writingmate.vault.store import Credential

T = TypeVar("T")
KEY = "sk-or-v1-planted-0123456789abcdef"
NOW = 1_800_000_000.0


def change(database: Database, do: Callable[[Connection], T]) -> T:
    with database.transaction() as connection:
        return do(connection)


def stored(database: Database, box: Box, user: str = "user_1", key: str = KEY) -> Credential:
    return change(database, lambda c: store.put(c, box, user, key, now=NOW))


def revision(database: Database) -> int:
    with database.reading() as connection:
        return revisions.read(connection, store.REVISION)


def test_a_key_is_stored_sealed_and_opens_for_its_user(database: Database, box: Box) -> None:
    shown = stored(database, box)
    with database.reading() as connection:
        row = connection.execute(select(credentials)).mappings().one()
        assert store.get(connection, box, "user_1") == KEY
        assert store.get(connection, box, "user_2") is None
        assert store.find(connection, "user_1") == shown
        assert store.find(connection, "user_2") is None
    assert shown == Credential("user_1", "openrouter", "cdef", NOW, NOW)
    assert KEY[:-4] not in str(dict(row))
    assert KEY.encode()[:-4] not in row["sealed"]


def test_another_key_takes_the_first_ones_place(database: Database, box: Box) -> None:
    stored(database, box)
    stored(database, box, key="sk-or-v1-second-0123456789")
    with database.reading() as connection:
        assert store.get(connection, box, "user_1") == "sk-or-v1-second-0123456789"
        assert [each.hint for each in store.list_credentials(connection)] == ["6789"]


def test_a_key_is_removed_once(database: Database, box: Box) -> None:
    stored(database, box)
    assert change(database, lambda c: store.remove(c, "user_1"))
    assert not change(database, lambda c: store.remove(c, "user_1"))
    with database.reading() as connection:
        assert store.get(connection, box, "user_1") is None


def test_setting_and_removing_move_the_revision_and_checking_does_not(database: Database, box: Box) -> None:
    before = revision(database)
    stored(database, box)
    assert revision(database) == before + 1
    change(database, lambda c: store.checked(c, "user_1", now=NOW + 5))
    assert revision(database) == before + 1
    change(database, lambda c: store.remove(c, "user_1"))
    assert revision(database) == before + 2


def test_a_check_is_remembered(database: Database, box: Box) -> None:
    stored(database, box)
    change(database, lambda c: store.checked(c, "user_1", now=NOW + 5))
    with database.reading() as connection:
        (shown,) = store.list_credentials(connection)
    assert (shown.created_at, shown.checked_at) == (NOW, NOW + 5)


def test_a_sealed_key_copied_to_another_user_does_not_open(database: Database, box: Box) -> None:
    stored(database, box)
    stored(database, box, "user_2", "sk-or-v1-other-0123456789")
    with database.transaction() as connection:
        theirs = select(credentials.c.sealed).where(credentials.c.user_id == "user_1").scalar_subquery()
        connection.execute(update(credentials).where(credentials.c.user_id == "user_2").values(sealed=theirs))
    with database.reading() as connection:
        with pytest.raises(Sealed, match="moved"):
            store.get(connection, box, "user_2")
        assert [each.user_id for each in store.shut(connection, box)] == ["user_2"]


def test_a_node_with_other_master_keys_stores_nothing_beside_what_it_cannot_open(
    database: Database, box: Box, tmp_path: Path
) -> None:
    stored(database, box)
    other = Box(Keyring(tmp_path / "other.keys"))
    with pytest.raises(Sealed, match="copy it from the node"):
        stored(database, other, "user_2")
    assert not other.keyring.file.exists()
    with database.reading() as connection:
        assert [each.user_id for each in store.list_credentials(connection)] == ["user_1"]


def test_the_only_key_may_be_set_again_where_the_master_keys_are_lost(
    database: Database, box: Box, tmp_path: Path
) -> None:
    stored(database, box)
    other = Box(Keyring(tmp_path / "other.keys"))
    stored(database, other)
    with database.reading() as connection:
        assert store.get(connection, other, "user_1") == KEY


def test_the_rooms_mean_the_same_provider_and_revision() -> None:
    assert store.PROVIDER == identity.OWN_KEYS_OF == for_own_keys(Settings()).name
    assert store.REVISION == identity.REVISION
    assert any(
        route.provider == store.PROVIDER for row in models.shipped().values() for route in row.routes or ()
    )
