"""A gateway in a process of its own, as an operator runs it, with its log in a file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

SECONDS = 120
LAST_LINE = "Ctrl-C stops it.\n"


@dataclass
class GatewayProcess:
    """A running gateway. ``key`` is empty where an earlier start made it."""

    process: subprocess.Popen[str]
    api: str
    key: str = field(repr=False)


@contextmanager
def gateway_process(folder: Path, **environ: str) -> Iterator[GatewayProcess]:
    """``writingmate serve`` over ``folder``; SIGTERM at the end, which it must survive with status 0."""
    started = start(folder, **environ)
    try:
        yield started
    finally:
        stop(started)


def start(folder: Path, *, program: str = "writingmate", **environ: str) -> GatewayProcess:
    """Start it, and wait until it answers."""
    folder.mkdir(exist_ok=True)
    with (folder / "log.jsonl").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", program, "serve"],
            env=environment(folder, **environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    watchdog = threading.Timer(SECONDS, process.kill)
    watchdog.daemon = True
    watchdog.start()
    banner = "".join(iter(process.stdout.readline, LAST_LINE))
    key = _after(banner, "Developer key (shown only now): ")
    api = address(banner)
    with urlopen(f"{api}/openapi.yaml", timeout=SECONDS) as answer:  # noqa: S310  # loopback
        answer.read()
    return GatewayProcess(process, api, key)


def environment(folder: Path, **environ: str) -> dict[str, str]:
    """The variables of a gateway over ``folder``, on a free port, without the embedded models."""
    return {
        "PATH": os.environ["PATH"],
        "WRITINGMATE_DATA_DIR": str(folder),
        "WRITINGMATE_LOCAL": "off",
        "WRITINGMATE_PORT": "0",
        **environ,
    }


def address(banner: str) -> str:
    """Where the gateway says it listens."""
    return _after(banner, "writingmate ").rpartition(" ")[2]


def stop(started: GatewayProcess) -> None:
    """SIGTERM, and the end that should follow."""
    started.process.send_signal(signal.SIGTERM)
    assert started.process.wait(SECONDS) == 0
    if started.process.stdout is not None:
        started.process.stdout.close()


def kill(started: GatewayProcess) -> None:
    """SIGKILL."""
    started.process.kill()
    started.process.wait(SECONDS)
    if started.process.stdout is not None:
        started.process.stdout.close()


def _after(banner: str, start: str) -> str:
    lines = (line.removeprefix(start) for line in banner.splitlines() if line.startswith(start))
    return next(lines, "")
