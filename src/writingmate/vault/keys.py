"""Master keys: what the vault seals with. They are in a file and nowhere else.

A line holds one key: its id (16 hexadecimal digits), when it was made, its 256 random bits in
base64url, and ``prepared`` while it only opens. Every key opens what it sealed; the last one that is
not prepared seals. The file is read again when it changes, so that a rotation needs no restart.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from writingmate.errors import ConfigurationError, Sealed
from writingmate.settings import Settings
from writingmate.storage.engine import locked_file

FILE: Final = "vault.keys"
ID_BYTES: Final = 8

_HEAD = """\
# The master keys of writingmate. Without them, what is sealed in the database never opens again:
# keep a copy with every backup of the database, and show it to nobody.
"""
_LINE = re.compile(r"([0-9a-f]{16}) (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ) ([A-Za-z0-9_-]{43})( prepared)?")


@dataclass(frozen=True, slots=True)
class MasterKey:
    """One key. ``created`` is ISO 8601 in UTC; one that is ``prepared`` opens and does not seal yet."""

    key_id: str
    created: str
    secret: bytes = field(repr=False)
    prepared: bool = False


def keyring_file(settings: Settings) -> Path:
    """Where this installation's master keys are."""
    return settings.vault_keys or settings.data_dir / FILE


class Keyring:
    """The master keys of one file. May be used by several threads.

    Whatever reads the file raises Sealed if that is not possible, and what changes it raises
    ConfigurationError.
    """

    def __init__(self, file: Path) -> None:
        self.file: Final = file
        self._seen: tuple[int, int, int] | None = None
        self._keys: tuple[MasterKey, ...] = ()

    def known(self) -> tuple[MasterKey, ...]:
        """All keys, the oldest first; none where there is no file."""
        try:
            found = self.file.stat()
            seen = (found.st_ino, found.st_mtime_ns, found.st_size)
            if seen != self._seen:
                self._keys = _parsed(self.file.read_text(encoding="ascii"), self.file)
                self._seen = seen
        except FileNotFoundError:
            self._seen, self._keys = None, ()
        except OSError as error:
            raise Sealed(f"The master keys in {self.file} cannot be read: {error.strerror}.") from None
        except UnicodeDecodeError:
            raise Sealed(f"{self.file} is not a file of master keys; restore it from a backup.") from None
        return self._keys

    def find(self, key_id: str) -> MasterKey:
        """The key of this id. Raises Sealed if it is not in the file."""
        key = _named(self._keys, key_id) or _named(self.known(), key_id)
        if key is not None:
            return key
        raise Sealed(
            f"The master key {key_id} is not in {self.file}; restore that file from the backup that "
            "belongs to the database, or copy it from the node that sealed this."
        )

    def sealing(self) -> MasterKey:
        """The key that seals now; the first one is made when it is first needed."""
        return _sealing(self.known()) or self.ensure()

    def ensure(self) -> MasterKey:
        """Make the file with a first key, unless it has one. Any number of processes may do it at once."""
        if (first := _sealing(self.known())) is not None:
            return first
        with self._change() as keys:
            if _sealing(keys) is None:
                keys.append(_new())
        return self.sealing()

    def prepare(self) -> MasterKey:
        """Add a key that opens and does not seal yet: time to copy the file to other nodes."""
        with self._change() as keys:
            fresh = replace(_new(), prepared=True)
            keys.append(fresh)
        return fresh

    def rotate(self) -> MasterKey:
        """Seal with the newest prepared key from now on, or with a new one where none is prepared."""
        with self._change() as keys:
            fresh = replace(next((key for key in reversed(keys) if key.prepared), _new()), prepared=False)
            keys[:] = [*(key for key in keys if key.key_id != fresh.key_id), fresh]
        return fresh

    def retire(self) -> int:
        """Drop every key that neither seals nor is prepared; their number."""
        with self._change() as keys:
            sealing = _sealing(keys)
            kept = [key for key in keys if key.prepared or key == sealing]
            dropped = len(keys) - len(kept)
            keys[:] = kept
        return dropped

    @contextmanager
    def _change(self) -> Iterator[list[MasterKey]]:
        """The keys, to be changed in place: written whole or not at all, by one process at a time."""
        file = self.file.resolve()
        try:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with locked_file(file):
                keys = list(self.known())
                yield keys
                _write(file, keys)
        except OSError as error:
            raise ConfigurationError(
                f"The master keys in {self.file} cannot be written: {error.strerror}. Make the folder "
                "writable for this user, or do this where it is and copy the file."
            ) from None


def _new() -> MasterKey:
    created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return MasterKey(secrets.token_hex(ID_BYTES), created, secrets.token_bytes(32))


def _named(keys: Sequence[MasterKey], key_id: str) -> MasterKey | None:
    return next((key for key in keys if key.key_id == key_id), None)


def _sealing(keys: Sequence[MasterKey]) -> MasterKey | None:
    return next((key for key in reversed(keys) if not key.prepared), None)


def _parsed(text: str, file: Path) -> tuple[MasterKey, ...]:
    keys = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise Sealed(f"{file}, line {number}: is not a master key; restore the file from a backup.")
        secret = base64.urlsafe_b64decode(match[3] + "=")
        keys.append(MasterKey(match[1], match[2], secret, prepared=match[4] is not None))
    return tuple(keys)


def _written(key: MasterKey) -> str:
    secret = base64.urlsafe_b64encode(key.secret).decode().rstrip("=")
    return f"{key.key_id} {key.created} {secret}{' prepared' if key.prepared else ''}\n"


def _keep_owner(handle: int, file: Path) -> None:
    """A server must still be able to read what root rotates."""
    if file.exists():
        before = file.stat()
        os.fchown(handle, before.st_uid, before.st_gid)


def _write(file: Path, keys: Sequence[MasterKey]) -> None:
    """Durable before anything is sealed with it; readable for its owner only."""
    handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w", encoding="ascii") as output:
            _keep_owner(handle, file)
            output.write(_HEAD + "".join(map(_written, keys)))
            output.flush()
            os.fsync(output.fileno())
        Path(temporary).replace(file)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
    folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
