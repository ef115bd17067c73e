from __future__ import annotations

import hashlib

import pytest
from sqlalchemy import select

from tests.workspaces.people import ADA, BOB, CAT, NOW, Team
from writingmate.errors import ApiError, Conflict, Gone, InvalidRequest, NotFound, PermissionDenied
from writingmate.identity import store as identity
from writingmate.storage.tables import invitations as rows
from writingmate.workspaces import invitation_store, invitations, member_store
from writingmate.workspaces.invitations import DAY, Invitation
from writingmate.workspaces.members import Role

DAN = "dan@example.org"


def invited(
    team: Team, email: str = BOB, role: Role = "MEMBER", *, by: str | None = None, now: float = NOW
) -> tuple[Invitation, str]:
    with team.database.transaction() as connection:
        return invitation_store.invite(connection, team.id, email, role, by=by, now=now)


def accepted(team: Team, secret: str, user_id: str, *, now: float = NOW) -> None:
    with team.database.transaction() as connection:
        invitation_store.accept(connection, secret, user_id, now=now)


def refusal(team: Team, secret: str, user_id: str, *, now: float = NOW) -> ApiError:
    """Why a secret is not accepted; whoever sees the page and is the right one learns the same."""
    with pytest.raises(ApiError) as refused, team.database.transaction() as connection:
        invitation_store.accept(connection, secret, user_id, now=now)
    assert secret not in str(refused.value)
    if not isinstance(refused.value, PermissionDenied | Conflict):
        with pytest.raises(type(refused.value)) as same, team.database.reading() as connection:
            invitation_store.find(connection, secret, now=now)
        assert same.value.code == refused.value.code
    return refused.value


def statuses(team: Team, now: float = NOW) -> list[str]:
    with team.database.reading() as connection:
        found = invitation_store.list_invitations(connection, team.id, by=None)
    return [invitation.status(now) for invitation in found]


@pytest.mark.parametrize("role", ["MEMBER", "OWNER"])
def test_who_is_invited_is_a_member_once_they_accept(team: Team, role: Role) -> None:
    key = team.key(team.bob)
    before = team.revision()
    made, secret = invited(team, " Bob@Example.org ", role, by=team.ada.user_id)
    assert team.roles()[BOB] == f"{role} INVITED"
    assert not team.acts_here(key)
    assert before < (between := team.revision())
    accepted(team, secret, team.bob.user_id, now=NOW + 5)
    assert team.roles()[BOB] == f"{role} ACTIVE"
    assert team.acts_here(key)
    assert between < team.revision()
    with team.database.reading() as connection:
        (kept,) = invitation_store.list_invitations(connection, team.id, by=team.ada.user_id)
    assert (kept.invitation_id, kept.email, kept.invited_by) == (made.invitation_id, BOB, team.ada.user_id)
    assert (kept.accepted_at, kept.accepted_by, kept.expires_at) == (
        NOW + 5,
        team.bob.user_id,
        NOW + 7 * DAY,
    )


def test_only_the_hash_of_the_secret_is_stored_and_the_secret_shows_nowhere(team: Team) -> None:
    made, secret = invited(team)
    with team.database.reading() as connection:
        row = connection.execute(select(rows)).mappings().one()
    assert row["secret_hash"] == hashlib.sha256(secret.encode()).digest()
    assert secret not in repr(dict(row)) + repr(made) + repr(invitations.new_secret())
    assert len(secret.removeprefix(invitations.SCHEME)) == 43  # 256 bits


def test_each_link_works_once_and_until_it_expires(team: Team) -> None:
    _, secret = invited(team)
    late = refusal(team, secret, team.bob.user_id, now=NOW + 7 * DAY)
    assert (type(late), late.code) == (Gone, "invitation_expired")
    accepted(team, secret, team.bob.user_id, now=NOW + 7 * DAY - 1)
    again = refusal(team, secret, team.bob.user_id)
    assert (type(again), again.code) == (Gone, "invitation_used")
    assert statuses(team) == ["accepted"]


def test_an_expired_invitation_leaves_nobody_among_the_members(team: Team) -> None:
    invited(team)
    with team.database.reading() as connection:
        later = member_store.list_members(connection, team.id, by=None, now=NOW + 7 * DAY)
    assert [member.email for member in later] == [ADA]
    assert statuses(team, NOW + 7 * DAY) == ["expired"]


def test_a_withdrawn_invitation_is_void(team: Team) -> None:
    made, secret = invited(team)
    for changed in (True, False):
        with team.database.transaction() as connection:
            assert changed == invitation_store.withdraw(
                connection, team.id, made.invitation_id, by=team.ada.user_id, now=NOW
            )
    assert refusal(team, secret, team.bob.user_id).code == "invitation_withdrawn"
    assert team.roles() == {ADA: "OWNER ACTIVE"}
    with pytest.raises(NotFound), team.database.transaction() as connection:
        invitation_store.withdraw(
            connection, team.bob.home_workspace_id, made.invitation_id, by=None, now=NOW
        )


