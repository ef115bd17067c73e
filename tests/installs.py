"""What tests run beside their own environment: installed once under ``.cache``, by exact versions."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
BIN: Final = Path(sys.executable).parent


def node_environment(**more: str) -> dict[str, str]:
    """The process's environment, with the Node beside this Python first."""
    return os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}"} | more


def npm_packages(packages: Mapping[str, str]) -> Path:
    """The folder above the ``node_modules`` that holds these packages, by name and version."""
    name = "-".join(f"{name.replace('/', '_')}-{version}" for name, version in packages.items())
    wanted = [f"{name}@{version}" for name, version in packages.items()]
    options = ("--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error")

    def install(folder: Path) -> None:
        npm = [str(BIN / "npm"), "install", "--prefix", str(folder), *options, *wanted]
        subprocess.run(npm, check=True, env=node_environment())

    return _once(name, install)


def python_environment(name: str) -> Path:
    """The programs of an environment that holds ``requirements/NAME.txt``."""
    requirements = ROOT / "requirements" / f"{name}.txt"
    digest = hashlib.sha256(requirements.read_bytes() + platform.python_version().encode()).hexdigest()

    def install(folder: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        pip = [sys.executable, "-m", "pip", "--python", str(folder), "--disable-pip-version-check", "--quiet"]
        chosen = ["--no-deps", "--require-hashes", "--requirement", str(requirements)]
        subprocess.run([*pip, "install", *chosen], check=True)

    return _once(f"{name}-{digest[:12]}", install) / "bin"


def _once(name: str, install: Callable[[Path], None]) -> Path:
    """The folder that ``install`` has filled, once for all runs and workers."""
    folder = ROOT / ".cache" / name
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            install(folder)
            (folder / "complete").touch()
    return folder
