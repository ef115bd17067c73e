"""One run of `worker` as a child process: started, told what to serve, listened to, ended."""

from __future__ import annotations

import asyncio
import re
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Self

from writingmate.redaction import clean

WORKER = Path(__file__).with_name("worker.py")
LEAVE_SECONDS = 3.0

_KEPT_LINES = 20
_LONGEST_LINE = 200

# Once it serves, it may quote what it was sent; these are the words of a crash.
_TELLING = re.compile(r"GGML_ASSERT|ggml_|llama_|terminate called|.{0,80}out of memory", re.IGNORECASE)


class WorkerProcess:
    """A child process. It leaves when its standard input ends, so it never outlives its parent."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._began = time.monotonic()
        self._ready = False
        self._words: deque[str] = deque(maxlen=_KEPT_LINES)
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def spawn(cls) -> Self:
        """Start one. Its own session keeps a terminal's Ctrl-C from it while answers are drained."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", str(WORKER), stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
        )
        return cls(process)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended, as far as the event loop knows."""
        return self._process.returncode is None

    @property
    def words(self) -> str:
        """The last it said, without anyone's text."""
        return clean(" ".join(self._words))

    @property
    def seconds(self) -> float:
        """How long ago it was started."""
        return time.monotonic() - self._began

    async def introduce(self, config: bytes, seconds: float) -> bool:
        """Tell it what to serve, and wait until it does; False if it ended or took too long."""
        if self._process.stdin is None or self._process.stdout is None:
            raise AssertionError("both are pipes")
        try:
            async with asyncio.timeout(seconds):
                self._process.stdin.write(config + b"\n")
                await self._process.stdin.drain()
                self._ready = bool(await self._process.stdout.readline())
        except (TimeoutError, ConnectionError):
            return False
        return self._ready

    async def ended(self) -> int:
        """Wait until it has; its status, minus the signal if one killed it."""
        status = await self._process.wait()
        await self._listening
        return status

    def kill(self) -> None:
        """End it now."""
        if self.running:
            with suppress(ProcessLookupError):
                self._process.kill()

    async def leave(self) -> None:
        """Ask it to leave, and see to it."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS):
                await self._process.wait()
        self.kill()
        await self.ended()

    async def _listen(self) -> None:
        if self._process.stderr is None:
            raise AssertionError("it is a pipe")
        while chunk := await self._process.stderr.read(4096):
            for line in chunk.decode(errors="replace").splitlines():
                if not self._ready or _TELLING.match(line):
                    self._words.append(line[:_LONGEST_LINE])
