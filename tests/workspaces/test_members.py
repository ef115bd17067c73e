from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Connection

from tests.workspaces.people import ADA, BOB, CAT, NOW, Team
from writingmate.errors import Conflict, InvalidRequest, NotFound, PermissionDenied
from writingmate.identity import store as identity
from writingmate.workspaces import invitation_store, member_store, store
from writingmate.workspaces.members import role_named

Change = Callable[[Connection, Team, str | None], object]

OWNERS_ONLY: dict[str, Change] = {
    "invite": lambda connection, team, by: invitation_store.invite(
        connection, team.id, "dan@example.org", "MEMBER", by=by, now=NOW
    ),
    "list invitations": lambda connection, team, by: invitation_store.list_invitations(
        connection, team.id, by=by
    ),
    "remove": lambda connection, team, by: member_store.remove(
        connection, team.id, team.cat.user_id, by=by, now=NOW
    ),
    "set role": lambda connection, team, by: member_store.set_role(
        connection, team.id, team.cat.user_id, "OWNER", by=by, now=NOW
    ),
    "transfer": lambda connection, team, by: member_store.transfer(
        connection, team.id, team.cat.user_id, by=by, now=NOW
    ),
    "rename": lambda connection, team, by: store.rename(connection, team.id, "Crew", by=by),
    "change the plan": lambda connection, team, by: store.set_plan(connection, team.id, "premium", by=by),
    "delete": lambda connection, team, by: store.remove(connection, team.id, by=by, now=NOW),
    "see what everyone used": lambda connection, team, by: store.require_sight(
        connection, team.id, of=None, by=by
    ),
    "see what another used": lambda connection, team, by: store.require_sight(
        connection, team.id, of=team.cat.user_id, by=by
    ),
}


@pytest.fixture(params=OWNERS_ONLY.values(), ids=list(OWNERS_ONLY))
def owners_only(request: pytest.FixtureRequest) -> Change:
    change: Change = request.param
    return change


def test_what_is_an_owners_is_refused_to_members_and_strangers(team: Team, owners_only: Change) -> None:
    team.join(team.cat)
    with pytest.raises(PermissionDenied) as stranger, team.database.transaction() as connection:
        owners_only(connection, team, team.bob.user_id)
    assert stranger.value.code == "workspace_not_accessible"
    team.join(team.bob)
    before = team.roles()
    with pytest.raises(PermissionDenied) as member, team.database.transaction() as connection:
        owners_only(connection, team, team.bob.user_id)
    assert member.value.code == "owner_required"
    assert team.roles() == before == {ADA: "OWNER ACTIVE", BOB: "MEMBER ACTIVE", CAT: "MEMBER ACTIVE"}


@pytest.mark.parametrize("by_owner", [True, False])
def test_it_is_allowed_to_an_owner_and_to_the_operator(
    team: Team, owners_only: Change, *, by_owner: bool
) -> None:
    team.join(team.cat)
    with team.database.transaction() as connection:
        owners_only(connection, team, team.ada.user_id if by_owner else None)


def test_for_strangers_an_unknown_workspace_is_as_one_of_others(team: Team) -> None:
    answers = set()
    for workspace_id in (team.id, "ws_none"):
        with pytest.raises(PermissionDenied) as refused, team.database.transaction() as connection:
            store.require_owner(connection, workspace_id, team.bob.user_id)
        answers.add((refused.value.message, refused.value.code))
    assert len(answers) == 1
    with pytest.raises(NotFound), team.database.transaction() as connection:
        store.require_owner(connection, "ws_none", None)


def test_members_see_who_is_in_and_what_they_used_themselves(team: Team) -> None:
    team.join(team.bob)
    with team.database.transaction() as connection:
        seen = member_store.list_members(connection, team.id, by=team.bob.user_id, now=NOW)
        assert [(member.email, member.home) for member in seen] == [(ADA, False), (BOB, False)]
        store.require_sight(connection, team.id, of=team.bob.user_id, by=team.bob.user_id)
        for look in (
            lambda: member_store.list_members(connection, team.id, by=team.cat.user_id, now=NOW),
            lambda: store.require_sight(connection, team.id, of=team.cat.user_id, by=team.cat.user_id),
        ):
            with pytest.raises(PermissionDenied):
                look()
        home = member_store.list_members(connection, team.bob.home_workspace_id, by=None, now=NOW)
        assert [(member.email, member.home) for member in home] == [(BOB, True)]


@pytest.mark.parametrize("way", ["leave", "remove"])
def test_whoever_is_gone_no_longer_acts_there_from_the_next_request_on(team: Team, way: str) -> None:
    team.join(team.bob)
    key = team.key(team.bob)
    with team.database.transaction() as connection:
        store.set_current(connection, team.bob.user_id, team.id)
        store.set_current(connection, team.ada.user_id, team.id)
    assert team.acts_here(key)
    before = team.revision()
    with team.database.transaction() as connection:
        if way == "leave":
            member_store.leave(connection, team.id, team.bob.user_id, now=NOW)
        else:
            member_store.remove(connection, team.id, team.bob.user_id, by=team.ada.user_id, now=NOW)
    assert not team.acts_here(key)
    assert team.revision() > before
    assert team.roles() == {ADA: "OWNER ACTIVE"}
    assert team.current(team.bob) == team.bob.home_workspace_id
    assert team.current(team.ada) == team.id


