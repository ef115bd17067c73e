from __future__ import annotations

import pytest
from sqlalchemy import func, select

from tests.workspaces.people import BOB, CAT, NOW, Team
from writingmate.errors import Conflict, NotFound
from writingmate.identity import store as identity
from writingmate.metering.audit import audit
from writingmate.metering.ledger import Ledger
from writingmate.storage import tables
from writingmate.types import Estimate, Principal, Usage
from writingmate.workspaces import invitation_store, store


def removed(team: Team) -> int:
    with team.database.transaction() as connection:
        return store.remove(connection, team.id, by=team.ada.user_id, now=NOW)


def rows_of(team: Team) -> dict[str, int]:
    """How many rows of each table belong to the workspace, where there are any."""
    with team.database.reading() as connection:
        counts = {
            table.name: connection.execute(
                select(func.count()).select_from(table).where(table.c.workspace_id == team.id)
            ).scalar_one()
            for table in tables.metadata.sorted_tables
            if "workspace_id" in table.c
        }
    return {name: count for name, count in counts.items() if count}


def test_a_deleted_workspace_is_gone_with_its_members_and_pinned_keys(team: Team) -> None:
    team.join(team.bob)
    loose, pinned = team.key(team.bob), team.key(team.bob, pinned=True)
    with team.database.transaction() as connection:
        store.set_current(connection, team.bob.user_id, team.id)
        invitation_store.invite(connection, team.id, CAT, "MEMBER", by=None, now=NOW)
    before = team.revision()
    assert removed(team) == 1
    assert team.revision() > before
    assert team.current(team.bob) == team.bob.home_workspace_id
    with team.database.reading() as connection:
        status = {key.key_id: key.status(NOW) for key in identity.list_keys(connection)}
        elsewhere = identity.facts(connection, loose.key_id, None)
    assert status == {loose.key_id: "active", pinned.key_id: "revoked"}
    assert elsewhere is not None
    assert elsewhere.plan == "free"
    assert not team.acts_here(loose)
    assert rows_of(team) == {"developer_keys": 1}
    with pytest.raises(NotFound), team.database.transaction() as connection:
        store.remove(connection, team.id, by=None, now=NOW)


async def test_the_books_stay_and_nothing_goes_while_requests_are_under_way(team: Team) -> None:
    key = team.key(team.ada)
    principal = Principal(team.ada.user_id, team.id, key.key_id, "free", team.revision())
    ledger = Ledger(team.database)
    await ledger.start()
    async with ledger.hold("req_1", principal, Estimate("m", "p", "m", "completions", 10, 10, ())) as hold:
        hold.observe(Usage(7, 3))
        with pytest.raises(Conflict, match="1 requests are under way") as refused:
            removed(team)
        assert refused.value.code == "requests_under_way"
        assert team.acts_here(key)
    await ledger.close()
    assert removed(team) == 0
    assert rows_of(team) == {"entries": 1, "daily_message_count": 1}
    with team.database.reading() as connection:
        assert audit(connection).clean
        assert BOB in {user.email for user in identity.list_users(connection)}
