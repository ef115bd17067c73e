"""Responses in the books: kept with the settlement, once, and their conversations with them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete, select

from tests.metering.examples import MIDDAY, WORKSPACE, count, end_leases, estimate, principal
from writingmate.errors import AlreadySettled
from writingmate.metering.commands import Keep, Renewal, TurnRow
from writingmate.metering.hold import Hold
from writingmate.metering.ledger import Ledger
from writingmate.storage.engine import Database
from writingmate.storage.tables import entries, holds, response_items, responses
from writingmate.types import Usage

DAY = 86_400.0


def keep(name: str, previous: str | None = None, *, expires: float = MIDDAY, renew: float = 0.0) -> Keep:
    row = TurnRow(
        WORKSPACE,
        name,
        "u",
        "k",
        f"req_{name}",
        previous,
        "completed",
        MIDDAY,
        expires,
        b"items",
        b"response",
    )
    renewal = Renewal(WORKSPACE, str(previous), renew, renew + DAY) if renew else None
    return Keep(row, ((WORKSPACE, f"msg_{name}", name), (WORKSPACE, f"rs_{name}", name)), renewal)


async def opened(ledger: Ledger, request_id: str) -> Hold:
    hold = await ledger.hold(request_id, principal(), estimate(1)).open()
    hold.observe(Usage(1, 1))
    return hold


async def kept(ledger: Ledger, turn: Keep) -> None:
    assert turn.row is not None
    await (await opened(ledger, turn.row.request_id)).settle(None, turn)


def there(database: Database) -> dict[str, Any]:
    with database.reading() as connection:
        return {row.response_id: row for row in connection.execute(select(responses))}


async def test_a_turn_is_kept_with_its_settlement(database: Database, ledger: Ledger) -> None:
    hold = await opened(ledger, "req_a")
    assert not there(database)
    await hold.settle(None, keep("a"))
    await hold.settle(None, keep("a"))
    row = there(database)["a"]
    assert (row.status, row.items, row.response) == ("completed", b"items", b"response")
    assert (row.background, row.request, row.node_id, row.attempts) == (False, None, None, 1)
    assert count(database, entries) == 1
    assert count(database, response_items) == 2


async def test_a_turn_whose_hold_was_swept_is_kept_with_the_entry_that_is_there(
    database: Database, ledger: Ledger
) -> None:
    hold = await opened(ledger, "req_a")
    end_leases(database)
    await ledger.sweep()
    receipt = await hold.settle(None, keep("a"))
    assert "interrupted" in receipt.flags
    assert set(there(database)) == {"a"}


async def test_nothing_is_kept_of_what_is_not_in_the_books(database: Database, ledger: Ledger) -> None:
    hold = await opened(ledger, "req_a")
    with database.transaction() as connection:
        connection.execute(delete(holds))
    with pytest.raises((AlreadySettled, TypeError)):
        await hold.settle(None, keep("a"))
    assert not there(database)


async def test_what_came_before_is_kept_longer_and_nothing_else(database: Database, ledger: Ledger) -> None:
    for turn in (
        keep("a"),
        keep("b", "a"),
        keep("branch", "a"),
        keep("far", "b", expires=MIDDAY + 9 * DAY),
        keep("other"),
        keep("c", "far", expires=MIDDAY + 2 * DAY, renew=MIDDAY + DAY),
    ):
        await kept(ledger, turn)
    expires = {name: (row.expires_at - MIDDAY) / DAY for name, row in there(database).items()}
    assert expires == {"a": 2, "b": 2, "branch": 0, "far": 9, "other": 0, "c": 2}


async def test_nothing_is_named_of_a_response_that_was_deleted(database: Database, ledger: Ledger) -> None:
    await kept(ledger, keep("a"))
    with database.transaction() as connection:
        connection.execute(delete(responses))
        connection.execute(delete(response_items))
    hold = await opened(ledger, "req_b")
    await hold.settle(None, keep("a")._replace(row=None))
    assert count(database, response_items) == 0
