"""The folder where processes of one installation find the child that one of them owns.

``ID.lock`` is held by the owner for as long as it lives, ``ID.json`` says where its child listens.
Sockets are made there too if their path is short enough for the system, else in a folder of their
own below the system's temporary one.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import msgspec

LONGEST_SOCKET_PATH = 100
"""Bytes; systems take 104 to 108."""

_DYING_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a child listens, and the key it wants."""

    socket: str
    key: str = field(repr=False)


class Runtime:
    """One model's files in the folder."""

    def __init__(self, folder: Path, model: str) -> None:
        self._folder = folder
        self._model = model
        self._lock: BinaryIO | None = None

    @property
    def owned(self) -> bool:
        """Whether this object holds the lock."""
        return self._lock is not None

    def own(self) -> bool:
        """Take the lock, unless another has it."""
        if self._lock is None:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._folder.chmod(0o700)
            lock = self._path("lock").open("wb")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
                return False
            self._lock = lock
        return True

    def disown(self) -> None:
        """Remove what was published and let go of the lock."""
        if self._lock is not None:
            self.withdraw()
            self._lock.close()
            self._lock = None

    def new_endpoint(self) -> Endpoint:
        """A fresh socket path, for the owner: a socket left by a killed child cannot be bound again."""
        name = f"{secrets.token_hex(4)}.sock"
        folder = self._folder.absolute()
        if len(os.fsencode(folder / name)) > LONGEST_SOCKET_PATH:
            folder = Path(tempfile.mkdtemp(prefix="writingmate-"))
        return Endpoint(str(folder / name), secrets.token_urlsafe(24))

    def publish(self, endpoint: Endpoint) -> None:
        """Tell the other processes; only this user can read the key."""
        part = self._path("json.part")
        part.touch(mode=0o600)
        part.write_bytes(msgspec.json.encode(endpoint))
        part.replace(self._path("json"))

    def published(self) -> Endpoint | None:
        """Where the owner's child listens, as far as it has said."""
        try:
            return msgspec.json.decode(self._path("json").read_bytes(), type=Endpoint)
        except (OSError, msgspec.MsgspecError):
            return None

    def withdraw(self) -> None:
        """Take back what was published, by this owner or one that died, with its socket."""
        endpoint = self.published()
        self._path("json").unlink(missing_ok=True)
        if endpoint is not None:
            self.remove(endpoint)

    def remove(self, endpoint: Endpoint) -> None:
        """Remove a socket, and its folder if it was made for it."""
        socket = Path(endpoint.socket)
        with suppress(OSError):
            socket.unlink()
        if socket.parent != self._folder.absolute():
            with suppress(OSError):
                socket.parent.rmdir()

    def _path(self, ending: str) -> Path:
        return self._folder / f"{self._model}.{ending}"


async def listens(endpoint: Endpoint) -> bool:
    """Whether somebody accepts connections there, and does not close them at once, as the dying do."""
    try:
        reader, writer = await asyncio.open_unix_connection(endpoint.socket)
    except OSError:
        return False
    try:
        async with asyncio.timeout(_DYING_SECONDS):
            await reader.read(1)
    except TimeoutError:
        return True
    except OSError:
        return False
    finally:
        writer.close()
    return False
