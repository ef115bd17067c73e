"""Rows of users' own provider keys. Synchronous: each function works in the caller's transaction.

Setting or removing a key bumps the ``identity`` revision, so that every process sees it on the next
request; sealing one anew changes nothing that they know. Times are UNIX seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection, LargeBinary, and_, delete, func, insert, or_, select, update

from writingmate.errors import Sealed
from writingmate.storage import revisions
from writingmate.storage.tables import answers, credentials, response_events, responses
from writingmate.vault.box import KEY_ID, Box, key_id

PROVIDER: Final = "openrouter"
REVISION: Final = "identity"
PAGE: Final = 500

_HINT_CHARACTERS = 4


@dataclass(frozen=True, slots=True)
class Credential:
    """A user's own key as it may be shown: its last characters, and when its provider last took it."""

    user_id: str
    provider: str
    hint: str
    created_at: float
    checked_at: float | None


@dataclass(frozen=True, slots=True)
class Page:
    """What `reseal` did with some rows: how many it sealed anew, those that do not open, where to go on."""

    resealed: int
    shut: tuple[Credential, ...]
    last: Credential | None


def put(
    connection: Connection, box: Box, user_id: str, secret: str, *, now: float, provider: str = PROVIDER
) -> Credential:
    """Seal and store a key that the provider has just accepted, in place of the user's last one.

    Raises:
        Sealed: what other users stored was sealed by keys that this keyring lacks. Two keyrings over
            one database would each open a part of it.
    """
    revisions.bump(connection, REVISION)
    connection.execute(delete(credentials).where(_of(user_id, provider)))
    _refuse_strange(connection, box)
    found = Credential(user_id, provider, secret[-_HINT_CHARACTERS:], now, now)
    connection.execute(
        insert(credentials).values(
            user_id=user_id,
            provider=provider,
            sealed=box.seal(secret.encode(), _context(user_id, provider)),
            hint=found.hint,
            created_at=now,
            checked_at=now,
        )
    )
    return found


def get(connection: Connection, box: Box, user_id: str, *, provider: str = PROVIDER) -> str | None:
    """The user's key, opened; None if there is none. Raises Sealed if it does not open."""
    sealed = connection.scalar(select(credentials.c.sealed).where(_of(user_id, provider)))
    return None if sealed is None else box.open(sealed, _context(user_id, provider)).decode()


def get_and_revision(connection: Connection, box: Box, user_id: str) -> tuple[str | None, int]:
    """The user's key, opened, and the revision at which it is theirs; in one `reading`."""
    revision = revisions.read(connection, REVISION)
    return get(connection, box, user_id), revision


def find(connection: Connection, user_id: str, *, provider: str = PROVIDER) -> Credential | None:
    """The user's key as it may be shown."""
    row = connection.execute(select(*_SHOWN).where(_of(user_id, provider))).mappings().one_or_none()
    return Credential(**row) if row else None


def remove(connection: Connection, user_id: str, *, provider: str = PROVIDER) -> bool:
    """Forget the user's key; False if there was none."""
    revisions.bump(connection, REVISION)
    return connection.execute(delete(credentials).where(_of(user_id, provider))).rowcount == 1


def checked(connection: Connection, user_id: str, *, now: float, provider: str = PROVIDER) -> None:
    """The provider has accepted the key just now."""
    connection.execute(update(credentials).where(_of(user_id, provider)).values(checked_at=now))


def list_credentials(connection: Connection) -> list[Credential]:
    """Every user's own keys, by user."""
    query = select(*_SHOWN).order_by(credentials.c.user_id, credentials.c.provider)
    return [Credential(**row) for row in connection.execute(query).mappings()]


def reseal(connection: Connection, box: Box, *, after: Credential | None = None, page: int = PAGE) -> Page:
    """Seal a page of rows with the newest master key; a row that changes meanwhile is left as it is."""
    found = _rows(connection, after=after, page=page)
    newest = box.keyring.sealing().key_id
    shut: list[Credential] = []
    resealed = 0
    for credential, sealed in found:
        plain = _opened(box, credential, sealed)
        if plain is None:
            shut.append(credential)
        elif key_id(sealed) != newest:
            same = and_(_of(credential.user_id, credential.provider), credentials.c.sealed == sealed)
            again = box.seal(plain, _context(credential.user_id, credential.provider))
            resealed += connection.execute(update(credentials).where(same).values(sealed=again)).rowcount
    return Page(resealed, tuple(shut), found[-1][0] if found else None)


def shut(connection: Connection, box: Box) -> list[Credential]:
    """Those that do not open with this keyring."""
    return [
        credential for credential, sealed in _rows(connection) if _opened(box, credential, sealed) is None
    ]


def still_sealed_by(connection: Connection, box: Box, key_ids: Collection[str]) -> int:
    """How many rows open with one of these master keys, and with no other."""
    return sum(
        key_id(sealed) in key_ids and _opened(box, credential, sealed) is not None
        for credential, sealed in _rows(connection)
    )


def sealers(connection: Connection) -> Counter[str]:
    """How many own keys each master key has sealed, by its id."""
    return _sealers(connection, credentials.c.sealed)


def answer_sealers(connection: Connection) -> Counter[str]:
    """The same for stored answers and responses. It reads them all, which takes its time on SQLite."""
    columns = (
        answers.c.answer,
        responses.c["items"],
        responses.c.response,
        responses.c.request,
        response_events.c.sealed,
    )
    return sum((_sealers(connection, column) for column in columns), Counter())


def _sealers(connection: Connection, column: ColumnElement[bytes | None]) -> Counter[str]:
    named = func.substr(column, KEY_ID.start + 1, KEY_ID.stop - KEY_ID.start, type_=LargeBinary)
    query = select(named, func.count()).where(column.is_not(None)).group_by(named)
    return Counter({sealer.hex(): count for sealer, count in connection.execute(query)})


def _refuse_strange(connection: Connection, box: Box) -> None:
    for sealer in sorted(sealers(connection)):
        box.keyring.find(sealer)


def _rows(
    connection: Connection, *, after: Credential | None = None, page: int | None = None
) -> list[tuple[Credential, bytes]]:
    table = credentials.c
    query = select(*_SHOWN, table.sealed).order_by(table.user_id, table.provider).limit(page)
    if after is not None:
        same = and_(table.user_id == after.user_id, table.provider > after.provider)
        query = query.where(or_(table.user_id > after.user_id, same))
    return [(Credential(*row[:-1]), row[-1]) for row in connection.execute(query)]


def _opened(box: Box, credential: Credential, sealed: bytes) -> bytes | None:
    try:
        return box.open(sealed, _context(credential.user_id, credential.provider))
    except Sealed:
        return None


def _of(user_id: str, provider: str) -> ColumnElement[bool]:
    return and_(credentials.c.user_id == user_id, credentials.c.provider == provider)


def _context(user_id: str, provider: str) -> bytes:
    """Binds a sealed key to its row: moved to another one it does not open."""
    return b"\0".join((b"credential", user_id.encode(), provider.encode()))


_SHOWN = tuple(column for column in credentials.c if column.name != "sealed")
