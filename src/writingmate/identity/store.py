"""Rows of users and developer keys. Synchronous: each function works in the caller's transaction.

Whatever changes what a key may do bumps the ``identity`` revision in the same transaction, which
is how every process learns of it (see `Principal`). Times are UNIX seconds.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import (
    Connection,
    RowMapping,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    or_,
    select,
    update,
)

from writingmate.errors import InvalidRequest, NotFound
from writingmate.identity import keys
from writingmate.identity.keys import MintedKey, SigningKey
from writingmate.identity.records import DeveloperKey, Facts, KeyOptions, Keyring, User
from writingmate.identity.signing import LEAD_SECONDS, signer, superseded
from writingmate.storage import revisions
from writingmate.storage.tables import (
    credentials,
    developer_keys,
    memberships,
    signing_keys,
    users,
    workspaces,
)
from writingmate.storage.tables import revisions as revision_rows

REVISION = "identity"
OWN_KEYS_OF = "openrouter"
LONGEST_NAME = 200
_BATCH = 1000
_EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,255}")


def create_user(connection: Connection, email: str, *, plan: str, now: float) -> User:
    """Add a user with a home workspace of their own, on ``plan``.

    Raises:
        InvalidRequest: the address is none, or is taken.
    """
    address = email.strip().lower()
    if not _EMAIL.fullmatch(address):
        raise InvalidRequest(f"{email!r} is not an e-mail address.", param="email")
    revisions.bump(connection, REVISION)
    if find_user(connection, address) is not None:
        raise InvalidRequest(f"There is a user {address} already.", param="email")
    user_id, workspace_id = f"user_{secrets.token_hex(10)}", f"ws_{secrets.token_hex(10)}"
    user = User(user_id, address, workspace_id, workspace_id, now)
    name = f"{address.partition('@')[0]}'s workspace"
    connection.execute(
        workspaces.insert().values(workspace_id=workspace_id, name=name, plan=plan, created_at=now)
    )
    connection.execute(users.insert().values(**_columns(user)))
    connection.execute(
        memberships.insert().values(
            workspace_id=workspace_id, user_id=user_id, role="OWNER", status="ACTIVE", created_at=now
        )
    )
    return user


def find_user(connection: Connection, email_or_id: str) -> User | None:
    """The user of this address (in any case) or id."""
    wanted = email_or_id.strip()
    query = select(users).where(or_(users.c.email == wanted.lower(), users.c.user_id == wanted))
    row = connection.execute(query).mappings().one_or_none()
    return User(**row) if row else None


def list_users(connection: Connection) -> list[User]:
    """All users, the oldest first."""
    query = select(users).order_by(users.c.created_at, users.c.user_id)
    return [User(**row) for row in connection.execute(query).mappings()]


def create_key(connection: Connection, user: User, options: KeyOptions, *, now: float) -> MintedKey:
    """Mint a key for ``user`` and store its hash. The key text is in the answer and nowhere else.

    Raises:
        NotFound: it is to be pinned to a workspace that ``user`` is no active member of.
        InvalidRequest: an option is out of range.
        ConfigurationError: there is no signing key yet.
    """
    _check(connection, user, options, now)
    minted = keys.mint(signer(load_signing_keys(connection), now))
    models = options.allowed_models
    connection.execute(
        developer_keys.insert().values(
            key_id=minted.key_id,
            user_id=user.user_id,
            workspace_id=options.workspace_id,
            name=options.name.strip(),
            prefix=minted.prefix,
            secret_hash=minted.secret_hash,
            allowed_models=None if models is None else msgspec.json.encode(sorted(set(models))).decode(),
            daily_cap=options.daily_cap,
            created_at=now,
            expires_at=options.expires_at,
        )
    )
    revisions.bump(connection, REVISION)
    return minted


def list_keys(connection: Connection, *, user_id: str | None = None) -> list[DeveloperKey]:
    """The keys of one user or of all, the oldest first; revoked ones included."""
    query = select(*_KEY_COLUMNS).order_by(developer_keys.c.created_at, developer_keys.c.key_id)
    if user_id is not None:
        query = query.where(developer_keys.c.user_id == user_id)
    return [_key(row) for row in connection.execute(query).mappings()]


def revoke_key(connection: Connection, key_id: str, *, now: float) -> bool:
    """Revoke a key for good; False if it was revoked before.

    Raises:
        NotFound: there is no such key.
    """
    table = developer_keys.c
    found = connection.execute(select(table.revoked_at).where(table.key_id == key_id)).first()
    if found is None:
        raise NotFound(f"There is no key {key_id!r}; `writingmate keys list` shows the ids.")
    if found.revoked_at is not None:
        return False
    revisions.bump(
        connection, REVISION
    )  # before the key's row is locked, as whoever deletes a workspace does
    change = update(developer_keys).where(table.key_id == key_id, table.revoked_at.is_(None))
    return connection.execute(change.values(revoked_at=now)).rowcount == 1


def touch(connection: Connection, used: Mapping[str, float]) -> None:
    """Write when keys were last used: ``used`` maps key ids to times. One statement a thousand keys."""
    table = developer_keys.c
    items = list(used.items())
    for start in range(0, len(items), _BATCH):
        batch = dict(items[start : start + _BATCH])
        moment = case(batch, value=table.key_id)
        newer = or_(table.last_used_at.is_(None), table.last_used_at < moment)
        change = update(developer_keys).where(table.key_id.in_(list(batch)), newer)
        connection.execute(change.values(last_used_at=moment))


def facts(connection: Connection, key_id: str, workspace_id: str | None) -> Facts | None:
    """Everything about a key, acting in ``workspace_id`` or where it acts by itself, in one query."""
    values = {"key_id": key_id} | ({} if workspace_id is None else {"workspace_id": workspace_id})
    query = _FACTS if workspace_id is None else _FACTS_ASKED
    row = connection.execute(query, values).mappings().one_or_none()
    if row is None:
        return None
    revision, byok = row["revision"] or 0, bool(row["byok"])
    return Facts(_key(row), row["secret_hash"], row["acting_in"], row["plan"], revision, byok)


def facts_and_keyring(
    connection: Connection, *, key_id: str, workspace_id: str | None, known: int
) -> tuple[Facts | None, Keyring | None]:
    """The facts of a key; with them the signing keys, where those of revision ``known`` may be outdated."""
    found = facts(connection, key_id, workspace_id)
    if found is None or found.revision == known:
        return found, None
    return found, Keyring(load_signing_keys(connection), found.revision)


def keyring(connection: Connection) -> Keyring:
    """The signing keys and the revision; the latter is read first, so that it never promises too much."""
    revision = revisions.read(connection, REVISION)
    return Keyring(load_signing_keys(connection), revision)


def load_signing_keys(connection: Connection) -> tuple[SigningKey, ...]:
    """Every signing key that verifies, the newest first."""
    table = signing_keys.c
    columns = (table.signing_key_id, table.secret, table.created_at, table.signs_from)
    query = select(*columns).where(table.retired_at.is_(None)).order_by(table.signs_from.desc())
    return tuple(SigningKey(**row) for row in connection.execute(query).mappings())


def ensure_signing_key(connection: Connection, *, now: float) -> None:
    """Make the first signing key, which signs at once; nothing if there is one.

    Others who do the same wait until this transaction ends.
    """
    revisions.bump(connection, REVISION)
    if not load_signing_keys(connection):
        _share(connection, keys.new_signing_key(now, signs_from=now))


def rotate_signing_key(connection: Connection, *, now: float) -> SigningKey:
    """Share a new signing key now; it signs once every process has had the time to read it."""
    fresh = keys.new_signing_key(now, signs_from=now + LEAD_SECONDS)
    revisions.bump(connection, REVISION)
    _share(connection, fresh)
    return fresh


def signed_by_superseded(connection: Connection, *, now: float) -> int:
    """How many active keys stop working when the signing keys that no longer sign are retired."""
    known = load_signing_keys(connection)
    old = superseded(known, now)
    if not old:
        return 0
    table = developer_keys.c
    theirs = and_(
        table.created_at >= min(key.signs_from for key in old),
        table.created_at < signer(known, now).signs_from,
    )
    unexpired = or_(table.expires_at.is_(None), table.expires_at > now)
    query = select(func.count()).where(theirs, table.revoked_at.is_(None), unexpired)
    return int(connection.execute(query).scalar_one())


def retire_signing_keys(connection: Connection, *, now: float) -> int:
    """Stop accepting what older signing keys signed; the number of signing keys retired."""
    retired = [key.signing_key_id for key in superseded(load_signing_keys(connection), now)]
    if retired:
        change = update(signing_keys).where(signing_keys.c.signing_key_id.in_(retired))
        connection.execute(change.values(retired_at=now))
        revisions.bump(connection, REVISION)
    return len(retired)


def _share(connection: Connection, key: SigningKey) -> None:
    connection.execute(
        signing_keys.insert().values(
            signing_key_id=key.signing_key_id,
            secret=key.secret,
            created_at=key.created_at,
            signs_from=key.signs_from,
        )
    )


def _check(connection: Connection, user: User, options: KeyOptions, now: float) -> None:
    if not 1 <= len(options.name.strip()) <= LONGEST_NAME:
        raise InvalidRequest(f"A key's name has 1 to {LONGEST_NAME} characters.", param="name")
    if options.daily_cap is not None and options.daily_cap < 1:
        raise InvalidRequest("A key's daily cap is at least 1 message.", param="daily_cap")
    if options.expires_at is not None and options.expires_at <= now:
        raise InvalidRequest("A key must expire in the future.", param="expires_at")
    if options.workspace_id is not None and not _is_member(connection, user.user_id, options.workspace_id):
        raise NotFound(
            f"{user.email} is not a member of a workspace {options.workspace_id!r}; "
            "`writingmate workspaces list` shows the ids.",
            param="workspace",
        )


def _is_member(connection: Connection, user_id: str, workspace_id: str) -> bool:
    table = memberships.c
    query = select(table.user_id).where(
        table.workspace_id == workspace_id, table.user_id == user_id, table.status == "ACTIVE"
    )
    return connection.execute(query).first() is not None


def _columns(user: User) -> dict[str, object]:
    return {name: getattr(user, name) for name in User.__slots__}


def _key(row: RowMapping) -> DeveloperKey:
    values: dict[str, Any] = {column.name: row[column.name] for column in _KEY_COLUMNS}
    models = values.pop("allowed_models")
    allowed = None if models is None else msgspec.json.decode(models, type=tuple[str, ...])
    return DeveloperKey(**values, allowed_models=allowed)


_KEY_COLUMNS = tuple(column for column in developer_keys.c if column.name != "secret_hash")


def _facts_query(*, asked: bool) -> Select[Any]:
    key, user, membership = developer_keys.c, users.c, memberships.c
    acting_in = (
        bindparam("workspace_id", type_=key.workspace_id.type)
        if asked
        else func.coalesce(key.workspace_id, user.current_workspace_id)
    )
    member = and_(
        membership.workspace_id == acting_in, membership.user_id == key.user_id, membership.status == "ACTIVE"
    )
    own_key = exists().where(credentials.c.user_id == key.user_id, credentials.c.provider == OWN_KEYS_OF)
    revision = select(revision_rows.c.value).where(revision_rows.c.name == REVISION).scalar_subquery()
    return (
        select(
            *_KEY_COLUMNS,
            key.secret_hash,
            acting_in.label("acting_in"),
            workspaces.c.plan,
            revision.label("revision"),
            own_key.label("byok"),
        )
        .join(users, user.user_id == key.user_id)
        .outerjoin(memberships, member)
        .outerjoin(workspaces, workspaces.c.workspace_id == membership.workspace_id)
        .where(key.key_id == bindparam("key_id"))
    )


_FACTS = _facts_query(asked=False)
_FACTS_ASKED = _facts_query(asked=True)
