"""A user's own OpenRouter key: set, tested, shown and removed (PRODUCT §4 "BYOK").

A key is stored only once OpenRouter has accepted it. It goes to OpenRouter's address and nowhere
else, and of what OpenRouter says about it only figures are kept.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import msgspec

from writingmate.errors import (
    BadGateway,
    GatewayTimeout,
    InvalidRequest,
    NotFound,
    UpstreamError,
    UpstreamRefused,
    UpstreamTimeout,
)
from writingmate.operations.failures import forget_key, rejected
from writingmate.storage.engine import Database
from writingmate.telemetry import log
from writingmate.types import Provider
from writingmate.upstream.base import Call, Timeouts, Upstream
from writingmate.vault import store
from writingmate.vault.box import Box
from writingmate.vault.store import Credential

SHORTEST, LONGEST = 16, 512
DEVELOPER_KEY = "wm_v2."
TIMEOUTS = Timeouts(connect=5.0, first=20.0, idle=20.0)


@dataclass(frozen=True, slots=True)
class Standing:
    """What OpenRouter says of a key: US dollars used, allowed and left (None: no limit), and until when."""

    usage: float | None
    limit: float | None
    limit_remaining: float | None
    free_tier: bool
    expires_at: str | None


@dataclass(frozen=True, slots=True)
class OwnKeys:
    """What a user may do with the OpenRouter key that is theirs.

    ``provider`` is OpenRouter without a key. Everything that reaches for the database raises
    Unavailable when it is out of reach.
    """

    database: Database
    box: Box
    network: Upstream
    provider: Provider
    clock: Callable[[], float] = time.time

    async def set(self, user_id: str, key: str) -> tuple[Credential, Standing]:
        """Ask OpenRouter about ``key``, then seal and store it in place of the last one.

        Raises:
            InvalidRequest: it cannot be a key of OpenRouter's, or is one that cannot generate.
            Unauthenticated: OpenRouter refused it (``provider_key_rejected``).
            BadGateway: OpenRouter could not be asked, or did not answer as it does; GatewayTimeout too.
            Sealed: this server's master keys are not those of the database.
        """
        key = checked(key)
        standing = await ask(self.network, self.provider, key)
        change = partial(store.put, box=self.box, user_id=user_id, secret=key, now=self.clock())
        return await self.database.write(change), standing

    async def test(self, user_id: str) -> Standing:
        """Ask OpenRouter about the stored key.

        Raises:
            NotFound: there is none.
            Sealed: it does not open.
            Unauthenticated, BadGateway, GatewayTimeout: as for `set`.
        """
        key = await self.database.read(partial(store.get, box=self.box, user_id=user_id))
        if key is None:
            raise NotFound(
                "There is no OpenRouter key of this user; `writingmate openrouter-key set` sets one."
            )
        standing = await ask(self.network, self.provider, key)
        await self.database.write(partial(store.checked, user_id=user_id, now=self.clock()))
        return standing

    async def show(self, user_id: str) -> Credential | None:
        """The stored key's last characters and times; never the key."""
        return await self.database.read(partial(store.find, user_id=user_id))

    async def remove(self, user_id: str) -> bool:
        """Forget the key, in every process from the next request on; False if there was none."""
        return await self.database.write(partial(store.remove, user_id=user_id))


def checked(text: str) -> str:
    """What could be a key, without the blanks around it. Raises InvalidRequest, which does not repeat it."""
    key = text.strip()
    if key.startswith(DEVELOPER_KEY):
        message = "That is a developer key of this server. Give a key that OpenRouter made: sk-or-…"
        raise InvalidRequest(message, param="key")
    if not SHORTEST <= len(key) <= LONGEST or not key.isascii() or not key.isprintable() or " " in key:
        message = "That is not a key of OpenRouter's: one is a word like sk-or-v1-… Copy it again."
        raise InvalidRequest(message, param="key")
    return key


async def ask(network: Upstream, provider: Provider, key: str) -> Standing:
    """What OpenRouter says of ``key`` (``GET /key``); raises as `OwnKeys.set` does."""
    headers = replace(provider, api_key=key).authorized()
    call = Call(f"{provider.base_url}/key", headers, b"", streaming=False, timeouts=TIMEOUTS, method="GET")
    try:
        async with network.open(call) as reply:
            body = await reply.body()
    except UpstreamError as error:
        forget_key(error, key)
        log.failure("upstream_failed", error, provider=provider.name)
        raise _unasked(error) from None
    return _standing(body)


def _unasked(error: UpstreamError) -> Exception:
    if isinstance(error, UpstreamRefused) and error.status in {401, 403}:
        return rejected(401)
    if isinstance(error, UpstreamTimeout):
        return GatewayTimeout("OpenRouter took too long to say whether it accepts the key. Try again.")
    return BadGateway(
        "OpenRouter could not be asked whether it accepts the key. Try again; if that persists, the operator "
        "should look at OPENROUTER_BASE_URL and the network."
    )


def _standing(body: bytes) -> Standing:
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        document = None
    about = document.get("data") if isinstance(document, dict) else None
    if not isinstance(about, dict):
        raise BadGateway("What answered for OpenRouter does not know its keys; check OPENROUTER_BASE_URL.")
    if about.get("is_management_key") is True or about.get("is_provisioning_key") is True:
        message = "That is a management key of OpenRouter's, which generates nothing. Make an API key there."
        raise InvalidRequest(message, param="key")
    expires_at = about.get("expires_at")
    return Standing(
        _figure(about.get("usage")),
        _figure(about.get("limit")),
        _figure(about.get("limit_remaining")),
        about.get("is_free_tier") is True,
        expires_at[:40] if isinstance(expires_at, str) and expires_at.isprintable() else None,
    )


def _figure(value: Any) -> float | None:  # noqa: ANN401  # any JSON value
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
