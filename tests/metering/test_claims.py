"""Idempotency keys in the books: claimed with the hold, answered with the settlement."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import select

from tests.metering.conftest import Clock
from tests.metering.examples import (
    MIDDAY,
    WORKSPACE,
    assert_clean,
    count,
    end_leases,
    estimate,
    held,
    limit,
    principal,
)
from writingmate.errors import KeyClaimed, LimitReached
from writingmate.metering.commands import Claim
from writingmate.metering.hold import Hold
from writingmate.metering.ledger import Ledger
from writingmate.storage.engine import Database
from writingmate.storage.tables import answers, entries
from writingmate.types import Usage

DAY = 86_400.0


def claim(request_id: str, *, key: str = "once", now: float = MIDDAY) -> Claim:
    return Claim(WORKSPACE, "user_one", key, b"h" * 32, request_id, now, now + DAY)


def hold(ledger: Ledger, request_id: str, *, key: str = "once", now: float = MIDDAY) -> Hold:
    return ledger.hold(request_id, principal(), estimate(1), claim(request_id, key=key, now=now))


async def settle(opened: Hold, answer: bytes | None) -> None:
    opened.observe(Usage(1, 1))
    await opened.settle(answer)


def stored(database: Database) -> list[tuple[str, bytes | None]]:
    with database.reading() as connection:
        return [
            (row[0], row[1]) for row in connection.execute(select(answers.c.request_id, answers.c.answer))
        ]


async def test_a_key_is_taken_while_its_request_runs_and_once_it_is_answered(
    database: Database, ledger: Ledger
) -> None:
    first = await hold(ledger, "r1").open()
    with pytest.raises(KeyClaimed):
        await hold(ledger, "r2").open()
    await hold(ledger, "r3", key="another").open()
    await settle(first, b"answer")
    with pytest.raises(KeyClaimed):
        await hold(ledger, "r4").open()
    assert ("r1", b"answer") in stored(database)
    assert held(database) == {"r3"}
    assert count(database, entries) == 1


async def test_of_many_at_once_one_gets_it(database: Database, ledger: Ledger) -> None:
    other = Ledger(database, now=ledger._now)
    await other.start()
    opened = await asyncio.gather(
        *(hold((ledger, other)[number % 2], f"r{number}").open() for number in range(40)),
        return_exceptions=True,
    )
    winners = [each for each in opened if isinstance(each, Hold)]
    assert len(winners) == 1
    assert all(isinstance(each, (Hold, KeyClaimed)) for each in opened)
    assert held(database) == {winners[0].request_id}
    await settle(winners[0], b"answer")
    await other.close()
    assert_clean(database)


async def test_a_request_that_failed_gives_its_key_up(database: Database, ledger: Ledger) -> None:
    await (await hold(ledger, "r1").open()).settle()
    assert stored(database) == []
    await settle(await hold(ledger, "r2").open(), b"answer")
    assert stored(database) == [("r2", b"answer")]


async def test_a_request_that_was_interrupted_gives_its_key_up(
    database: Database, ledger: Ledger, clock: Clock
) -> None:
    await hold(ledger, "r1").open()
    other = Ledger(database, now=clock)
    await other.start()
    end_leases(database)
    assert await other.sweep() == 1
    await settle(await hold(other, "r2").open(), b"answer")
    assert stored(database) == [("r2", b"answer")]
    await other.close()


async def test_an_expired_answer_gives_its_key_up(database: Database, ledger: Ledger) -> None:
    await settle(await hold(ledger, "r1").open(), b"old")
    await settle(await hold(ledger, "r2", now=MIDDAY + DAY).open(), b"new")
    assert stored(database) == [("r2", b"new")]


async def test_a_refused_request_claims_nothing(database: Database, ledger: Ledger) -> None:
    with pytest.raises(LimitReached):
        await ledger.hold("r1", principal(), estimate(2, limit(1)), claim("r1")).open()
    assert stored(database) == []


async def test_one_that_is_cancelled_before_it_is_held_claims_nothing(
    database: Database, ledger: Ledger
) -> None:
    opening = asyncio.ensure_future(hold(ledger, "r1").open())
    await asyncio.sleep(0)
    opening.cancel()
    await asyncio.wait([opening])
    await ledger.sweep()  # behind the release
    assert stored(database) == []
    assert_clean(database)


async def test_within_one_batch_too_the_first_gets_it(database: Database, ledger: Ledger) -> None:
    first = await hold(ledger, "r1").open()
    opening = asyncio.ensure_future(hold(ledger, "r2").open())
    first.observe(Usage(1, 1))
    settling = asyncio.ensure_future(first.settle(b"answer"))
    await asyncio.wait([opening, settling])
    assert isinstance(opening.exception(), KeyClaimed)
    assert stored(database) == [("r1", b"answer")]
