"""Rows of invitations. Synchronous: each function works in the caller's transaction.

Every change bumps the ``identity`` revision before it looks at anything, so that changes to who is in a
workspace come one after the other. ``by`` is the id of the user who acts; None is the operator.
"""

from __future__ import annotations

import secrets
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, and_, delete, select, update

from writingmate.errors import Conflict, NotFound
from writingmate.storage import revisions
from writingmate.storage.tables import invitations, memberships, users, workspaces
from writingmate.workspaces import store
from writingmate.workspaces.invitations import (
    LIFETIME,
    Invitation,
    Offer,
    address,
    check_invited,
    check_lifetime,
    check_open,
    digest_of,
    new_secret,
    unknown,
)
from writingmate.workspaces.members import ACTIVE, INVITED, Role, not_accessible
from writingmate.workspaces.store import REVISION

OPERATOR: Final = ""
"""What stands for the operator in ``invited_by``."""


def invite(
    connection: Connection,
    workspace_id: str,
    email: str,
    role: Role,
    *,
    by: str | None,
    now: float,
    ttl: float = LIFETIME,
) -> tuple[Invitation, str]:
    """Invite an address; the invitation and the secret of its link, which is in no other place.

    An open invitation of the same address is replaced: its link no longer works.

    Args:
        connection: the caller's transaction.
        workspace_id: where to.
        email: who; they need an account of that address to accept, not to be invited.
        role: what they will be.
        by: an owner, or None for the operator.
        now: UNIX seconds.
        ttl: for how many seconds it is open.

    Raises:
        PermissionDenied: ``by`` is no owner.
        NotFound: there is no such workspace.
        InvalidRequest: that is no address, or too long a time.
        Conflict: they are a member already.
    """
    invited = address(email)
    check_lifetime(ttl)
    revisions.bump(connection, REVISION)
    store.require_owner(connection, workspace_id, by)
    user_id = _user_of(connection, invited)
    if user_id is not None and _status(connection, workspace_id, user_id) == ACTIVE:
        raise Conflict(f"{invited} is a member of this workspace already.", code="already_member")
    _withdraw(connection, workspace_id, invitations.c.email == invited, now)
    secret = new_secret()
    made = Invitation(workspace_id, f"inv_{secrets.token_hex(10)}", invited, role, by, now, now + ttl)
    connection.execute(invitations.insert().values(secret_hash=secret.digest, **_columns(made)))
    if user_id is not None:
        _join(connection, made, user_id, INVITED, now)
    return made, secret.text


def list_invitations(connection: Connection, workspace_id: str, *, by: str | None) -> list[Invitation]:
    """All invitations to a workspace, also those that are no longer open; the oldest first.

    Raises PermissionDenied, NotFound.
    """
    store.require_owner(connection, workspace_id, by)
    table = invitations.c
    query = select(*_COLUMNS).where(table.workspace_id == workspace_id)
    rows = connection.execute(query.order_by(table.created_at, table.invitation_id)).mappings()
    return [_invitation(row) for row in rows]


def withdraw(
    connection: Connection, workspace_id: str, invitation_id: str, *, by: str | None, now: float
) -> bool:
    """Take an invitation back: its link no longer works. False if it was not open any more.

    Raises:
        PermissionDenied: ``by`` is no owner.
        NotFound: there is no such workspace or invitation.
    """
    revisions.bump(connection, REVISION)
    store.require_owner(connection, workspace_id, by)
    table = invitations.c
    this = and_(table.workspace_id == workspace_id, table.invitation_id == invitation_id)
    if connection.execute(select(table.invitation_id).where(this)).first() is None:
        raise NotFound(f"There is no invitation {invitation_id!r} to this workspace.", param="invitation")
    return _withdraw(connection, workspace_id, table.invitation_id == invitation_id, now) == 1


def withdraw_all_by(connection: Connection, workspace_id: str, user_id: str, *, now: float) -> None:
    """Withdraw what someone invited who is no owner any more: nobody comes back by a link of their own."""
    _withdraw(connection, workspace_id, invitations.c.invited_by == user_id, now)


def invited_users(workspace_id: str, now: float) -> Select[tuple[str]]:
    """The ids of users with an open invitation to a workspace."""
    table = invitations.c
    return (
        select(users.c.user_id)
        .join(invitations, table.email == users.c.email)
        .where(table.workspace_id == workspace_id, _is_open(now))
    )


