"""What a source of model files is; how far one has come can be seen on disk, by any process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeAlias

from writingmate.local.manifest import LocalModel

Tick: TypeAlias = Callable[[], None]
"""Called often while a source works; raises to stop it."""

BLOCK = 1 << 20


class SourceFailed(Exception):
    """This source does not have the file now; the message says why, without addresses."""


class Source(Protocol):
    """One place to pull from. It vouches for nothing: `weights` checks the digest.

    What it writes into the work folder stays there after an interruption, and it carries on from it.
    """

    name: str

    def fetch(self, model: LocalModel, work: Path, tick: Tick) -> Path:
        """Write the file into ``work`` and return its path.

        Raises SourceFailed, whatever ``tick`` raises, and OSError if this machine's disk refuses.
        """


def part(work: Path, source: str) -> Path:
    """The file that a source is putting together."""
    return work / f"{source}.part"


def scratch(work: Path) -> Path:
    """A folder for what a source needs on the way."""
    return work / "scratch"


def size(path: Path) -> int:
    """Bytes of a file; 0 if there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def measured(work: Path) -> int:
    """Bytes that have come so far."""
    parts = max((size(path) for path in work.glob("*.part")), default=0)
    return parts + max((size(path) for path in scratch(work).rglob("*")), default=0)
