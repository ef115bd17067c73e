from __future__ import annotations

import threading
from pathlib import Path

import pytest
from sqlalchemy import event, insert, update

from tests.vault.test_store import KEY, NOW, change, revision, stored
from writingmate.errors import ConfigurationError
from writingmate.storage.engine import Database
from writingmate.storage.tables import answers, credentials
from writingmate.vault import rotation, store
from writingmate.vault.box import Box
from writingmate.vault.keys import Keyring

USERS = [f"user_{number:02}" for number in range(7)]


@pytest.fixture
def full(database: Database, box: Box) -> Database:
    """A database with a key of each user."""
    for user in USERS:
        stored(database, box, user, f"{KEY}-{user}")
    return database


def opened(database: Database, box: Box) -> list[str | None]:
    with database.reading() as connection:
        return [store.get(connection, box, user) for user in USERS]


def sealers(database: Database) -> dict[str, int]:
    with database.reading() as connection:
        return dict(store.sealers(connection))


def an_answer(database: Database, box: Box) -> None:
    change(
        database,
        lambda c: c.execute(
            insert(answers).values(
                workspace_id="ws",
                user_id="user_00",
                idempotency_key="k",
                request_hash=b"h" * 32,
                request_id="req",
                created_at=NOW,
                expires_at=NOW + 60,
                answer=box.seal(b"an answer", b"answer"),
            )
        ),
    )


def test_everything_is_sealed_anew_page_by_page(full: Database, box: Box) -> None:
    before = revision(full)
    done = rotation.rotate(full, box, page=3)
    assert (done.rows, done.shut) == (7, ())
    assert sealers(full) == {box.keyring.sealing().key_id: 7}
    assert opened(full, box) == [f"{KEY}-{user}" for user in USERS]
    assert revision(full) == before, "nothing has changed for anybody"
    assert rotation.reseal(full, box, page=3).rows == 0


def test_a_server_that_runs_meanwhile_opens_both_old_and_new(full: Database, box: Box) -> None:
    server = Box(Keyring(box.keyring.file))
    assert None not in opened(full, server)
    box.keyring.rotate()
    with full.transaction() as connection:
        store.reseal(connection, box, page=3)
    assert len(sealers(full)) == 2
    assert opened(full, server) == [f"{KEY}-{user}" for user in USERS]
    stored(full, server, "user_new")
    assert sealers(full)[box.keyring.sealing().key_id] == 4


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite's writers take turns
def test_a_key_that_is_set_while_its_page_is_sealed_wins(full: Database, box: Box) -> None:
    """Between reading a row and writing it anew, somebody else replaces it."""
    box.keyring.rotate()
    replaced = threading.Event()

    def replace(_c: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("UPDATE credentials") and not replaced.is_set():
            replaced.set()
            setter = threading.Thread(target=stored, args=(full, box, "user_00", "sk-or-v1-newer-0123456789"))
            setter.start()
            setter.join()

    event.listen(full.writing, "before_cursor_execute", replace)
    try:
        done = rotation.reseal(full, box)
    finally:
        event.remove(full.writing, "before_cursor_execute", replace)
    assert done.rows == 6
    assert opened(full, box)[0] == "sk-or-v1-newer-0123456789"


def test_what_does_not_open_is_named_left_and_removed_only_when_told(full: Database, box: Box) -> None:
    with full.transaction() as connection:
        spoilt = update(credentials).where(credentials.c.user_id == "user_03")
        connection.execute(spoilt.values(sealed=b"\x01spoilt"))
    done = rotation.rotate(full, box)
    assert (done.rows, [each.user_id for each in done.shut]) == (6, ["user_03"])
    before = revision(full)
    assert rotation.discard(full, box) == 1
    assert revision(full) > before
    assert opened(full, box)[3] is None
    assert rotation.discard(full, box) == 0


def test_older_master_keys_are_dropped_once_nothing_needs_them(full: Database, box: Box) -> None:
    rotation.rotate(full, box)
    rotation.rotate(full, box)
    assert rotation.retire(full, box) == 2
    assert len(box.keyring.known()) == 1
    assert opened(full, Box(Keyring(box.keyring.file))) == [f"{KEY}-{user}" for user in USERS]


def test_retiring_seals_first_what_is_left_of_the_old(full: Database, box: Box) -> None:
    box.keyring.rotate()
    assert rotation.retire(full, box) == 1
    assert None not in opened(full, box)


def test_a_master_key_that_answers_need_is_not_dropped_unless_forced(full: Database, box: Box) -> None:
    an_answer(full, box)
    rotation.rotate(full, box)
    with pytest.raises(ConfigurationError, match=r"1 stored answers.*--yes"):
        rotation.retire(full, box)
    assert len(box.keyring.known()) == 2
    assert rotation.retire(full, box, force=True) == 1


def test_answers_of_the_newest_key_are_in_nobodys_way(full: Database, box: Box) -> None:
    rotation.rotate(full, box)
    an_answer(full, box)
    assert rotation.retire(full, box) == 1


def test_a_spoilt_row_does_not_keep_an_old_key_for_ever(full: Database, box: Box) -> None:
    with full.transaction() as connection:
        spoilt = update(credentials).where(credentials.c.user_id == "user_03")
        connection.execute(spoilt.values(user_id="user_elsewhere"))
    rotation.rotate(full, box)
    assert rotation.retire(full, box) == 1


def test_nothing_stored_is_nothing_to_do(database: Database, box: Box, tmp_path: Path) -> None:
    assert rotation.rotate(database, box).rows == 0
    assert (tmp_path / "vault.keys").exists()
