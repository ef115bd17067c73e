"""Runs the periodic jobs of one process; a job that fails is logged and runs again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from writingmate.telemetry import log

Errand: TypeAlias = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Job:
    """``run`` is awaited every ``seconds``, the first time after that long."""

    name: str
    seconds: float
    run: Errand


class Runner:
    """Owns a task for each job, and for each errand that paces itself, between `start` and `close`."""

    def __init__(self, jobs: Iterable[Job], errands: Iterable[Errand] = ()) -> None:
        self._work = [
            *(partial(_repeat, job) for job in jobs),
            *(partial(_once, errand) for errand in errands),
        ]
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin; needs a running event loop."""
        self._tasks = [asyncio.create_task(work()) for work in self._work]

    async def close(self) -> None:
        """Stop each job where it waits."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []


async def _repeat(job: Job) -> None:
    while True:
        await asyncio.sleep(job.seconds)
        await _guarded(job.name, job.run)


async def _once(errand: Errand) -> None:
    await _guarded(errand.__qualname__, errand)


async def _guarded(name: str, run: Errand) -> None:
    try:
        await run()
    except Exception as error:  # noqa: BLE001  the edge of a task: the others go on, the next run may succeed
        log.failure("job_failed", error, job=name)
