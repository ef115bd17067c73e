"""Who belongs to a workspace, and what may be done to them: values and rules, no clock, no database.

Wherever rules take ``by``, it is the id of the user who acts; None is the operator, who is above roles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from writingmate.errors import Conflict, InvalidRequest, PermissionDenied

Role: TypeAlias = Literal["OWNER", "MEMBER"]
Status: TypeAlias = Literal["INVITED", "ACTIVE"]

OWNER: Final = "OWNER"
MEMBER: Final = "MEMBER"
INVITED: Final = "INVITED"
ACTIVE: Final = "ACTIVE"


@dataclass(frozen=True, slots=True)
class Member:
    """Someone in a workspace, or invited to it. ``home`` where the workspace is their home.

    ``since`` is when they joined or, while ``status`` is INVITED, were invited; in UNIX seconds.
    """

    workspace_id: str
    user_id: str
    email: str
    role: Role
    status: Status
    since: float
    home: bool


def role_named(text: str) -> Role:
    """``OWNER`` or ``MEMBER``, written in any case. Raises InvalidRequest."""
    match text.strip().upper():
        case "OWNER":
            return "OWNER"
        case "MEMBER":
            return "MEMBER"
        case _:
            raise InvalidRequest(f"{text!r} is not a role; there are `owner` and `member`.", param="role")


def check_departure(member: Member, owners: int) -> None:
    """Whether someone may leave or be removed from a workspace that has so many owners.

    Raises:
        Conflict: it is their home, or nobody would own it.
    """
    if member.home:
        raise Conflict(
            f"This is the home workspace of {member.email}, who always stays in it.",
            code="home_workspace",
        )
    _check_owned(member, owners)


def check_demotion(member: Member, owners: int) -> None:
    """Whether an owner may become a member. Raises Conflict as `check_departure`."""
    if member.home:
        raise Conflict(
            f"This is the home workspace of {member.email}, who always owns it.", code="home_workspace"
        )
    _check_owned(member, owners)


def not_accessible() -> PermissionDenied:
    """One answer for an unknown workspace and for one of others, so that ids cannot be probed."""
    return PermissionDenied(
        "There is no such workspace, or you are not a member of it.", code="workspace_not_accessible"
    )


def owner_required() -> PermissionDenied:
    """For a member who asks for what is an owner's."""
    return PermissionDenied(
        "Only an owner of this workspace may do this. Ask one of its owners.", code="owner_required"
    )


def _check_owned(member: Member, owners: int) -> None:
    if member.role == OWNER and owners <= 1:
        raise Conflict(
            f"{member.email} is the only owner of this workspace. Make another member an owner first, or "
            "delete the workspace.",
            code="last_owner",
        )
