from __future__ import annotations

import asyncio

import pytest

from tests.identity.test_directory import statements
from tests.vault.test_store import KEY, change, revision, stored
from writingmate.errors import Sealed
from writingmate.storage.engine import Database
from writingmate.vault import store
from writingmate.vault.box import Box
from writingmate.vault.credentials import Credentials


async def test_an_opened_key_is_remembered_at_its_revision(database: Database, box: Box) -> None:
    stored(database, box)
    known, now = Credentials(database, box), revision(database)
    with statements() as seen:
        assert await known.own("user_1", now) == KEY
        first = len(seen)
        assert await known.own("user_1", now) == KEY
    assert len(seen) == first > 0


async def test_no_key_is_remembered_too(database: Database, box: Box) -> None:
    known, now = Credentials(database, box), revision(database)
    assert await known.own("user_1", now) is None
    with statements() as seen:
        assert await known.own("user_1", now) is None
    assert seen == []


async def test_a_change_counts_with_the_next_revision(database: Database, box: Box) -> None:
    stored(database, box)
    known = Credentials(database, box)
    before = revision(database)
    assert await known.own("user_1", before) == KEY
    stored(database, box, key="sk-or-v1-second-0123456789")
    assert await known.own("user_1", revision(database)) == "sk-or-v1-second-0123456789"
    change(database, lambda c: store.remove(c, "user_1"))
    assert await known.own("user_1", revision(database)) is None


async def test_a_principal_of_old_is_given_the_newest_and_disturbs_nobody(
    database: Database, box: Box
) -> None:
    stored(database, box)
    known = Credentials(database, box)
    before = revision(database)
    await known.own("user_1", before)
    stored(database, box, key="sk-or-v1-second-0123456789")
    now = revision(database)
    assert await known.own("user_1", now) == "sk-or-v1-second-0123456789"
    assert await known.own("user_1", before) == "sk-or-v1-second-0123456789"
    with statements() as seen:
        await known.own("user_1", now)
    assert seen == []


async def test_concurrent_misses_share_one_reading_and_one_may_leave(database: Database, box: Box) -> None:
    stored(database, box)
    known, now = Credentials(database, box), revision(database)
    with statements() as seen:
        waiting = [asyncio.create_task(known.own("user_1", now)) for _ in range(50)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        found = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert found[1:] == [KEY] * 49
    assert len([statement for statement in seen if "credentials" in statement]) == 1


async def test_what_does_not_open_is_said_each_time_and_not_remembered(database: Database, box: Box) -> None:
    stored(database, box)
    known, now = Credentials(database, box), revision(database)
    content = box.keyring.file.read_text()
    box.keyring.file.unlink()
    box.keyring.known()
    with pytest.raises(Sealed, match="restore"):
        await known.own("user_1", now)
    box.keyring.file.write_text(content)
    assert await known.own("user_1", now) == KEY


async def test_only_so_many_are_remembered(database: Database, box: Box) -> None:
    for number in range(3):
        stored(database, box, f"user_{number}")
    known, now = Credentials(database, box, remembered=2), revision(database)
    for number in range(3):
        await known.own(f"user_{number}", now)
    with statements() as seen:
        await known.own("user_2", now)
        await known.own("user_1", now)
        assert seen == []
        await known.own("user_0", now)
    assert seen


async def test_nothing_shows_an_opened_key(database: Database, box: Box) -> None:
    stored(database, box)
    known = Credentials(database, box)
    await known.own("user_1", revision(database))
    assert KEY not in repr(known)
