from __future__ import annotations

import msgspec
import pytest

from tests.metering.conftest import Clock
from tests.metering.examples import estimate, limit, principal
from writingmate.metering.commands import EntryRow, HoldRow
from writingmate.metering.ledger import Ledger
from writingmate.metering.receipts import FLAGS, LimitThen, explained, find
from writingmate.storage.engine import Database
from writingmate.types import Usage


def found(database: Database, request_id: str, workspace_id: str | None = None) -> EntryRow | None:
    with database.reading() as connection:
        row = find(connection, request_id, workspace_id)
    assert not isinstance(row, HoldRow)
    return row


@pytest.fixture
async def books(database: Database, ledger: Ledger, clock: Clock) -> Database:
    day, month = limit(10), limit(50, meter="messages:pool", period="2026-11")
    async with ledger.hold("r1", principal(), estimate(3, day, month)) as hold:
        hold.observe(Usage(40_000, 500, 10_001, 200), estimated=True)
        hold.mark("cancelled")
        hold.served_by("up_1")
        clock.now += 2.5
    async with ledger.hold("r2", principal(workspace="ws_two"), estimate(1)):
        pass
    return database


def test_the_count_step_by_step(books: Database) -> None:
    entry = found(books, "r1")
    assert entry is not None
    it = explained(entry)
    assert (it.prompt_tokens, it.cached_tokens, it.cached_discount, it.effective_input) == (
        40_000, 10_001, 5_000, 35_000,
    )  # fmt: skip
    assert (it.completion_tokens, it.reasoning_tokens, it.total_tokens) == (500, 200, 35_500)
    assert (it.tokens_per_message, it.messages, it.held_messages) == (16_000, 3, 3)
    assert [flag.name for flag in it.flags] == ["cancelled", "estimated"]
    assert it.flags[1].meaning == "The provider did not report these tokens: they were counted here."
    assert it.limits == (
        LimitThen("workspace", "messages:pro", "2026-11-22", 10, 7),
        LimitThen("workspace", "messages:pool", "2026-11", 50, 47),
    )
    assert (it.model, it.provider, it.upstream_model, it.upstream_request_id) == (
        "openai/gpt-5-mini", "openai", "gpt-5-mini", "up_1",
    )  # fmt: skip
    assert (it.plan, it.tier, it.day, it.settled_at - it.started_at) == ("self-hosted", "", "2026-11-22", 2.5)


def test_it_is_plain_data(books: Database) -> None:
    entry = found(books, "r1")
    assert entry is not None
    document = msgspec.json.decode(msgspec.json.encode(explained(entry)))
    assert document["limits"][0]["left"] == 7
    assert document["flags"][0]["name"] == "cancelled"


def test_what_failed_cost_nothing(books: Database) -> None:
    entry = found(books, "r2")
    assert entry is not None
    it = explained(entry)
    assert (it.messages, it.total_tokens, it.limits) == (0, 0, ())
    assert [flag.name for flag in it.flags] == ["failed"]


def test_an_entry_of_the_first_version(books: Database) -> None:
    entry = found(books, "r1")
    assert entry is not None
    old = entry._replace(windows='[["workspace","messages:pro","2026-11-22"]]', plan="", tier="")
    assert explained(old).limits == (LimitThen("workspace", "messages:pro", "2026-11-22", None, None),)


def test_a_request_is_found_in_its_workspace_only(books: Database) -> None:
    assert found(books, "r1", "ws_one") is not None
    assert found(books, "r1", "ws_two") is None
    assert found(books, "r3") is None


async def test_a_request_under_way_has_a_hold(books: Database, ledger: Ledger) -> None:
    async with ledger.hold("open", principal(workspace="ws_three"), estimate(4)) as hold:
        with books.reading() as connection:
            row = find(connection, "open")
            assert isinstance(row, HoldRow)
            assert row.messages == 4
            assert find(connection, "open", "ws_one") is None
        hold.observe(Usage(1, 1))


def test_every_flag_has_its_words() -> None:
    words = "failed estimated interrupted overrun cancelled broken byok clamped"
    assert set(FLAGS) == set(words.split())
