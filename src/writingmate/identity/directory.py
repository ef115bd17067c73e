"""From a key text to the principal it stands for, remembered as long as nothing changes.

A forged or mistyped key costs no look-up: its signature is checked in memory first. A genuine one
costs one query, then none until the ``identity`` revision moves on. A cached principal carries the
revision it was read at, and the hold made with it is refused if that is no longer the current one:
then `forget` it and ask again. An answer that needs no hold asks with ``fresh=True``.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from writingmate.identity import keys, refusals, store
from writingmate.identity.keys import ParsedKey
from writingmate.identity.records import Facts, Keyring
from writingmate.storage.engine import Database
from writingmate.types import Principal

REMEMBERED = 20_000
_UNKNOWN = -1
_WORKSPACE_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")


@dataclass(frozen=True, slots=True)
class _Standing:
    """A principal that was found, and until when its key is good."""

    principal: Principal
    expires_at: float | None


_Slot: TypeAlias = tuple[bytes, str | None]


class Directory:
    """Who is behind a key; one a process, used from its event loop.

    Two jobs belong to it: `refresh` every `signing.REFRESH_SECONDS`, and `flush_last_used` every
    minute or so and before the process ends.
    """

    def __init__(
        self, database: Database, *, clock: Callable[[], float] = time.time, remembered: int = REMEMBERED
    ) -> None:
        self._database = database
        self._clock = clock
        self._remembered = remembered
        self._salt = secrets.token_bytes(16)
        self._keyring: Keyring | None = None
        self._revision = _UNKNOWN
        self._standings: dict[_Slot, _Standing] = {}
        self._flights: dict[_Slot, asyncio.Task[_Standing]] = {}
        self._used: dict[str, float] = {}

    async def principal(
        self, key_text: str | None, workspace: str | None = None, *, fresh: bool = False
    ) -> Principal:
        """Who calls with this key, acting in ``workspace`` (``x-writingmate-workspace``) or by default.

        Args:
            key_text: what came after ``Bearer``; None or empty where there was nothing.
            workspace: the workspace asked for; None where the request names none.
            fresh: read the facts again although they are remembered.

        Raises:
            Unauthenticated: no key, or a malformed, forged, unknown, revoked or expired one.
            PermissionDenied: the workspace is unknown, not the user's, or not the one the key is pinned to.
            Unavailable: the database is out of reach.
        """
        if not key_text:
            raise refusals.no_key()
        if len(key_text) != keys.LENGTH or not key_text.isascii():
            raise refusals.incorrect(key_text)
        slot = (self._digest(key_text), workspace)
        standing = None if fresh else self._standings.get(slot)
        if standing is None or standing.principal.revision != self._revision:
            standing = await self._find(key_text, slot, fresh=fresh)
        return self._use(standing, key_text)

    async def of_key(self, key_id: str, workspace: str) -> Principal:
        """Who acts in ``workspace`` by the key of that id, read now; for what runs without its caller.

        Raises as `principal` does.
        """
        query = partial(store.facts, key_id=key_id, workspace_id=workspace)
        facts = await self._database.read(query)
        if facts is None:
            raise refusals.incorrect(key_id)
        standing = _standing(facts, workspace, facts.key.prefix)
        if standing.expires_at is not None and standing.expires_at <= self._clock():
            raise refusals.expired(facts.key.prefix, standing.expires_at)
        return standing.principal

    def forget(self, principal: Principal) -> None:
        """Identity has changed since ``principal`` was read: what is remembered of that time is void."""
        if principal.revision >= self._revision:
            self._revision = _UNKNOWN
            self._flights.clear()

    async def refresh(self) -> None:
        """Learn of new and retired signing keys, and of everything else that has changed."""
        self._see(await self._database.read(store.keyring))

    async def flush_last_used(self) -> None:
        """Write when each key was last used since the last time; kept for the next time if that fails."""
        used, self._used = self._used, {}
        if not used:
            return
        try:
            await self._database.write(partial(store.touch, used=used))
        except BaseException:
            self._used = used | self._used
            raise

    def _digest(self, key_text: str) -> bytes:
        """Stands for the key in memory, so that a dump of it holds no key that works."""
        return hashlib.blake2b(key_text.encode("ascii"), digest_size=32, key=self._salt).digest()

    async def _find(self, key_text: str, slot: _Slot, *, fresh: bool) -> _Standing:
        if self._keyring is None:
            await self.refresh()
        parsed = self._verify(key_text)
        if fresh:
            return await self._read(key_text, parsed, slot)
        flight = self._flights.get(slot)
        if flight is None:
            flight = asyncio.create_task(self._read(key_text, parsed, slot))
            self._flights[slot] = flight
            flight.add_done_callback(partial(self._landed, slot))
        return await asyncio.shield(flight)

    def _landed(self, slot: _Slot, flight: asyncio.Task[_Standing]) -> None:
        if self._flights.get(slot) is flight:
            del self._flights[slot]
        if not flight.cancelled():
            flight.exception()  # whoever waited for it may have left

    def _verify(self, key_text: str) -> ParsedKey:
        parsed = keys.verify(key_text, self._keyring.signing_keys) if self._keyring else None
        if parsed is None:
            raise refusals.incorrect(key_text)
        return parsed

    async def _read(self, key_text: str, parsed: ParsedKey, slot: _Slot) -> _Standing:
        workspace = slot[1]
        asked = workspace if workspace is None or _WORKSPACE_ID.fullmatch(workspace) else ""
        known = self._keyring.revision if self._keyring else _UNKNOWN
        facts, keyring = await self._database.read(
            partial(store.facts_and_keyring, key_id=parsed.key_id, workspace_id=asked, known=known)
        )
        if keyring is not None:
            self._see(keyring)
            self._verify(key_text)
        if facts is None or not hmac.compare_digest(facts.secret_hash, parsed.secret_hash):
            raise refusals.incorrect(key_text)
        standing = _standing(facts, asked, parsed.prefix)
        self._remember(slot, standing)
        return standing

    def _see(self, keyring: Keyring) -> None:
        if self._keyring is None or keyring.revision >= self._keyring.revision or self._revision == _UNKNOWN:
            self._keyring = keyring
            self._revision = keyring.revision

    def _remember(self, slot: _Slot, standing: _Standing) -> None:
        if self._revision == _UNKNOWN:
            self._revision = standing.principal.revision
        self._standings.pop(slot, None)
        if len(self._standings) >= self._remembered:
            del self._standings[next(iter(self._standings))]
        self._standings[slot] = standing

    def _use(self, standing: _Standing, key_text: str) -> Principal:
        now = self._clock()
        if standing.expires_at is not None and standing.expires_at <= now:
            raise refusals.expired(keys.shown(key_text), standing.expires_at)
        self._used[standing.principal.key_id] = now
        return standing.principal


def _standing(facts: Facts, asked: str | None, prefix: str) -> _Standing:
    key = facts.key
    if key.revoked_at is not None:
        raise refusals.revoked(prefix)
    pinned_elsewhere = asked is not None and key.workspace_id is not None and key.workspace_id != asked
    if facts.plan is None or pinned_elsewhere:
        raise refusals.workspace_not_accessible()
    principal = Principal(
        user_id=key.user_id,
        workspace_id=facts.workspace_id,
        key_id=key.key_id,
        plan=facts.plan,
        revision=facts.revision,
        daily_cap=key.daily_cap,
        allowed_models=None if key.allowed_models is None else frozenset(key.allowed_models),
        byok=facts.byok,
    )
    return _Standing(principal, key.expires_at)
