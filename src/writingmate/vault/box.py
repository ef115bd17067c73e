"""Sealing bytes: AES-256-GCM under a master key, bound to the place that they belong to.

A sealed value is a version byte, the master key's id, a random 96-bit nonce and the ciphertext with
its tag. With random nonces a master key is good for four thousand million values.
"""

from __future__ import annotations

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from writingmate.errors import Sealed
from writingmate.vault.keys import ID_BYTES, Keyring

VERSION: Final = b"\x01"
KEY_ID: Final = slice(1, 1 + ID_BYTES)

_NONCE_BYTES = 12
_TAG_BYTES = 16
_HEAD_BYTES = KEY_ID.stop
_SECRET_FROM = _HEAD_BYTES + _NONCE_BYTES


class Box:
    """Seals and opens with the keys of a keyring. May be used by several threads."""

    def __init__(self, keyring: Keyring) -> None:
        self.keyring: Final = keyring

    def seal(self, plain: bytes, context: bytes) -> bytes:
        """``plain`` under the newest master key; it opens only with the same ``context``.

        Raises:
            Sealed: the keyring cannot be read.
            ConfigurationError: there is no keyring yet and it cannot be made.
        """
        key = self.keyring.sealing()
        head, nonce = VERSION + bytes.fromhex(key.key_id), os.urandom(_NONCE_BYTES)
        return b"".join((head, nonce, AESGCM(key.secret).encrypt(nonce, plain, head + context)))

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """What was sealed.

        Raises:
            Sealed: its master key is missing, or it was changed, or it was sealed for another context.
        """
        if len(sealed) < _SECRET_FROM + _TAG_BYTES or sealed[:1] != VERSION:
            raise Sealed("This was not sealed by this version of writingmate, or it was cut off.")
        key = self.keyring.find(key_id(sealed))
        nonce, secret = sealed[_HEAD_BYTES:_SECRET_FROM], memoryview(sealed)[_SECRET_FROM:]
        try:
            return AESGCM(key.secret).decrypt(nonce, secret, sealed[:_HEAD_BYTES] + context)
        except InvalidTag:
            raise Sealed(
                f"What master key {key.key_id} sealed was changed, or moved from where it belongs."
            ) from None


def key_id(sealed: bytes) -> str:
    """The id of the master key that sealed this."""
    return sealed[KEY_ID].hex()
