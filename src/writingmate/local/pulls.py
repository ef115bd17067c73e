"""Pulls in the background: a request for a model that is not here yet is told how far it is."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from pathlib import Path

from writingmate.errors import UpstreamNotReady
from writingmate.local.manifest import LocalModel, named
from writingmate.local.progress import Progress, Silent
from writingmate.local.weights import Stopped, Weights, WeightsUnavailable
from writingmate.telemetry import log

RETRY_SECONDS = 300.0
"""After a pull has failed, requests start another one this much later."""


class Pulls:
    """One event loop's pulls, at most one of each model at a time.

    Args:
        weights: where the files are.
        progress: makes what shows a pull.
    """

    def __init__(self, weights: Weights, progress: Callable[[], Progress] = Silent) -> None:
        self._weights = weights
        self._progress = progress
        self._paths: dict[str, Path] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._failed: dict[str, float] = {}
        self._stop = threading.Event()

    async def served(self, model: LocalModel) -> tuple[LocalModel, Path]:
        """The model that can serve now, itself or its stand-in, and its file.

        Raises UpstreamNotReady while the file is pulled, and if it cannot be had.
        """
        path = await self._found(model)
        if path is not None:
            return model, path
        if model.id not in self._tasks and self._may_try(model):
            self.begin(model)
        if model.id in self._tasks:
            raise UpstreamNotReady(
                f"The local model is being downloaded ({self._weights.fraction(model):.0%}). "
                "Try again in a moment."
            )
        stand_in = named(model.stand_in) if model.stand_in else None
        if stand_in is not None:
            return await self.served(stand_in)
        raise UpstreamNotReady(
            f"The model '{model.slug}' could not be downloaded to this server; its log says why.",
            retry_after=60,
        )

    def begin(self, model: LocalModel) -> asyncio.Task[None]:
        """Start to pull, unless that is under way. The task does not fail."""
        task = self._tasks.get(model.id)
        if task is None:
            task = asyncio.create_task(self._pull(model))
            self._tasks[model.id] = task
            task.add_done_callback(lambda _: self._tasks.pop(model.id))
        return task

    async def close(self) -> None:
        """Interrupt what is under way; it carries on from there next time."""
        self._stop.set()
        await asyncio.gather(*self._tasks.values())

    async def _found(self, model: LocalModel) -> Path | None:
        known = self._paths.get(model.id)
        if known is not None and known.exists():
            return known
        path = None if model.id in self._tasks else await asyncio.to_thread(self._weights.find, model)
        if path is not None:
            self._paths[model.id] = path
        return path

    def _may_try(self, model: LocalModel) -> bool:
        return time.monotonic() >= self._failed.get(model.id, 0.0) and not self._stop.is_set()

    async def _pull(self, model: LocalModel) -> None:
        found = await asyncio.to_thread(self._weights.find, model)
        if found is not None:
            self._paths[model.id] = found
            return
        log.event(
            "local_pulling",
            model=model.slug,
            total=model.size,
            percent=round(self._weights.fraction(model) * 100),
        )
        try:
            self._paths[model.id] = await asyncio.to_thread(
                self._weights.pull, model, self._progress(), self._stop
            )
        except WeightsUnavailable as failure:
            self._failed[model.id] = time.monotonic() + RETRY_SECONDS
            log.event("notice", detail=str(failure))
        except Stopped:
            pass