def test_who_works_elsewhere_stays_there_when_they_are_gone(team: Team) -> None:
    team.join(team.bob)
    with team.database.transaction() as connection:
        other = store.create(connection, "Other", owner_id=team.bob.user_id, plan="free", now=NOW)
        store.set_current(connection, team.bob.user_id, other.workspace_id)
        member_store.leave(connection, team.id, team.bob.user_id, now=NOW)
    assert team.current(team.bob) == other.workspace_id


def test_the_last_owner_stays_an_owner(team: Team) -> None:
    team.join(team.bob)
    ada = team.ada.user_id
    changes: list[Callable[[Connection], None]] = [
        lambda connection: member_store.leave(connection, team.id, ada, now=NOW),
        lambda connection: member_store.remove(connection, team.id, ada, by=ada, now=NOW),
        lambda connection: member_store.remove(connection, team.id, ada, by=None, now=NOW),
        lambda connection: member_store.set_role(connection, team.id, ada, "MEMBER", by=ada, now=NOW),
    ]
    for change in changes:
        with (
            pytest.raises(Conflict, match="only owner") as refused,
            team.database.transaction() as connection,
        ):
            change(connection)
        assert refused.value.code == "last_owner"
    assert team.roles() == {ADA: "OWNER ACTIVE", BOB: "MEMBER ACTIVE"}


def test_someone_who_is_only_invited_as_an_owner_is_none(team: Team) -> None:
    with team.database.transaction() as connection:
        invitation_store.invite(connection, team.id, BOB, "OWNER", by=team.ada.user_id, now=NOW)
    with pytest.raises(Conflict), team.database.transaction() as connection:
        member_store.leave(connection, team.id, team.ada.user_id, now=NOW)
    with pytest.raises(PermissionDenied), team.database.transaction() as connection:
        member_store.remove(connection, team.id, team.ada.user_id, by=team.bob.user_id, now=NOW)


def test_with_two_owners_either_may_go_or_be_a_member(team: Team) -> None:
    team.join(team.bob, "OWNER")
    with team.database.transaction() as connection:
        member_store.set_role(connection, team.id, team.ada.user_id, "MEMBER", by=team.bob.user_id, now=NOW)
    assert team.roles() == {ADA: "MEMBER ACTIVE", BOB: "OWNER ACTIVE"}
    with team.database.transaction() as connection:
        member_store.leave(connection, team.id, team.ada.user_id, now=NOW)
    assert team.roles() == {BOB: "OWNER ACTIVE"}


@pytest.mark.parametrize("by_owner", [True, False])
def test_ownership_can_be_handed_over(team: Team, *, by_owner: bool) -> None:
    team.join(team.bob)
    with team.database.transaction() as connection:
        giver = team.ada.user_id if by_owner else None
        member_store.transfer(connection, team.id, team.bob.user_id, by=giver, now=NOW)
    assert team.roles() == {ADA: "MEMBER ACTIVE", BOB: "OWNER ACTIVE"}


def test_a_transfer_says_from_whom_and_goes_to_another_member(team: Team) -> None:
    team.join(team.bob, "OWNER")
    for to, by in ((team.bob, None), (team.ada, team.ada), (team.cat, team.ada)):
        with pytest.raises((InvalidRequest, NotFound)), team.database.transaction() as connection:
            member_store.transfer(connection, team.id, to.user_id, by=by.user_id if by else None, now=NOW)
    assert team.roles() == {ADA: "OWNER ACTIVE", BOB: "OWNER ACTIVE"}


def test_nobody_leaves_is_put_out_of_or_loses_their_home(team: Team) -> None:
    home, ada = team.ada.home_workspace_id, team.ada.user_id
    with team.database.transaction() as connection:
        _, secret = invitation_store.invite(connection, home, BOB, "OWNER", by=ada, now=NOW)
        invitation_store.accept(connection, secret, team.bob.user_id, now=NOW)
    bob = team.bob.user_id
    changes: list[Callable[[Connection], object]] = [
        lambda connection: member_store.leave(connection, home, ada, now=NOW),
        lambda connection: member_store.remove(connection, home, ada, by=bob, now=NOW),
        lambda connection: member_store.set_role(connection, home, ada, "MEMBER", by=bob, now=NOW),
        lambda connection: member_store.transfer(connection, home, bob, by=ada, now=NOW),
        lambda connection: store.remove(connection, home, by=ada, now=NOW),
        lambda connection: store.remove(connection, home, by=None, now=NOW),
    ]
    for change in changes:
        with pytest.raises(Conflict) as refused, team.database.transaction() as connection:
            change(connection)
        assert refused.value.code == "home_workspace"
    with team.database.transaction() as connection:
        member_store.leave(connection, home, bob, now=NOW)
        assert identity.find_user(connection, ADA) == team.ada


def test_who_is_no_member_can_neither_leave_nor_be_removed(team: Team) -> None:
    with team.database.transaction() as connection:
        invitation_store.invite(connection, team.id, CAT, "MEMBER", by=None, now=NOW)
    for user, words in ((team.bob, "not a member"), (team.cat, "Withdraw the invitation")):
        with pytest.raises(PermissionDenied), team.database.transaction() as connection:
            member_store.leave(connection, team.id, user.user_id, now=NOW)
        with pytest.raises(NotFound, match=words), team.database.transaction() as connection:
            member_store.remove(connection, team.id, user.user_id, by=None, now=NOW)
    assert team.roles() == {ADA: "OWNER ACTIVE", CAT: "MEMBER INVITED"}


def test_roles_are_named_in_any_case() -> None:
    assert (role_named("owner"), role_named(" Member ")) == ("OWNER", "MEMBER")
    with pytest.raises(InvalidRequest, match="`owner` and `member`"):
        role_named("admin")
