"""Rows of workspaces. Synchronous: each function works in the caller's transaction.

A change of plan, of membership or of a user's current workspace bumps the ``identity`` revision in
the same transaction, so that no request goes on with what was true before. What checks something
first bumps first: then no other change comes in between.

``by`` is the id of the user who acts; None is the operator, who is above roles.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sqlalchemy import Connection, Select, and_, delete, func, select, update

from writingmate.errors import Conflict, InvalidRequest, NotFound
from writingmate.storage import revisions
from writingmate.storage.tables import (
    answers,
    developer_keys,
    holds,
    invitations,
    memberships,
    response_events,
    response_items,
    responses,
    users,
    workspaces,
)
from writingmate.workspaces.members import ACTIVE, OWNER, Role, not_accessible, owner_required
from writingmate.workspaces.plan_keys import NAME as PLAN_NAME

REVISION = "identity"
LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Workspace:
    """A workspace; ``members`` counts the active ones, ``owner_id`` is the user it was made for."""

    workspace_id: str
    name: str
    plan: str
    created_at: float
    owner_id: str | None
    members: int


def create(connection: Connection, name: str, *, owner_id: str, plan: str, now: float) -> Workspace:
    """Make a workspace that ``owner_id`` owns.

    Raises:
        NotFound: there is no such user.
        InvalidRequest: the name or the plan is not one.
    """
    checked = _name(name)
    if connection.execute(select(users.c.user_id).where(users.c.user_id == owner_id)).first() is None:
        raise NotFound(f"There is no user {owner_id!r}; `writingmate users list` shows them.")
    workspace_id = f"ws_{secrets.token_hex(10)}"
    connection.execute(
        workspaces.insert().values(workspace_id=workspace_id, name=checked, plan=_plan(plan), created_at=now)
    )
    connection.execute(
        memberships.insert().values(
            workspace_id=workspace_id, user_id=owner_id, role="OWNER", status="ACTIVE", created_at=now
        )
    )
    revisions.bump(connection, REVISION)
    return get(connection, workspace_id)


def get(connection: Connection, workspace_id: str) -> Workspace:
    """One workspace. Raises NotFound."""
    row = (
        connection.execute(_workspaces().where(workspaces.c.workspace_id == workspace_id)).mappings().first()
    )
    if row is None:
        raise _unknown(workspace_id)
    return Workspace(**row)


def list_all(connection: Connection, *, member_id: str | None = None) -> list[Workspace]:
    """All workspaces, or those that a user is an active member of; the oldest first."""
    query = _workspaces().order_by(workspaces.c.created_at, workspaces.c.workspace_id)
    if member_id is not None:
        query = query.where(workspaces.c.workspace_id.in_(_joined(member_id)))
    return [Workspace(**row) for row in connection.execute(query).mappings()]


def require_owner(connection: Connection, workspace_id: str, by: str | None) -> None:
    """Whether ``by`` may do what is an owner's: inviting, removing, roles, plan, others' usage.

    Raises:
        PermissionDenied: they are a member only, or there is no workspace that they are a member of.
        NotFound: the operator asks, and there is no such workspace.
    """
    if by is None:
        get(connection, workspace_id)
    elif require_member(connection, workspace_id, by) != OWNER:
        raise owner_required()


def require_member(connection: Connection, workspace_id: str, user_id: str) -> Role:
    """The role of an active member. Raises PermissionDenied where there is none."""
    member = memberships.c
    query = select(member.role).where(
        member.workspace_id == workspace_id, member.user_id == user_id, member.status == ACTIVE
    )
    role: Role | None = connection.execute(query).scalar()
    if role is None:
        raise not_accessible()
    return role


def require_sight(connection: Connection, workspace_id: str, *, of: str | None, by: str | None) -> None:
    """Whether ``by`` may see what ``of`` used in a workspace; ``of`` None is what everyone used.

    Raises PermissionDenied, NotFound as `require_owner`; members see their own.
    """
    if by is not None and by == of:
        require_member(connection, workspace_id, by)
    else:
        require_owner(connection, workspace_id, by)


def rename(connection: Connection, workspace_id: str, name: str, *, by: str | None) -> None:
    """Give a workspace another name. Raises PermissionDenied, NotFound, InvalidRequest."""
    checked = _name(name)
    require_owner(connection, workspace_id, by)
    _change(connection, workspace_id, name=checked)


def set_plan(connection: Connection, workspace_id: str, plan: str, *, by: str | None) -> None:
    """Put a workspace on a plan, from its next request on. Raises as `rename`."""
    checked = _plan(plan)
    revisions.bump(connection, REVISION)
    require_owner(connection, workspace_id, by)
    _change(connection, workspace_id, plan=checked)


def set_current(connection: Connection, user_id: str, workspace_id: str) -> None:
    """Choose where a user's unpinned keys act.

    Raises:
        NotFound: there is no such workspace, or the user is no active member of it.
    """
    revisions.bump(connection, REVISION)
    table = workspaces.c
    query = select(table.workspace_id).where(
        table.workspace_id == workspace_id, table.workspace_id.in_(_joined(user_id))
    )
    if connection.execute(query).first() is None:
        raise _unknown(workspace_id)
    change = update(users).where(users.c.user_id == user_id)
    connection.execute(change.values(current_workspace_id=workspace_id))


def send_home(connection: Connection, workspace_id: str, user_id: str | None = None) -> None:
    """Whoever, or whoever of one, has this as their current workspace has their home as that from now on."""
    change = update(users).where(users.c.current_workspace_id == workspace_id)
    if user_id is not None:
        change = change.where(users.c.user_id == user_id)
    connection.execute(change.values(current_workspace_id=users.c.home_workspace_id))


def remove(connection: Connection, workspace_id: str, *, by: str | None, now: float) -> int:
    """Delete a workspace for good; how many keys, pinned to it, were revoked with it.

    Members, invitations, stored answers and responses go; the books stay as they are.

    Raises:
        PermissionDenied: ``by`` is no owner.
        NotFound: there is no such workspace.
        Conflict: it is somebody's home, or requests are under way there.
    """
    revisions.bump(connection, REVISION)
    require_owner(connection, workspace_id, by)
    _check_removal(connection, workspace_id)
    pinned = developer_keys.c
    revoked = connection.execute(
        update(developer_keys)
        .where(pinned.workspace_id == workspace_id, pinned.revoked_at.is_(None))
        .values(revoked_at=now)
    ).rowcount
    send_home(connection, workspace_id)
    for table in (memberships, invitations, answers, response_events, response_items, responses, workspaces):
        connection.execute(delete(table).where(table.c.workspace_id == workspace_id))
    return revoked


def _check_removal(connection: Connection, workspace_id: str) -> None:
    at_home = select(users.c.email).where(users.c.home_workspace_id == workspace_id)
    email = connection.execute(at_home).scalar()
    if email is not None:
        raise Conflict(
            f"This is the home workspace of {email}, which cannot be deleted.", code="home_workspace"
        )
    under_way = select(func.count()).select_from(holds).where(holds.c.workspace_id == workspace_id)
    count = connection.execute(under_way).scalar_one()
    if count:
        raise Conflict(
            f"{count} requests are under way in this workspace. Try again when they are over; those that a "
            "process left behind when it died are settled by the server within its lease.",
            code="requests_under_way",
        )


def _workspaces() -> Select[tuple[str, str, str, float, str, int]]:
    """Workspaces with how many active members they have and the first of their owners."""
    table, member = workspaces.c, memberships.c
    theirs = and_(member.workspace_id == table.workspace_id, member.status == "ACTIVE")
    owner = (
        select(member.user_id)
        .where(theirs, member.role == "OWNER")
        .order_by(member.created_at, member.user_id)
        .limit(1)
        .scalar_subquery()
    )
    count = select(func.count()).where(theirs).scalar_subquery()
    return select(
        table.workspace_id,
        table.name,
        table.plan,
        table.created_at,
        owner.label("owner_id"),
        count.label("members"),
    )


def _joined(user_id: str) -> Select[tuple[str]]:
    member = memberships.c
    return select(member.workspace_id).where(member.user_id == user_id, member.status == "ACTIVE")


def _change(connection: Connection, workspace_id: str, **values: str) -> None:
    change = update(workspaces).where(workspaces.c.workspace_id == workspace_id).values(**values)
    if connection.execute(change).rowcount == 0:
        raise _unknown(workspace_id)


def _unknown(workspace_id: str) -> NotFound:
    return NotFound(f"There is no workspace {workspace_id!r}; `writingmate workspaces list` shows them.")


def _name(name: str) -> str:
    checked = name.strip()
    if not 1 <= len(checked) <= LONGEST_NAME or not checked.isprintable():
        raise InvalidRequest(
            f"A workspace's name has 1 to {LONGEST_NAME} printable characters.", param="name"
        )
    return checked


def _plan(plan: str) -> str:
    if not PLAN_NAME.fullmatch(plan):
        raise InvalidRequest(
            f"{plan!r} is not a plan's name: lower-case letters, digits, `.`, `_` and `-`.", param="plan"
        )
    return plan
