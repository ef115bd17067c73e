"""Where lines go: collected in memory, written by one thread, so that no request waits for a terminal."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue

LINGER_SECONDS = 0.5
MOST_LINES = 20_000


class Sink:
    """Collects lines; writes them together every half second, at once when one is urgent.

    A reader that stops reading holds up only the thread: beyond ``MOST_LINES`` waiting lines new
    ones are left out, and counted in `dropped`.
    """

    def __init__(self, write: Callable[[bytes], object], *, linger: float = LINGER_SECONDS) -> None:
        self._write = write
        self._linger = linger
        self._lines: deque[bytes] = deque()
        self._wake: SimpleQueue[bool] = SimpleQueue()
        self._asleep = True
        self._closed = False
        self._writing = threading.Lock()
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def put(self, line: bytes, *, urgent: bool = False) -> None:
        """Take one line, its newline included.

        Never blocks and takes no lock: any thread may call it, and a signal handler amid another call.
        """
        if len(self._lines) >= MOST_LINES:
            self.dropped += 1
            return
        self._lines.append(line)
        if self._asleep or urgent:
            self._asleep = False
            self._wake.put(urgent)

    def flush(self) -> None:
        """Write what has been put so far; returns when it is written."""
        with self._writing:
            lines: list[bytes] = []
            while self._lines:
                lines.append(self._lines.popleft())
            if not lines:
                return
            try:
                self._write(b"".join(lines))
            except (OSError, ValueError):
                self.dropped += len(lines)  # the terminal or pipe is gone: there is nobody to tell

    def close(self) -> None:
        """Write the rest and end the thread."""
        self._closed = True
        self._wake.put(True)  # noqa: FBT003  # a queue's only argument
        self._thread.join(timeout=5)
        self.flush()

    def _run(self) -> None:
        while not self._closed:
            if not self._wake.get():
                self._wait_for_more()
            # Before the last look at the lines: whoever adds one after it finds us asleep, and wakes us.
            self._asleep = True
            self.flush()

    def _wait_for_more(self) -> None:
        try:
            self._wake.get(timeout=self._linger)
        except Empty:
            return
