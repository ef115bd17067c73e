from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest

import writingmate
from writingmate.errors import ConfigurationError, Sealed
from writingmate.settings import Settings
from writingmate.vault.keys import Keyring, keyring_file

RACER = """
import sys
from pathlib import Path
from writingmate.vault.keys import Keyring
print(Keyring(Path(sys.argv[1])).sealing().key_id)
"""


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / "vault.keys")


def test_the_first_key_is_made_when_it_is_needed_and_stays(keyring: Keyring) -> None:
    assert keyring.known() == ()
    first = keyring.sealing()
    assert keyring.ensure() == first
    assert Keyring(keyring.file).known() == (first,)
    assert len(first.secret) == 32
    assert keyring.file.stat().st_mode & 0o777 == 0o600


def test_processes_that_race_get_the_same_key(tmp_path: Path) -> None:
    file = tmp_path / "new" / "vault.keys"
    environ = {**os.environ, "PYTHONPATH": str(Path(writingmate.__file__).parents[1])}
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(file)], env=environ, stdout=subprocess.PIPE, text=True
        )
        for _ in range(6)
    ]
    seen = {racer.communicate(timeout=60)[0].strip() for racer in racers}
    assert seen == {key.key_id for key in Keyring(file).known()}
    assert len(seen) == 1
    assert sorted(path.name for path in file.parent.iterdir()) == ["vault.keys", "vault.keys.lock"]


def test_a_new_key_seals_and_the_old_ones_stay_until_they_are_retired(keyring: Keyring) -> None:
    first = keyring.sealing()
    second = keyring.rotate()
    assert keyring.sealing() == second
    assert keyring.known() == (first, second)
    assert keyring.find(first.key_id) == first
    assert keyring.retire() == 1
    assert Keyring(keyring.file).known() == (second,)
    with pytest.raises(Sealed, match=first.key_id):
        Keyring(keyring.file).find(first.key_id)


def test_a_prepared_key_opens_at_once_and_seals_with_the_next_rotation(keyring: Keyring) -> None:
    first = keyring.sealing()
    prepared = keyring.prepare()
    assert keyring.sealing() == first
    assert keyring.find(prepared.key_id) == prepared
    assert keyring.retire() == 0
    assert keyring.rotate().key_id == prepared.key_id
    assert keyring.sealing().secret == prepared.secret
    assert [key.prepared for key in keyring.known()] == [False, False]


def test_a_running_process_sees_a_rotation_without_a_restart(keyring: Keyring) -> None:
    running = Keyring(keyring.file)
    running.sealing()
    fresh = keyring.rotate()
    assert running.find(fresh.key_id) == fresh
    assert running.sealing() == fresh


@pytest.mark.parametrize(
    "content",
    [
        b"k",
        b"0123456789abcdef 2026-11-22T10:00:00Z tooshort",
        b"0123456789abcdef 2026-11-22T10:00:00Z " + b"A" * 43 + b" ready",
        b"\xff\xfe",
    ],
)
def test_what_is_no_keyring_is_said_to_be_none_without_its_text(keyring: Keyring, content: bytes) -> None:
    keyring.file.write_bytes(content)
    with pytest.raises(Sealed, match="restore") as caught:
        keyring.known()
    assert "AAAA" not in str(caught.value)
    assert "tooshort" not in str(caught.value)


def test_a_file_that_cannot_be_read_or_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(Sealed, match="cannot be read"):
        Keyring(tmp_path / "folder").known()
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        Keyring(tmp_path / "file" / "vault.keys").rotate()


def test_a_link_to_a_file_elsewhere_stays_one(tmp_path: Path) -> None:
    real = tmp_path / "secrets" / "keys"
    Keyring(real).ensure()
    (tmp_path / "vault.keys").symlink_to(real)
    Keyring(tmp_path / "vault.keys").rotate()
    assert (tmp_path / "vault.keys").is_symlink()
    assert len(Keyring(real).known()) == 2


def test_nothing_shows_a_secret(keyring: Keyring) -> None:
    key = keyring.sealing()
    text = base64.urlsafe_b64encode(key.secret).decode().rstrip("=")
    assert text in keyring.file.read_text()
    shown = f"{key!r} {keyring!r} {keyring.known()!r} {vars(keyring)!r}"
    assert text not in shown
    assert repr(key.secret) not in shown


def test_the_file_is_in_the_data_folder_unless_it_is_named(tmp_path: Path) -> None:
    assert keyring_file(Settings(data_dir=tmp_path)) == tmp_path / "vault.keys"
    assert keyring_file(Settings(data_dir=tmp_path, vault_keys=Path("/run/keys"))) == Path("/run/keys")
