from __future__ import annotations

import hashlib
import shlex
import string
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from writingmate.identity import keys

SIGNING = keys.new_signing_key(0.0, 0.0)
OTHER = keys.new_signing_key(0.0, 0.0)
MINTED = keys.mint(SIGNING)
ALPHABET = string.ascii_letters + string.digits + "-_"


def test_a_minted_key_has_the_published_shape_and_needs_no_quoting() -> None:
    scheme, key_id, secret, signature = MINTED.key.split(".")
    assert scheme == "wm_v2"
    assert key_id == MINTED.key_id
    assert len(secret) == len(signature) == 43
    assert len(MINTED.key) == keys.LENGTH
    assert shlex.quote(MINTED.key) == MINTED.key == quote(MINTED.key, safe="")


def test_only_a_hash_of_the_secret_is_for_storing() -> None:
    secret = MINTED.key.split(".")[2]
    assert MINTED.secret_hash == hashlib.sha256(secret.encode()).digest()
    assert MINTED.prefix == f"wm_v2.{MINTED.key_id}"


def test_what_is_minted_verifies_and_parses_to_the_same() -> None:
    parsed = keys.verify(MINTED.key, [SIGNING])
    assert parsed == keys.parse(MINTED.key)
    assert parsed is not None
    assert (parsed.key_id, parsed.prefix, parsed.secret_hash) == (
        MINTED.key_id,
        MINTED.prefix,
        MINTED.secret_hash,
    )


def test_any_of_several_signing_keys_verifies_and_a_foreign_one_does_not() -> None:
    assert keys.verify(MINTED.key, [OTHER, SIGNING]) is not None
    assert keys.verify(MINTED.key, [OTHER]) is None
    assert keys.verify(MINTED.key, []) is None


def test_no_two_keys_share_anything() -> None:
    minted = [keys.mint(SIGNING) for _ in range(200)]
    assert len({key.key_id for key in minted}) == len({key.secret_hash for key in minted}) == 200


@pytest.mark.parametrize(
    "text",
    [
        "",
        "wm_v2",
        "wm_v2...",
        "sk-proj-0000000000000000000000000000",
        MINTED.key[:-1],
        MINTED.key + "A",
        MINTED.key + "\n",
        " " + MINTED.key,
        MINTED.key.replace("wm_v2", "wm_v1"),
        MINTED.key.upper(),
        MINTED.key[:-1] + "é",
        MINTED.key[:-1] + "\x00",
        MINTED.key[:-1] + "\uff11",
        MINTED.key[:-1] + "=",
        MINTED.key * 20_000,
        "wm_v2." + "." * (keys.LENGTH - 6),
    ],
)
def test_what_is_not_a_key_is_refused(text: str) -> None:
    assert keys.verify(text, [SIGNING]) is None


@given(st.integers(0, keys.LENGTH - 1), st.sampled_from(ALPHABET + ".é"))
def test_one_changed_character_anywhere_is_refused(at: int, character: str) -> None:
    changed = MINTED.key[:at] + character + MINTED.key[at + 1 :]
    assert (keys.verify(changed, [SIGNING]) is not None) == (changed == MINTED.key)


@given(st.text(max_size=300))
def test_no_text_breaks_it(text: str) -> None:
    assert keys.verify(text, [SIGNING]) is None
    assert keys.verify("wm_v2." + text, [SIGNING]) is None


def test_representations_hold_no_secret() -> None:
    parsed = keys.parse(MINTED.key)
    _, _, secret, signature = MINTED.key.split(".")
    for thing in (MINTED, parsed, SIGNING):
        for text in (secret, signature, repr(SIGNING.secret)[2:-1], repr(MINTED.secret_hash)[2:-1]):
            assert text not in repr(thing)


def test_only_a_well_formed_prefix_is_shown() -> None:
    secret = MINTED.key.split(".")[2]
    assert keys.shown(MINTED.key) == MINTED.prefix
    assert keys.shown(MINTED.key[:50]) == MINTED.prefix
    for other in ("", "sk-proj-abcdefghij", secret, f"wm_v2.{secret}.x", f"wm_v2.{MINTED.key_id}{secret}"):
        assert keys.shown(other) is None
