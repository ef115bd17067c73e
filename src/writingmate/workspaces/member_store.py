"""Rows of memberships. Synchronous: each function works in the caller's transaction.

Every change bumps the ``identity`` revision before it looks at anything, so that changes come one
after the other on both databases: of two owners who leave at once, the second finds itself the last.
``by`` is the id of the user who acts; None is the operator, who is above roles.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, or_, select, update

from writingmate.errors import InvalidRequest, NotFound
from writingmate.storage import revisions
from writingmate.storage.tables import memberships, users
from writingmate.workspaces import invitation_store, store
from writingmate.workspaces.members import (
    ACTIVE,
    MEMBER,
    OWNER,
    Member,
    Role,
    check_demotion,
    check_departure,
    not_accessible,
)
from writingmate.workspaces.store import REVISION


def list_members(connection: Connection, workspace_id: str, *, by: str | None, now: float) -> list[Member]:
    """Everyone in a workspace and everyone with an open invitation and an account; the oldest first.

    Raises PermissionDenied where ``by`` is no member, NotFound where there is no such workspace.
    """
    if by is None:
        store.get(connection, workspace_id)
    else:
        store.require_member(connection, workspace_id, by)
    member = memberships.c
    waiting = member.user_id.in_(invitation_store.invited_users(workspace_id, now))
    query = _members(workspace_id).where(or_(member.status == ACTIVE, waiting))
    found = connection.execute(query.order_by(member.created_at, member.user_id))
    return [Member(**row) for row in found.mappings()]


def leave(connection: Connection, workspace_id: str, user_id: str, *, now: float) -> None:
    """Someone goes, by themselves: their keys no longer act there from the next request on.

    Raises:
        PermissionDenied: they are no member of such a workspace.
        Conflict: it is their home, or nobody else owns it.
    """
    revisions.bump(connection, REVISION)
    member = _find(connection, workspace_id, user_id)
    if member is None or member.status != ACTIVE:
        raise not_accessible()
    _let_go(connection, member, now)


def remove(connection: Connection, workspace_id: str, user_id: str, *, by: str | None, now: float) -> None:
    """An owner removes someone: their keys no longer act there from the next request on.

    Raises:
        PermissionDenied: ``by`` is no owner.
        NotFound: there is no such workspace, or they are no member of it.
        Conflict: it is their home, or nobody else owns it.
    """
    revisions.bump(connection, REVISION)
    store.require_owner(connection, workspace_id, by)
    _let_go(connection, _active(connection, workspace_id, user_id), now)


def set_role(
    connection: Connection, workspace_id: str, user_id: str, role: Role, *, by: str | None, now: float
) -> None:
    """An owner makes a member an owner, or an owner a member. Raises as `remove`.

    Open invitations by someone who is no owner any more are withdrawn.
    """
    revisions.bump(connection, REVISION)
    store.require_owner(connection, workspace_id, by)
    member = _active(connection, workspace_id, user_id)
    if role == MEMBER and member.role == OWNER:
        check_demotion(member, len(_owners(connection, workspace_id)))
        invitation_store.withdraw_all_by(connection, workspace_id, user_id, now=now)
    _give_role(connection, workspace_id, user_id, role)


def transfer(connection: Connection, workspace_id: str, to: str, *, by: str | None, now: float) -> None:
    """Ownership goes from ``by`` (for the operator: from the only owner) to another member.

    Raises as `remove`, and InvalidRequest where it is not clear from whom.
    """
    revisions.bump(connection, REVISION)
    store.require_owner(connection, workspace_id, by)
    giver = _active(connection, workspace_id, by or _only_owner(connection, workspace_id))
    taker = _active(connection, workspace_id, to)
    if giver.user_id == taker.user_id:
        raise InvalidRequest(f"{taker.email} owns this workspace already. Name another member.", param="user")
    _give_role(connection, workspace_id, taker.user_id, OWNER)
    check_demotion(giver, len(_owners(connection, workspace_id)))
    invitation_store.withdraw_all_by(connection, workspace_id, giver.user_id, now=now)
    _give_role(connection, workspace_id, giver.user_id, MEMBER)


def _let_go(connection: Connection, member: Member, now: float) -> None:
    workspace_id, user_id = member.workspace_id, member.user_id
    check_departure(member, len(_owners(connection, workspace_id)))
    connection.execute(delete(memberships).where(_is(workspace_id, user_id)))
    store.send_home(connection, workspace_id, user_id)
    invitation_store.withdraw_all_by(connection, workspace_id, user_id, now=now)


def _active(connection: Connection, workspace_id: str, user_id: str) -> Member:
    member = _find(connection, workspace_id, user_id)
    if member is None:
        raise NotFound(f"{user_id} is not a member of this workspace.", param="user")
    if member.status != ACTIVE:
        raise NotFound(
            f"{member.email} is invited and not a member yet. Withdraw the invitation, or wait until it is "
            "accepted.",
            param="user",
        )
    return member


def _find(connection: Connection, workspace_id: str, user_id: str) -> Member | None:
    query = _members(workspace_id).where(memberships.c.user_id == user_id)
    row = connection.execute(query).mappings().one_or_none()
    return Member(**row) if row else None


def _owners(connection: Connection, workspace_id: str) -> list[str]:
    member = memberships.c
    query = select(member.user_id).where(
        member.workspace_id == workspace_id, member.role == OWNER, member.status == ACTIVE
    )
    return list(connection.execute(query).scalars())


def _only_owner(connection: Connection, workspace_id: str) -> str:
    owners = _owners(connection, workspace_id)
    if len(owners) != 1:
        raise InvalidRequest(
            "This workspace has several owners. Say which of them gives it away.", param="by"
        )
    return owners[0]


def _give_role(connection: Connection, workspace_id: str, user_id: str, role: Role) -> None:
    connection.execute(update(memberships).where(_is(workspace_id, user_id)).values(role=role))


def _is(workspace_id: str, user_id: str) -> ColumnElement[bool]:
    return and_(memberships.c.workspace_id == workspace_id, memberships.c.user_id == user_id)


def _members(workspace_id: str) -> Select[tuple[str, str, str, str, str, float, bool]]:
    member = memberships.c
    return (
        select(
            member.workspace_id,
            member.user_id,
            users.c.email,
            member.role,
            member.status,
            member.created_at.label("since"),
            (users.c.home_workspace_id == member.workspace_id).label("home"),
        )
        .join(users, users.c.user_id == member.user_id)
        .where(member.workspace_id == workspace_id)
    )
