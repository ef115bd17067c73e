from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from writingmate.errors import Sealed
from writingmate.vault.box import Box, key_id
from writingmate.vault.keys import Keyring

PLAIN, CONTEXT = b"sk-or-v1-planted-0123456789", b"credential\0user_1\0openrouter"


def test_what_was_sealed_opens_again_and_does_not_show(box: Box) -> None:
    sealed = box.seal(PLAIN, CONTEXT)
    assert box.open(sealed, CONTEXT) == PLAIN
    assert PLAIN not in sealed
    assert b"planted" not in sealed
    assert sealed[0] == 1
    assert key_id(sealed) == box.keyring.sealing().key_id
    assert len(sealed) == 1 + 8 + 12 + len(PLAIN) + 16


def test_nothing_is_sealed_twice_alike(box: Box) -> None:
    assert len({box.seal(PLAIN, CONTEXT) for _ in range(100)}) == 100


@pytest.mark.parametrize("size", [0, 1, 5_000_000])
def test_any_size_and_any_bytes_fit(box: Box, size: int) -> None:
    plain = bytes(range(256)) * (size // 256) + b"\xff" * (size % 256)
    assert box.open(box.seal(plain, b""), b"") == plain


def test_moved_elsewhere_it_does_not_open(box: Box) -> None:
    sealed = box.seal(PLAIN, CONTEXT)
    with pytest.raises(Sealed, match="moved"):
        box.open(sealed, b"credential\0user_2\0openrouter")


def test_every_changed_bit_is_noticed(box: Box) -> None:
    sealed = box.seal(b"x", CONTEXT)
    for position in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[position // 8] ^= 1 << position % 8
        with pytest.raises(Sealed):
            box.open(bytes(changed), CONTEXT)


def test_every_shorter_or_longer_value_is_noticed(box: Box) -> None:
    sealed = box.seal(b"x", CONTEXT)
    for length in range(len(sealed)):
        with pytest.raises(Sealed):
            box.open(sealed[:length], CONTEXT)
    with pytest.raises(Sealed):
        box.open(sealed + b"\0", CONTEXT)


@given(st.binary(max_size=80))
def test_what_nobody_sealed_never_opens(tmp_path_factory: pytest.TempPathFactory, noise: bytes) -> None:
    box = Box(Keyring(tmp_path_factory.getbasetemp() / "noise.keys"))
    with pytest.raises(Sealed):
        box.open(noise, CONTEXT)


def test_without_its_master_key_it_says_which_one_and_what_to_do(box: Box, tmp_path: Path) -> None:
    sealed = box.seal(PLAIN, CONTEXT)
    other = Box(Keyring(tmp_path / "other.keys"))
    other.keyring.ensure()
    with pytest.raises(Sealed, match=rf"{key_id(sealed)}.*other\.keys.*restore"):
        other.open(sealed, CONTEXT)


def test_several_keys_open_and_the_newest_seals(box: Box) -> None:
    old = box.seal(PLAIN, CONTEXT)
    box.keyring.rotate()
    new = box.seal(PLAIN, CONTEXT)
    assert key_id(old) != key_id(new)
    assert box.open(old, CONTEXT) == box.open(new, CONTEXT) == PLAIN


def test_it_is_aes_256_gcm_with_the_head_as_part_of_the_context(box: Box) -> None:
    sealed, secret = box.seal(PLAIN, CONTEXT), box.keyring.sealing().secret
    assert AESGCM(secret).decrypt(sealed[9:21], sealed[21:], sealed[:9] + CONTEXT) == PLAIN
