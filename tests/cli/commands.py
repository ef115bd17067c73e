"""Running the command line: in this process where only its answer matters, else in one of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

import writingmate
from writingmate.cli import app

SOURCE = Path(writingmate.__file__).parents[1]
SECONDS = 60


@dataclass
class Commands:
    """The ``writingmate`` command with a data folder and environment of its own."""

    data_dir: Path
    environ: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, status: int = 0) -> str:
        """What a command prints; its errors are raised."""
        result = self.result(*arguments)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == status, result.output
        return result.stdout

    def json(self, *arguments: str, status: int = 0) -> Any:
        return json.loads(self.run(*arguments, "--json", status=status))

    def result(self, *arguments: str) -> Result:
        return CliRunner(env=self.variables()).invoke(app, list(arguments))

    def process(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """A command in a process of its own."""
        with self.started(*arguments, **environ) as process:
            out, err = process.communicate(timeout=SECONDS)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def started(self, *arguments: str, **environ: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "writingmate", *arguments],
            env=self.variables() | environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def variables(self) -> dict[str, str]:
        """Only what a test sets: the keys of whoever runs the tests stay out."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        ours = {
            "WRITINGMATE_DATA_DIR": str(self.data_dir),
            "WRITINGMATE_LOCAL": "off",
            "PYTHONPATH": str(SOURCE),
        }
        return kept | ours | self.environ


def foreign_variables() -> list[str]:
    """Variables of this process that a command in it would read as settings."""
    endings = ("_API_KEY", "_API_TOKEN", "_BASE_URL")
    return [name for name in os.environ if name.startswith("WRITINGMATE_") or name.endswith(endings)]
