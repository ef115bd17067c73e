"""The machine underneath: compiling the C parts, processes and what they consume."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_SOURCES = Path(__file__).parent
_START_SECONDS = 20.0


def compiled(name: str, folder: Path) -> Path:
    """Compile ``bench/NAME.c`` into ``folder``; returns the program's path."""
    program = folder / name
    command = ["cc", "-O2", "-Wall", "-Wextra", "-o", str(program), str(_SOURCES / f"{name}.c")]
    subprocess.run(command, check=True)
    return program


def found(name: str) -> str:
    """The path of an installed program; Debian keeps servers where only root's PATH looks."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if path is None:
        raise SystemExit(f"bench: {name} is not installed (run it by `make bench`)")
    return path


@contextmanager
def running(
    command: Sequence[str], *, environ: Mapping[str, str] | None = None, log: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A process for the time of the block; its output goes to ``log``, or to a pipe if there is none."""
    with (log or Path(os.devnull)).open("ab") as sink:
        process = subprocess.Popen(
            command,
            stdout=sink if log else subprocess.PIPE,
            stderr=sink if log else None,
            env=None if environ is None else dict(environ),
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def tree(pid: int) -> list[int]:
    """A process and all its descendants."""
    found_pids = [pid]
    for parent in found_pids:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            found_pids.extend(int(child) for child in children.read_text().split())
    return found_pids


def cpu_seconds(pid: int) -> float:
    """User and system time of a process tree so far, all threads, to a clock tick (10 ms)."""
    ticks = 0
    for member in tree(pid):
        fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS


def resident_mb(pid: int) -> float:
    """Resident memory of a process tree in MB (10^6 bytes)."""
    pages = sum(int(Path(f"/proc/{member}/statm").read_text().split()[1]) for member in tree(pid))
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def others_share(busy: float, ours: float, seconds: float) -> float:
    """Which share of the machine others used in ``seconds``, given both clocks at the beginning."""
    others = (busy_seconds() - busy) - (own_seconds() - ours)
    return max(0.0, others / seconds / (os.cpu_count() or 1))


def busy_seconds() -> float:
    """Processor time that anything on this machine has used."""
    fields = [int(ticks) for ticks in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    user, nice, system, _idle, _waiting, interrupts, soft_interrupts, stolen = fields
    return (user + nice + system + interrupts + soft_interrupts + stolen) / _TICKS


def own_seconds() -> float:
    """Processor time of this process, of all it runs and of all it has run."""
    past = resource.getrusage(resource.RUSAGE_CHILDREN)
    return cpu_seconds(os.getpid()) + past.ru_utime + past.ru_stime


def wait_until(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> float:
    """Call ``ready()`` each 2 ms until it is true; returns the seconds that took."""
    began = time.monotonic()
    while not ready():
        if process.poll() is not None or time.monotonic() - began > _START_SECONDS:
            raise SystemExit(f"bench: {process.args!r} did not come up:\n{log.read_text()[-4000:]}")
        time.sleep(0.002)
    return time.monotonic() - began
