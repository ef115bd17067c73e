"""What is known of users and developer keys, as values. Times are UNIX seconds."""

from __future__ import annotations

from dataclasses import dataclass, field

from writingmate.identity.keys import SigningKey


@dataclass(frozen=True, slots=True)
class User:
    """A person. ``home_workspace_id`` never changes, ``current_workspace_id`` is theirs to choose."""

    user_id: str
    email: str
    home_workspace_id: str
    current_workspace_id: str
    created_at: float


@dataclass(frozen=True, slots=True)
class DeveloperKey:
    """A key as it may be shown: everything but the secret and its hash.

    ``workspace_id`` is set where the key is pinned; ``allowed_models`` None allows every model of
    the plan; ``daily_cap`` is in messages a day.
    """

    key_id: str
    user_id: str
    workspace_id: str | None
    name: str
    prefix: str
    allowed_models: tuple[str, ...] | None
    daily_cap: int | None
    created_at: float
    expires_at: float | None
    revoked_at: float | None
    last_used_at: float | None

    def status(self, now: float) -> str:
        """``active``, ``expired`` or ``revoked``."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "active"


@dataclass(frozen=True, slots=True)
class KeyOptions:
    """What the owner of a new key may choose."""

    name: str = "Developer key"
    workspace_id: str | None = None
    expires_at: float | None = None
    allowed_models: tuple[str, ...] | None = None
    daily_cap: int | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """All that decides what a key may do now, read by one query.

    ``workspace_id`` is the one asked for, else the pinned, else the user's current one; ``plan`` is
    None where it does not exist or the user is no active member of it. ``byok``: the user has an
    OpenRouter key of their own.
    """

    key: DeveloperKey
    secret_hash: bytes = field(repr=False)
    workspace_id: str
    plan: str | None
    revision: int
    byok: bool = False


@dataclass(frozen=True, slots=True)
class Keyring:
    """The signing keys that verify, as they were at ``revision`` or a little later."""

    signing_keys: tuple[SigningKey, ...]
    revision: int