def test_a_newer_invitation_of_the_same_address_replaces_the_open_one(team: Team) -> None:
    _, first = invited(team)
    _, other = invited(team, CAT)
    _, second = invited(team, role="OWNER")
    assert statuses(team).count("open") == 2
    assert refusal(team, first, team.bob.user_id).code == "invitation_withdrawn"
    accepted(team, second, team.bob.user_id)
    accepted(team, other, team.cat.user_id)
    assert team.roles() == {ADA: "OWNER ACTIVE", BOB: "OWNER ACTIVE", CAT: "MEMBER ACTIVE"}


def test_a_member_cannot_be_invited_again_but_may_come_back(team: Team) -> None:
    team.join(team.bob)
    with pytest.raises(Conflict) as refused:
        invited(team)
    assert refused.value.code == "already_member"
    with team.database.transaction() as connection:
        member_store.leave(connection, team.id, team.bob.user_id, now=NOW)
    accepted(team, invited(team)[1], team.bob.user_id)
    assert team.roles()[BOB] == "MEMBER ACTIVE"


def test_it_is_for_the_address_it_was_sent_to(team: Team) -> None:
    _, secret = invited(team)
    refused = refusal(team, secret, team.cat.user_id)
    assert (type(refused), refused.code) == (PermissionDenied, "invitation_for_another")
    assert BOB in refused.message
    assert "Use a key of that account" in refused.message
    assert refusal(team, secret, "user_none").code == "workspace_not_accessible"
    accepted(team, secret, team.bob.user_id)


def test_who_has_no_account_is_told_to_ask_for_one_and_can_then_accept(team: Team) -> None:
    _, secret = invited(team, DAN)
    assert "users create dan@example.org" in refusal(team, secret, team.bob.user_id).message
    with team.database.transaction() as connection:
        assert not invitation_store.find(connection, secret, now=NOW).has_account
        dan = identity.create_user(connection, DAN, plan="free", now=NOW)
        offer = invitation_store.find(connection, secret, now=NOW)
    assert (offer.has_account, offer.workspace, offer.inviter) == (True, "Team", None)
    accepted(team, secret, dan.user_id)
    assert team.roles() == {ADA: "OWNER ACTIVE", DAN: "MEMBER ACTIVE"}


@pytest.mark.parametrize(
    "secret", ["", "x", "wm_inv_", "wm_inv_" + "A" * 43, "wm_inv_" + "A" * 42 + "/", "wm_inv_" + "é" * 43]
)
def test_an_unknown_secret_is_not_found(team: Team, secret: str) -> None:
    with pytest.raises(NotFound) as refused, team.database.transaction() as connection:
        invitation_store.accept(connection, secret, team.bob.user_id, now=NOW)
    assert refused.value.code == "invitation_not_found"


@pytest.mark.parametrize("way", ["leave", "remove", "demote", "transfer"])
def test_what_an_owner_invited_is_withdrawn_when_they_are_none_any_more(team: Team, way: str) -> None:
    """Else they would have a link of their own to come back by."""
    team.join(team.bob, "OWNER")
    bob, ada = team.bob.user_id, team.ada.user_id
    _, secret = invited(team, CAT, "OWNER", by=bob)
    _, others = invited(team, DAN, by=ada)
    with team.database.transaction() as connection:
        match way:
            case "leave":
                member_store.leave(connection, team.id, bob, now=NOW)
            case "remove":
                member_store.remove(connection, team.id, bob, by=ada, now=NOW)
            case "demote":
                member_store.set_role(connection, team.id, bob, "MEMBER", by=ada, now=NOW)
            case _:
                member_store.transfer(connection, team.id, ada, by=bob, now=NOW)
    assert refusal(team, secret, team.cat.user_id).code == "invitation_withdrawn"
    assert CAT not in team.roles()
    with team.database.reading() as connection:
        assert invitation_store.find(connection, others, now=NOW).inviter == ADA


@pytest.mark.parametrize("email", ["", "bob", "@example.org", "bob@", "b ob@x.y", "b\x00@x.y", "b\u202e@x.y"])
def test_an_address_is_one(team: Team, email: str) -> None:
    with pytest.raises(InvalidRequest):
        invited(team, email)


@pytest.mark.parametrize("days", [0, -1, 91])
def test_an_invitation_is_open_for_a_sensible_time(team: Team, days: int) -> None:
    with pytest.raises(InvalidRequest, match="90 days"), team.database.transaction() as connection:
        invitation_store.invite(connection, team.id, BOB, "MEMBER", by=None, now=NOW, ttl=days * DAY)


@pytest.mark.parametrize(
    "shape", ["{}", "https://gateway.example/invitations/{}", " {}\n", "h/invitations/{}/"]
)
def test_a_link_or_its_end_will_do(shape: str) -> None:
    secret = invitations.new_secret().text
    assert invitations.secret_in(shape.format(secret)) == secret
    assert invitations.link("https://gateway.example/", secret).endswith(f"example/invitations/{secret}")
