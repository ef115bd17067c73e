"""A hold that takes what is left, where that is enough for the prompt and some answer."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from tests.metering.conftest import Clock
from tests.metering.examples import assert_clean, end_leases, estimate, limit, principal, settled, window
from writingmate.errors import LimitReached
from writingmate.metering.ledger import Ledger
from writingmate.storage.engine import Database
from writingmate.types import Estimate, Usage

LIMIT = limit(5)
OTHER = limit(3, meter="messages:pool", period="2026-11")


def wish(prompt: int, completion: int, *, least: int = 1) -> Estimate:
    return dataclasses.replace(
        estimate(1, LIMIT, OTHER), prompt_tokens=prompt, completion_tokens=completion, least_tokens=least
    )


async def test_what_fits_is_held_and_said(database: Database, ledger: Ledger) -> None:
    async with ledger.hold("r1", principal(), wish(20_000, 100_000)) as hold:
        assert (hold.messages, hold.completion_tokens, hold.clamped) == (3, 28_000, True)
        assert window(database, LIMIT) == window(database, OTHER) == (0, 3)
        assert_clean(database)
        hold.observe(Usage(20_000, 28_000))
    assert settled(database) == {"r1": (3, "clamped")}
    assert window(database, LIMIT) == window(database, OTHER) == (3, 0)
    assert_clean(database)


async def test_what_is_asked_for_is_held_where_it_fits(database: Database, ledger: Ledger) -> None:
    async with ledger.hold("r1", principal(), wish(20_000, 28_000)) as hold:
        assert (hold.messages, hold.completion_tokens, hold.clamped) == (3, 28_000, False)
    assert settled(database) == {"r1": (0, "failed")}


async def test_where_not_even_the_least_fits_it_is_refused(database: Database, ledger: Ledger) -> None:
    with pytest.raises(LimitReached, match=r"may need 4 messages.*limit of 3 on messages:pool"):
        await ledger.hold("r1", principal(), wish(48_000, 100)).open()
    async with ledger.hold("r2", principal(), wish(47_999, 100)) as hold:
        assert hold.completion_tokens == 1
    assert_clean(database)


async def test_those_behind_get_nothing_until_it_is_settled(database: Database, ledger: Ledger) -> None:
    async with ledger.hold("r1", principal(), wish(10, 100_000)) as hold:
        with pytest.raises(LimitReached, match="3 held by requests under way"):
            await ledger.hold("r2", principal(), wish(10, 10)).open()
        hold.observe(Usage(10, 10))
    async with ledger.hold("r3", principal(), wish(10, 100_000)) as hold:
        assert hold.messages == 2
    assert_clean(database)


async def test_many_at_once_share_out_exactly_what_there_is(database: Database, ledger: Ledger) -> None:
    wishes = [ledger.hold(f"r{number}", principal(), wish(10, 20_000)) for number in range(200)]
    held = await asyncio.gather(*(each.open() for each in wishes), return_exceptions=True)
    admitted = [each for each in held if not isinstance(each, BaseException)]
    assert sorted(each.messages for each in admitted) == [1, 2]
    assert window(database, OTHER) == (0, 3)
    for hold in admitted:
        await hold.settle()
    assert window(database, OTHER) == (0, 0)
    assert_clean(database)


async def test_a_partial_hold_whose_answer_is_lost_releases_what_it_held(
    database: Database, ledger: Ledger
) -> None:
    hold = ledger.hold("r1", principal(), wish(20_000, 100_000))
    opening = asyncio.ensure_future(hold.open())
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await ledger.sweep()  # behind the release
    assert window(database, LIMIT) == window(database, OTHER) == (0, 0)
    assert_clean(database)


async def test_a_dead_nodes_partial_hold_is_swept_for_what_it_held(
    database: Database, ledger: Ledger, clock: Clock
) -> None:
    other = Ledger(database, now=clock)
    await other.start()
    await ledger.hold("r1", principal(), wish(20_000, 100_000)).open()
    end_leases(database)
    assert await other.sweep() == 1
    assert settled(database) == {"r1": (2, "estimated interrupted")}
    assert window(database, OTHER) == (2, 0)
    await other.close()
    assert_clean(database)
