"""Providers' lists of models on disk, which a start without them has at once, and processes share.

Each is ``NAME.json`` in one folder, replaced whole. Its time of change is when the provider last said so.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import msgspec

from writingmate.catalog.listed import Listed

Stamp: TypeAlias = int
"""When a file was written or confirmed, to tell whether it was since."""


class Kept(msgspec.Struct, frozen=True):
    """A list, the address that it came from, and the provider's own mark of it (``ETag``), if it has one."""

    models: dict[str, Listed]
    source: str = ""
    etag: str | None = None


_DECODER = msgspec.json.Decoder(Kept)


class Shelf:
    """The folder; ``now`` is the time of day, as the file system has it."""

    def __init__(self, folder: Path, now: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._now = now

    def read(self, name: str) -> Kept:
        """A provider's list. Raises OSError or msgspec.DecodeError."""
        return _DECODER.decode(self._file(name).read_bytes())

    def seen(self, name: str) -> tuple[Stamp, float] | None:
        """When the provider said so last, and how many seconds ago that is; None if there is none."""
        try:
            status = self._file(name).stat()
        except OSError:
            return None
        return status.st_mtime_ns, self._now() - status.st_mtime

    def write(self, name: str, kept: Kept) -> None:
        """Keep a list, whole or not at all. Raises OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=self._folder, prefix=f".{name}.json.")
        try:
            with os.fdopen(handle, "wb") as output:
                output.write(msgspec.json.encode(kept))
            Path(temporary).replace(self._file(name))
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise

    def confirm(self, name: str) -> bool:
        """The list is still that; False if it is gone. Raises OSError."""
        try:
            os.utime(self._file(name))
        except FileNotFoundError:
            return False
        return True

    def take_turn(self, name: str) -> int | None:
        """A descriptor to close once its provider was asked; None if another process is asking it.

        Raises OSError where no file can be locked.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._folder / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.json"
