"""The supervisor of one model's child process: started on first use, found by other processes, restarted.

Of the gateway's processes on one machine one owns the child; when that one dies its child leaves,
and whoever is asked next owns a new one.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from writingmate.errors import UpstreamBroken, UpstreamNotReady
from writingmate.local.cores import threads
from writingmate.local.manifest import LocalModel
from writingmate.local.process import WorkerProcess
from writingmate.local.runtime import Endpoint, Runtime, listens
from writingmate.telemetry import log

IDLE_SECONDS = 300
"""After this the child gives the model's memory back; the next request loads it again."""

START_SECONDS = 120.0
_POLL_SECONDS = 0.1
_STEADY_SECONDS = 60.0
_LONGEST_REST = 60.0
_WORTH_WAITING = 3.0


@dataclass(slots=True)
class Rests:
    """How long to wait before the next start, by how often it went wrong in a row."""

    failures: int = 0
    until: float = 0.0

    def failed(self, lived: float) -> None:
        """It ended after so many seconds of service; the first time it may start again at once."""
        self.failures = 1 if lived > _STEADY_SECONDS else self.failures + 1
        rest = 0.0 if self.failures == 1 else min(_LONGEST_REST, 2.0 ** (self.failures - 2))
        self.until = time.monotonic() + rest

    async def over(self) -> None:
        """Wait a little; raise UpstreamNotReady if it would be long."""
        left = self.until - time.monotonic()
        if left > _WORTH_WAITING:
            raise UpstreamNotReady(
                f"The local model stopped {self.failures} times in a row; "
                f"it starts again in {left:.0f} seconds.",
                retry_after=int(left) + 1,
            )
        await asyncio.sleep(max(0.0, left))


class Child:
    """One model's child process, or the way to another process's. Belongs to one event loop.

    Args:
        model: what it runs.
        folder: where the processes of this installation find each other; private to its user.
    """

    def __init__(self, model: LocalModel, folder: Path) -> None:
        self._model = model
        self._runtime = Runtime(folder, model.id)
        self._process: WorkerProcess | None = None
        self._endpoint: Endpoint | None = None
        self._starting: asyncio.Task[Endpoint] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._rests = Rests()
        self._closing = False

    @property
    def pid(self) -> int | None:
        """The process id, if this process owns a running child."""
        return self._process.pid if self._process is not None and self._process.running else None

    async def endpoint(self, weights: Path) -> Endpoint:
        """Where the child listens; starts it if need be. Raises UpstreamNotReady.

        A start goes on when the caller is cancelled: the next one will want it.
        """
        if self._endpoint is not None:
            return self._endpoint
        if self._closing:
            raise UpstreamNotReady("The server is stopping.")
        if self._starting is None:
            self._starting = asyncio.create_task(self._found_or_started(weights))
            self._starting.add_done_callback(self._settled)
        return await asyncio.shield(self._starting)

    def forget(self, endpoint: Endpoint) -> None:
        """Nobody answered there: the next `endpoint` looks again, and replaces a child that is deaf."""
        if endpoint == self._endpoint:
            self._endpoint = None

    async def close(self) -> None:
        """Stop the child, if it is ours."""
        self._closing = True
        if self._starting is not None:
            self._starting.cancel()
            with suppress(asyncio.CancelledError, UpstreamNotReady):
                await self._starting
        await self._end()
        self._runtime.disown()

    def _settled(self, task: asyncio.Task[Endpoint]) -> None:
        self._starting = None
        if not task.cancelled() and task.exception() is None:
            self._endpoint = task.result()
        else:
            self._runtime.disown()

    async def _found_or_started(self, weights: Path) -> Endpoint:
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            owned = self._runtime.own()
            published = self._runtime.published()
            if published is not None and (self.pid or not owned) and await listens(published):
                return published
            if owned:
                return await self._started(weights)
            await asyncio.sleep(_POLL_SECONDS)
        raise UpstreamNotReady("The local model is being started by another process and is not ready yet.")

    async def _started(self, weights: Path) -> Endpoint:
        if self._process is not None:
            self._process.kill()
        await self._end()
        await self._rests.over()
        self._runtime.withdraw()
        endpoint, process = self._runtime.new_endpoint(), await WorkerProcess.spawn()
        self._process = process
        self._watching = asyncio.create_task(self._watch(process))
        log.event("local_starting", model=self._model.slug, pid=process.pid)
        try:
            ready = await process.introduce(self._config(weights, endpoint), START_SECONDS)
        except asyncio.CancelledError:
            process.kill()
            raise
        if not ready:
            await self._give_up(process)
        self._runtime.publish(endpoint)
        log.event("local_ready", model=self._model.slug, pid=process.pid, ms=round(process.seconds * 1000))
        return endpoint

    async def _give_up(self, process: WorkerProcess) -> None:
        process.kill()
        await process.ended()
        raise UpstreamNotReady(
            "The local model cannot be started; the server's log says why.",
            detail=process.words or "it did not get ready",
        )

    def _config(self, weights: Path, endpoint: Endpoint) -> bytes:
        """What `worker` reads: on its input, since everybody may read its arguments."""
        config = {
            "model": self._model.id,
            "weights": str(weights),
            "socket": endpoint.socket,
            "key": endpoint.key,
            "context": self._model.context,
            "slots": self._model.slots,
            "threads": threads(),
            "idle_seconds": IDLE_SECONDS,
        }
        return msgspec.json.encode(config)

    async def _watch(self, process: WorkerProcess) -> None:
        """Say that it ended, if nobody told it to, and let whoever is asked next own another."""
        status = await process.ended()
        self._process = self._endpoint = None
        if self._starting is None:
            self._runtime.disown()
        if self._closing:
            return
        self._rests.failed(process.seconds)
        log.failure(
            "local_crashed",
            UpstreamBroken(process.words),
            model=self._model.slug,
            pid=process.pid,
            status=status,
            restarts=self._rests.failures,
            seconds=round(process.seconds, 1),
        )

    async def _end(self) -> None:
        if self._process is not None:
            await self._process.leave()
        if self._watching is not None:
            await self._watching
