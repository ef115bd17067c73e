"""What one process changes, another that remembers callers knows with its next request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from sqlalchemy import Connection

from tests.workspaces.people import NOW, Team
from writingmate.errors import PermissionDenied, StalePrincipal, Unauthenticated
from writingmate.identity.directory import Directory
from writingmate.metering.ledger import Ledger
from writingmate.types import Estimate
from writingmate.workspaces import member_store, store

ESTIMATE = Estimate("m", "p", "m", "completions", 10, 10, ())

CHANGES: dict[str, Callable[[Connection, Team], object]] = {
    "leave": lambda connection, team: member_store.leave(connection, team.id, team.bob.user_id, now=NOW),
    "remove": lambda connection, team: member_store.remove(
        connection, team.id, team.bob.user_id, by=team.ada.user_id, now=NOW
    ),
    "delete": lambda connection, team: store.remove(connection, team.id, by=None, now=NOW),
}


@pytest.fixture
async def ledger(team: Team) -> AsyncIterator[Ledger]:
    ledger = Ledger(team.database)
    await ledger.start()
    yield ledger
    await ledger.close()


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
async def test_a_key_stops_at_once_where_its_user_is_no_longer(
    team: Team, ledger: Ledger, change: Callable[[Connection, Team], object]
) -> None:
    team.join(team.bob)
    loose, pinned = team.key(team.bob), team.key(team.bob, pinned=True)
    with team.database.transaction() as connection:
        store.set_current(connection, team.bob.user_id, team.id)
    directory = Directory(team.database, clock=lambda: NOW)
    named = await directory.principal(loose.key, team.id)
    current = await directory.principal(loose.key)
    assert current.workspace_id == team.id
    assert (await directory.principal(pinned.key)).workspace_id == team.id
    async with ledger.hold("req_1", named, ESTIMATE):
        pass
    with team.database.transaction() as connection:
        change(connection, team)
    for number, principal in enumerate((named, current), 2):
        with pytest.raises(StalePrincipal):
            async with ledger.hold(f"req_{number}", principal, ESTIMATE):
                pass
    directory.forget(named)
    assert (await directory.principal(loose.key)).workspace_id == team.bob.home_workspace_id
    with pytest.raises(PermissionDenied):
        await directory.principal(loose.key, team.id)
    with pytest.raises((PermissionDenied, Unauthenticated)):
        await directory.principal(pinned.key)