def find(connection: Connection, secret: str, *, now: float) -> Offer:
    """What the secret of a link offers.

    Raises:
        NotFound: nothing.
        Gone: it is used, withdrawn or expired.
    """
    digest = digest_of(secret)
    row = None if digest is None else connection.execute(_offers(digest)).mappings().one_or_none()
    if row is None:
        raise unknown()
    offer = Offer(_invitation(row), row["workspace"], row["inviter"], bool(row["has_account"]))
    check_open(offer.invitation, now)
    return offer


def accept(connection: Connection, secret: str, user_id: str, *, now: float) -> Offer:
    """Make the user a member, by the secret of a link; what they accepted.

    Raises:
        NotFound: there is no such invitation.
        Gone: it is used, withdrawn or expired.
        PermissionDenied: it is for another address, or there is no such user.
        Conflict: they are a member already.
    """
    revisions.bump(connection, REVISION)
    offer = find(connection, secret, now=now)
    email = connection.execute(select(users.c.email).where(users.c.user_id == user_id)).scalar()
    if email is None:
        raise not_accessible()
    check_invited(offer, email)
    invitation = offer.invitation
    if _status(connection, invitation.workspace_id, user_id) == ACTIVE:
        raise Conflict(f"{email} is a member of this workspace already.", code="already_member")
    this = and_(
        invitations.c.workspace_id == invitation.workspace_id,
        invitations.c.invitation_id == invitation.invitation_id,
    )
    connection.execute(update(invitations).where(this).values(accepted_at=now, accepted_by=user_id))
    _join(connection, invitation, user_id, ACTIVE, now)
    return offer


def _withdraw(connection: Connection, workspace_id: str, which: ColumnElement[bool], now: float) -> int:
    """Withdraw open invitations; whoever is invited no more leaves the list of members."""
    table = invitations.c
    these = and_(table.workspace_id == workspace_id, which, _is_open(now))
    count = connection.execute(update(invitations).where(these).values(withdrawn_at=now)).rowcount
    member = memberships.c
    uninvited = and_(
        member.workspace_id == workspace_id,
        member.status == INVITED,
        member.user_id.not_in(invited_users(workspace_id, now)),
    )
    connection.execute(delete(memberships).where(uninvited))
    return count


def _join(connection: Connection, invitation: Invitation, user_id: str, status: str, now: float) -> None:
    workspace_id = invitation.workspace_id
    member = memberships.c
    values = {"role": invitation.role, "status": status, "created_at": now}
    this = and_(member.workspace_id == workspace_id, member.user_id == user_id)
    if connection.execute(update(memberships).where(this).values(**values)).rowcount == 0:
        row = {"workspace_id": workspace_id, "user_id": user_id, **values}
        connection.execute(memberships.insert().values(**row))


def _user_of(connection: Connection, email: str) -> str | None:
    return connection.execute(select(users.c.user_id).where(users.c.email == email)).scalar()


def _status(connection: Connection, workspace_id: str, user_id: str) -> str | None:
    member = memberships.c
    query = select(member.status).where(member.workspace_id == workspace_id, member.user_id == user_id)
    return connection.execute(query).scalar()


def _is_open(now: float) -> ColumnElement[bool]:
    table = invitations.c
    return and_(table.accepted_at.is_(None), table.withdrawn_at.is_(None), table.expires_at > now)


def _offers(digest: bytes) -> Select[Any]:
    """The invitation of a digest, with the names of workspace and inviter."""
    table = invitations.c
    inviter, invited = users.alias("inviter"), users.alias("invited")
    return (
        select(
            *_COLUMNS,
            workspaces.c.name.label("workspace"),
            inviter.c.email.label("inviter"),
            invited.c.user_id.is_not(None).label("has_account"),
        )
        .join(workspaces, workspaces.c.workspace_id == table.workspace_id)
        .outerjoin(inviter, inviter.c.user_id == table.invited_by)
        .outerjoin(invited, invited.c.email == table.email)
        .where(table.secret_hash == digest)
    )


def _columns(invitation: Invitation) -> dict[str, object]:
    values = {name: getattr(invitation, name) for name in Invitation.__slots__}
    return values | {"invited_by": invitation.invited_by or OPERATOR}


def _invitation(row: RowMapping) -> Invitation:
    values = {column.name: row[column.name] for column in _COLUMNS}
    return Invitation(**values | {"invited_by": values["invited_by"] or None})


_COLUMNS = tuple(column for column in invitations.c if column.name != "secret_hash")
