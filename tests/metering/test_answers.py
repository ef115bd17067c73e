"""Stored answers as they are read back: what a key stands for at each moment, and when it ends."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from tests.metering.conftest import Clock
from tests.metering.examples import MIDDAY, WORKSPACE, end_leases, estimate, principal
from writingmate.errors import StalePrincipal
from writingmate.metering import answers as module
from writingmate.metering.answers import Answers, Earlier
from writingmate.metering.commands import Claim, ClaimKey
from writingmate.metering.hold import Hold
from writingmate.metering.ledger import Ledger
from writingmate.storage import revisions
from writingmate.storage.engine import Database
from writingmate.storage.tables import answers
from writingmate.types import Usage

DAY = 86_400.0
KEY: ClaimKey = (WORKSPACE, "user_one", "once")
HASH = b"h" * 32
OTHER = b"o" * 32


@pytest.fixture
def found(database: Database, clock: Clock) -> Answers:
    return Answers(database, clock)


async def held(ledger: Ledger, request_id: str, *, key: str = "once", expires: float = MIDDAY + DAY) -> Hold:
    claim = Claim(WORKSPACE, "user_one", key, HASH, request_id, MIDDAY, expires)
    return await ledger.hold(request_id, principal(), estimate(1), claim).open()


async def answered(
    ledger: Ledger, request_id: str, *, key: str = "once", expires: float = MIDDAY + DAY
) -> None:
    hold = await held(ledger, request_id, key=key, expires=expires)
    hold.observe(Usage(20_000, 1))
    await hold.settle(b"answer")


def keys(database: Database) -> list[str]:
    with database.reading() as connection:
        return sorted(connection.scalars(select(answers.c.idempotency_key)))


async def test_a_key_that_nobody_named_stands_for_nothing(found: Answers, ledger: Ledger) -> None:
    await answered(ledger, "r1")
    for other in (
        ("ws_two", "user_one", "once"),
        (WORKSPACE, "user_two", "once"),
        (WORKSPACE, "user_one", "Once"),
    ):
        assert await found.find(other, HASH, 0) is None


async def test_while_its_request_runs(found: Answers, ledger: Ledger) -> None:
    await held(ledger, "r1")
    assert await found.find(KEY, HASH, 0) == Earlier("r1", same=True, answer=None, messages=None)
    assert await found.find(KEY, OTHER, 0) == Earlier("r1", same=False, answer=None, messages=None)


async def test_once_it_is_answered(found: Answers, ledger: Ledger) -> None:
    await answered(ledger, "r1")
    assert await found.find(KEY, HASH, 0) == Earlier("r1", same=True, answer=b"answer", messages=2)


async def test_an_answer_is_not_read_for_another_request(found: Answers, ledger: Ledger) -> None:
    await answered(ledger, "r1")
    assert await found.find(KEY, OTHER, 0) == Earlier("r1", same=False, answer=None, messages=2)


async def test_a_request_that_failed_leaves_nothing(found: Answers, ledger: Ledger) -> None:
    await (await held(ledger, "r1")).settle()
    assert await found.find(KEY, HASH, 0) is None


async def test_a_request_that_was_interrupted_leaves_nothing_once_it_is_swept(
    database: Database, found: Answers, ledger: Ledger, clock: Clock
) -> None:
    await held(ledger, "r1")
    end_leases(database)
    assert (await found.find(KEY, HASH, 0)) == Earlier("r1", same=True, answer=None, messages=None)
    other = Ledger(database, now=clock)
    await other.start()
    await other.sweep()
    assert await found.find(KEY, HASH, 0) is None
    await other.close()


async def test_until_it_expires(found: Answers, ledger: Ledger, clock: Clock) -> None:
    await answered(ledger, "r1")
    clock.now += DAY - 1
    assert await found.find(KEY, HASH, 0) is not None
    clock.now += 1
    assert await found.find(KEY, HASH, 0) is None


async def test_a_request_that_outlives_its_claim_still_runs(
    found: Answers, ledger: Ledger, clock: Clock, database: Database
) -> None:
    hold = await held(ledger, "r1")
    clock.now += 2 * DAY
    assert await found.find(KEY, HASH, 0) == Earlier("r1", same=True, answer=None, messages=None)
    assert await found.delete_expired() == 0
    hold.observe(Usage(1, 1))
    await hold.settle(b"answer")
    assert keys(database) == ["once"]


async def test_an_answer_whose_entry_is_gone_has_no_count(
    database: Database, found: Answers, ledger: Ledger
) -> None:
    await answered(ledger, "r1")
    with database.transaction() as connection:
        connection.execute(update(answers).values(request_id="rolled-up"))
    assert await found.find(KEY, HASH, 0) == Earlier("rolled-up", same=True, answer=b"answer", messages=None)


async def test_nothing_is_told_to_whom_identities_have_changed(
    database: Database, found: Answers, ledger: Ledger
) -> None:
    await answered(ledger, "r1")
    with database.transaction() as connection:
        revisions.bump(connection, "identity")
    with pytest.raises(StalePrincipal):
        await found.find(KEY, HASH, 0)
    assert await found.find(KEY, HASH, 1) is not None


async def test_what_has_expired_is_deleted_page_by_page(
    database: Database, found: Answers, ledger: Ledger, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAGE", 2)
    for number in range(5):
        await answered(ledger, f"old{number}", key=f"old{number}", expires=MIDDAY + 1 + number / 10)
    await answered(ledger, "fresh", key="fresh")
    await held(ledger, "running", key="running", expires=MIDDAY + 1)
    clock.now += 10
    assert await found.delete_expired() == 5
    assert keys(database) == ["fresh", "running"]
    assert await found.delete_expired() == 0
