"""A new master key, and everything sealed anew with it; safe beside running servers.

The new key is in the file before anything is sealed with it, the old ones still open, and rows
change a page at a time.
"""

from __future__ import annotations

from dataclasses import dataclass

from writingmate.errors import ConfigurationError
from writingmate.storage import revisions
from writingmate.storage.engine import Database
from writingmate.vault import store
from writingmate.vault.box import Box
from writingmate.vault.store import Credential


@dataclass(frozen=True, slots=True)
class Resealed:
    """How many rows were sealed anew, and those that do not open with any key of the keyring."""

    rows: int
    shut: tuple[Credential, ...]


def rotate(database: Database, box: Box, *, page: int = store.PAGE) -> Resealed:
    """Seal with a new master key (the prepared one, if there is one) from now on, old rows included."""
    box.keyring.rotate()
    return reseal(database, box, page=page)


def reseal(database: Database, box: Box, *, page: int = store.PAGE) -> Resealed:
    """Seal every row anew that an older master key sealed."""
    rows = 0
    shut: list[Credential] = []
    last: Credential | None = None
    while True:
        with database.transaction() as connection:
            done = store.reseal(connection, box, after=last, page=page)
        rows += done.resealed
        shut += done.shut
        last = done.last
        if last is None:
            return Resealed(rows, tuple(shut))


def discard(database: Database, box: Box) -> int:
    """Remove the rows that nothing opens any more, whose users must set their keys again; their number."""
    with database.transaction() as connection:
        revisions.bump(connection, store.REVISION)
        shut = store.shut(connection, box)
        for each in shut:
            store.remove(connection, each.user_id, provider=each.provider)
    return len(shut)


def retire(database: Database, box: Box, *, force: bool = False) -> int:
    """Drop the master keys that no longer seal; their number.

    Raises:
        ConfigurationError: stored answers need one of them still, and ``force`` was not given.
    """
    reseal(database, box)
    sealing = box.keyring.sealing()
    old = {key.key_id for key in box.keyring.known() if key != sealing and not key.prepared}
    with database.reading() as connection:
        answers = store.answer_sealers(connection)
    needed = sum(answers[key_id] for key_id in old)
    if needed and not force:
        raise ConfigurationError(
            f"{needed} stored answers were sealed by older master keys and would not open any more. "
            "Wait until they have expired, or add --yes."
        )
    with database.transaction() as connection:
        # Whoever sets a key meanwhile waits for this one, and then seals with what is left.
        revisions.bump(connection, store.REVISION)
        if store.still_sealed_by(connection, box, old):
            raise ConfigurationError("A user's key was set at this moment; run it again.")
        return box.keyring.retire()
