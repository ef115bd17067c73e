"""``writingmate workspaces invite|invitations|withdraw|accept``."""

from __future__ import annotations

import time
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from writingmate.cli import output, setup
from writingmate.cli.options import Acting, DataDir, Json, Themselves, WorkspaceId

if TYPE_CHECKING:
    from writingmate.workspaces.invitations import Invitation


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    app.command()(invite)
    app.command("invitations")(list_)
    app.command()(withdraw)
    app.command()(accept)


def invite(
    workspace: WorkspaceId,
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="The invited person's address.")],
    role: Annotated[str, typer.Option(metavar="ROLE", help="`member` or `owner`.")] = "member",
    days: Annotated[int, typer.Option(help="How long the link works, at most 90 days.")] = 7,
    by: Annotated[
        str | None,
        typer.Option("--by", "--as", metavar="USER", help="The owner who invites; else the operator does."),
    ] = None,
    *,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Invite someone to a workspace, and show the link, once.

    A newer invitation of the same address replaces an open one.
    """
    from writingmate.identity import store as identity
    from writingmate.workspaces import invitation_store
    from writingmate.workspaces.invitations import DAY, link
    from writingmate.workspaces.members import role_named

    given = role_named(role)
    settings = setup.read(data_dir)
    with setup.opened(data_dir) as database, database.transaction() as connection:
        inviter = setup.acting(connection, by)
        made, secret = invitation_store.invite(
            connection, workspace, email, given, by=inviter, now=time.time(), ttl=days * DAY
        )
        has_account = identity.find_user(connection, made.email) is not None
    address = link(settings.public_url, secret)
    if json:
        output.document({**_described(made, made.created_at), "link": address, "has_account": has_account})
        return
    print(f"{made.email} may join {workspace} until {output.minute(made.expires_at)} UTC. Shown only now:\n")
    print(address)
    if not has_account:
        print(f"\nThey need an account to accept: writingmate users create {quote(made.email)}")


def list_(
    workspace: WorkspaceId, acting: Acting = None, *, data_dir: DataDir = None, json: Json = False
) -> None:
    """List the invitations to a workspace, also those that are used, withdrawn or expired."""
    from writingmate.identity import store as identity
    from writingmate.workspaces import invitation_store

    with setup.opened(data_dir) as database, database.reading() as connection:
        by = setup.acting(connection, acting)
        found = invitation_store.list_invitations(connection, workspace, by=by)
        emails = {user.user_id: user.email for user in identity.list_users(connection)}
    now = time.time()
    if json:
        output.document([_described(invitation, now) for invitation in found])
        return
    output.table(
        ("INVITATION", "E-MAIL", "ROLE", "STATUS", "INVITED BY", "EXPIRES"),
        [
            (
                invitation.invitation_id,
                invitation.email,
                invitation.role.lower(),
                invitation.status(now),
                emails.get(invitation.invited_by or "", "(operator)"),
                output.minute(invitation.expires_at),
            )
            for invitation in found
        ],
        empty="Nobody was invited.",
    )


def withdraw(
    workspace: WorkspaceId,
    invitation: Annotated[str, typer.Argument(metavar="INVITATION", help="As `invitations` shows it.")],
    acting: Acting = None,
    *,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Take an invitation back; its link no longer works."""
    from writingmate.workspaces import invitation_store

    with setup.opened(data_dir) as database, database.transaction() as connection:
        by = setup.acting(connection, acting)
        changed = invitation_store.withdraw(connection, workspace, invitation, by=by, now=time.time())
    if json:
        output.document({"invitation": invitation, "withdrawn": changed})
    else:
        print(f"Invitation {invitation} is withdrawn." if changed else f"{invitation} was not open any more.")


def accept(
    code: Annotated[str, typer.Argument(metavar="CODE_OR_LINK", help="The link, or what it ends with.")],
    user: Themselves,
    *,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Accept an invitation for the user it was sent to."""
    from writingmate.workspaces import invitation_store
    from writingmate.workspaces.invitations import secret_in

    with setup.opened(data_dir) as database, database.transaction() as connection:
        invited = setup.whom(connection, user)
        offer = invitation_store.accept(connection, secret_in(code), invited.user_id, now=time.time())
    joined, role = offer.invitation.workspace_id, offer.invitation.role
    if json:
        document = {"workspace": joined, "name": offer.workspace, "role": role, "user": invited.user_id}
        output.document(document)
    else:
        print(f"{invited.email} is {role.lower()} of {joined} ({offer.workspace}) now.")


def _described(invitation: Invitation, now: float) -> dict[str, object]:
    return {
        "invitation": invitation.invitation_id,
        "workspace": invitation.workspace_id,
        "email": invitation.email,
        "role": invitation.role,
        "status": invitation.status(now),
        "invited_by": invitation.invited_by,
        "created": output.moment(invitation.created_at),
        "expires": output.moment(invitation.expires_at),
        "accepted": output.moment(invitation.accepted_at),
        "accepted_by": invitation.accepted_by,
        "withdrawn": output.moment(invitation.withdrawn_at),
    }
