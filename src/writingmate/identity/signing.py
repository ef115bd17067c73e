"""Which signing key signs. Several verify, one signs; a new one is shared before it signs (PRODUCT §2).

Each process reads the signing keys again at least every `REFRESH_SECONDS`, so that a key which
begins to sign after `LEAD_SECONDS` is known everywhere before the first developer key carries
its signature.
"""

from __future__ import annotations

from collections.abc import Sequence

from writingmate.errors import ConfigurationError
from writingmate.identity.keys import SigningKey

LEAD_SECONDS = 60.0
REFRESH_SECONDS = 20.0


def signer(signing_keys: Sequence[SigningKey], now: float) -> SigningKey:
    """The newest signing key whose time has come; the very first one does not wait for a slow clock.

    Raises:
        ConfigurationError: there is none yet.
    """
    if not signing_keys:
        raise ConfigurationError("There is no signing key in the database; run `writingmate init` first.")
    due = [key for key in signing_keys if key.signs_from <= now]
    return max(due, key=_age) if due else min(signing_keys, key=_age)


def superseded(signing_keys: Sequence[SigningKey], now: float) -> list[SigningKey]:
    """Those that verify but will not sign again."""
    current = signer(signing_keys, now)
    return [key for key in signing_keys if _age(key) < _age(current)]


def _age(key: SigningKey) -> tuple[float, str]:
    return (key.signs_from, key.signing_key_id)
