"""Developer keys: ``wm_v2.<key-id>.<secret>.<signature>`` (PRODUCT §2). Pure: no clock, no database.

``key-id`` is public: 16 of ``a-z2-7``. ``secret`` is 256 random bits and ``signature`` the
HMAC-SHA256 of everything before it, both base64url without padding. Every genuine key therefore
has the same length and needs no quoting in a shell, a URL or a header.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

SCHEME = "wm_v2"
KEY_ID_LENGTH = 16
SECRET_BITS = 256
LENGTH = len(SCHEME) + KEY_ID_LENGTH + 43 + 43 + 3

_SHAPE = re.compile(r"(wm_v2\.([a-z2-7]{16}))\.([A-Za-z0-9_-]{43})\.([A-Za-z0-9_-]{43})")
_SIGNATURE_BYTES = 44  # a dot and 43 characters
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One of the server's keys: all that are not retired verify, the newest due one signs.

    ``signs_from`` and ``created_at`` are UNIX seconds.
    """

    signing_key_id: str
    secret: bytes = field(repr=False)
    created_at: float
    signs_from: float


@dataclass(frozen=True, slots=True)
class MintedKey:
    """A new developer key. ``key`` is shown once; only ``secret_hash`` (32 bytes) is stored."""

    key_id: str
    prefix: str
    key: str = field(repr=False)
    secret_hash: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ParsedKey:
    """What a key text says about itself, without the secret."""

    key_id: str
    prefix: str
    secret_hash: bytes = field(repr=False)


def new_signing_key(created_at: float, signs_from: float) -> SigningKey:
    """A signing key of 256 random bits."""
    return SigningKey(f"sig_{secrets.token_hex(10)}", secrets.token_bytes(32), created_at, signs_from)


def mint(signing: SigningKey) -> MintedKey:
    """Make a developer key, signed by ``signing``."""
    key_id = base64.b32encode(secrets.token_bytes(10)).decode().lower()
    prefix = f"{SCHEME}.{key_id}"
    secret = _base64url(secrets.token_bytes(SECRET_BITS // 8)).decode()
    signed = f"{prefix}.{secret}".encode()
    key = (signed + b"." + _signature(signing, signed)).decode()
    return MintedKey(key_id, prefix, key, _hash(secret))


def parse(text: str) -> ParsedKey | None:
    """Read a key by its shape alone; None if it cannot be one. Proves nothing: see `verify`."""
    match = _match(text)
    return _parsed(match) if match else None


def verify(text: str, signing_keys: Sequence[SigningKey]) -> ParsedKey | None:
    """The key, if one of ``signing_keys`` signed it; None otherwise. Looks nothing up.

    The length is bounded before anything else is done, and signatures are compared in constant time.
    """
    match = _match(text)
    if match is None:
        return None
    encoded = text.encode("ascii")
    signed, signature = encoded[:-_SIGNATURE_BYTES], encoded[-_SIGNATURE_BYTES + 1 :]
    for signing in signing_keys:
        if hmac.compare_digest(_signature(signing, signed), signature):
            return _parsed(match)
    return None


def shown(text: str) -> str | None:
    """The public prefix of what was sent, where it has one; nothing else of it may be repeated."""
    prefix = text[: len(SCHEME) + 1 + KEY_ID_LENGTH]
    well_formed = re.fullmatch(r"wm_v2\.[a-z2-7]{16}", prefix) and text[len(prefix) : len(prefix) + 1] == "."
    return prefix if well_formed else None


def _match(text: str) -> re.Match[str] | None:
    return _SHAPE.fullmatch(text) if len(text) == LENGTH else None


def _parsed(match: re.Match[str]) -> ParsedKey:
    return ParsedKey(match[2], match[1], _hash(match[3]))


def _signature(signing: SigningKey, signed: bytes) -> bytes:
    return _base64url(hmac.digest(signing.secret, signed, "sha256"))


def _base64url(raw: bytes) -> bytes:
    return binascii.b2a_base64(raw, newline=False).rstrip(b"=").translate(_URL_SAFE)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("ascii")).digest()
