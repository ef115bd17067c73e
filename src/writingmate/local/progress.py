"""Showing a pull: a bar on a terminal, a line every tenth elsewhere, nothing when nobody looks."""

from __future__ import annotations

import sys
from typing import Protocol, TextIO

import rich.console
import rich.progress

from writingmate.local.manifest import LocalModel

_ROUNDING = 1e-9


class Progress(Protocol):
    """Told how a pull goes, from the thread that pulls."""

    def begin(self, model: LocalModel, source: str) -> None:
        """A source is tried."""

    def advance(self, fraction: float) -> None:
        """So much of the file is here, 0.0 to 0.99."""

    def end(self) -> None:
        """The pull is over, well or not."""


class Silent:
    """Shows nothing."""

    def begin(self, model: LocalModel, source: str) -> None:
        """Nothing to show."""

    def advance(self, fraction: float) -> None:
        """Nothing to show."""

    def end(self) -> None:
        """Nothing to show."""


class Lines:
    """A plain line when a source is tried and at every tenth of the file."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._tenths = 0

    def begin(self, model: LocalModel, source: str) -> None:
        """Say what is pulled, how large, and from where."""
        self._say(f"{model.slug}: downloading {model.size // 1_000_000} MB from {source}")

    def advance(self, fraction: float) -> None:
        """Say the percentage, when a further tenth has come."""
        tenths = int(fraction * 10 + _ROUNDING)
        if tenths > self._tenths:
            self._tenths = tenths
            self._say(f"{tenths}0%")

    def end(self) -> None:
        """The last line is the result's, not ours."""

    def _say(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()


class Bar:
    """A bar with speed and time left, for a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._bar = rich.progress.Progress(
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(),
            rich.progress.DownloadColumn(),
            rich.progress.TransferSpeedColumn(),
            rich.progress.TimeRemainingColumn(),
            console=rich.console.Console(file=stream),
            transient=True,
        )
        self._task: rich.progress.TaskID | None = None
        self._size = 0

    def begin(self, model: LocalModel, source: str) -> None:
        """Show the bar, or name the next source on it."""
        text, self._size = f"{model.slug} from {source}", model.size
        if self._task is None:
            self._bar.start()
            self._task = self._bar.add_task(text, total=model.size)
        else:
            self._bar.update(self._task, description=text)

    def advance(self, fraction: float) -> None:
        """Move the bar."""
        if self._task is not None:
            self._bar.update(self._task, completed=int(fraction * self._size))

    def end(self) -> None:
        """Take the bar away."""
        self._bar.stop()


def shown(stream: TextIO | None = None) -> Progress:
    """What fits the stream, standard error if none is given."""
    stream = sys.stderr if stream is None else stream
    return Bar(stream) if stream.isatty() else Lines(stream)
