"""Three people with a key each, and a workspace that the first owns."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from writingmate.identity import store as identity
from writingmate.identity.keys import MintedKey
from writingmate.identity.records import KeyOptions, User
from writingmate.storage import revisions
from writingmate.storage.engine import Database
from writingmate.workspaces import invitation_store, member_store, store
from writingmate.workspaces.members import Role

NOW = 1_800_000_000.0
ADA, BOB, CAT = "ada@example.org", "bob@example.org", "cat@example.org"


@dataclass(frozen=True)
class Team:
    """Ada owns it; Bob and Cat have accounts of their own."""

    database: Database
    id: str
    ada: User
    bob: User
    cat: User

    def join(self, user: User, role: Role = "MEMBER") -> None:
        """By an invitation, as everyone does."""
        with self.database.transaction() as connection:
            _, secret = invitation_store.invite(
                connection, self.id, user.email, role, by=self.ada.user_id, now=NOW
            )
            invitation_store.accept(connection, secret, user.user_id, now=NOW + 1)

    def key(self, user: User, *, pinned: bool = False) -> MintedKey:
        options = KeyOptions(workspace_id=self.id if pinned else None)
        with self.database.transaction() as connection:
            return identity.create_key(connection, user, options, now=NOW)

    def roles(self) -> dict[str, str]:
        """Role and status by address."""
        with self.database.reading() as connection:
            members = member_store.list_members(connection, self.id, by=None, now=NOW)
        return {member.email: f"{member.role} {member.status}" for member in members}

    def acts_here(self, key: MintedKey) -> bool:
        """Whether a key may be used in the workspace."""
        with self.database.reading() as connection:
            facts = identity.facts(connection, key.key_id, self.id)
        assert facts is not None
        return facts.plan is not None

    def current(self, user: User) -> str:
        with self.database.reading() as connection:
            found = identity.find_user(connection, user.user_id)
        assert found is not None
        return found.current_workspace_id

    def revision(self) -> int:
        with self.database.reading() as connection:
            return revisions.read(connection, store.REVISION)


def team(database: Database) -> Team:
    with database.transaction() as connection:
        identity.ensure_signing_key(connection, now=NOW)
        ada, bob, cat = (_user(connection, email) for email in (ADA, BOB, CAT))
        made = store.create(connection, "Team", owner_id=ada.user_id, plan="free", now=NOW)
    return Team(database, made.workspace_id, ada, bob, cat)


def _user(connection: Connection, email: str) -> User:
    return identity.create_user(connection, email, plan="free", now=NOW)
