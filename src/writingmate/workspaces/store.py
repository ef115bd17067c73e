"""Rows of workspaces and memberships. Synchronous: each function works in the caller's transaction.

A change of plan, of membership or of a user's current workspace bumps the ``identity`` revision in
the same transaction, so that no request goes on with what was true before.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sqlalchemy import Connection, Select, and_, func, select, update

from writingmate.errors import InvalidRequest, NotFound
from writingmate.storage import revisions
from writingmate.storage.tables import memberships, users, workspaces
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


def rename(connection: Connection, workspace_id: str, name: str) -> None:
    """Give a workspace another name. Raises NotFound, InvalidRequest."""
    _change(connection, workspace_id, name=_name(name))


def set_plan(connection: Connection, workspace_id: str, plan: str) -> None:
    """Put a workspace on a plan, from its next request on. Raises NotFound, InvalidRequest."""
    _change(connection, workspace_id, plan=_plan(plan))
    revisions.bump(connection, REVISION)


def set_current(connection: Connection, user_id: str, workspace_id: str) -> None:
    """Choose where a user's unpinned keys act.

    Raises:
        NotFound: there is no such workspace, or the user is no active member of it.
    """
    table = workspaces.c
    query = select(table.workspace_id).where(
        table.workspace_id == workspace_id, table.workspace_id.in_(_joined(user_id))
    )
    if connection.execute(query).first() is None:
        raise _unknown(workspace_id)
    change = update(users).where(users.c.user_id == user_id)
    connection.execute(change.values(current_workspace_id=workspace_id))
    revisions.bump(connection, REVISION)


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
