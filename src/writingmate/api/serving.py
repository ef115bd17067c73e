"""What our server tells uvicorn: its limits, and how a process learns that it is to end."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any, Final, TypeAlias, cast

from uvicorn.config import Config
from uvicorn.lifespan.on import LifespanOn

from writingmate.api.bridge import Bridge
from writingmate.api.channel import Serving
from writingmate.api.heads import Heads
from writingmate.api.probes import ENDING, Ending
from writingmate.api.turn import Turn
from writingmate.telemetry import log

_Handler: TypeAlias = Callable[[int, FrameType | None], Any] | int | None

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


class ServerConfig(Config):
    """uvicorn's configuration, the seconds that a request's head may take, and who answers requests."""

    header_seconds: float = 10.0
    serve: Callable[[Turn], Awaitable[None]]

    def load(self) -> None:
        """Load the application; requests learn through its lifespan's state that the end has come."""
        super().load()
        self.lifespan_class = Lifespan
        self.heads = Heads()
        application = cast("Any", self.loaded_app)
        self.serve = application.serve if isinstance(application, Serving) else Bridge(application).serve


class Lifespan(LifespanOn):
    """The application's start and end. From the first signal to end, its state says so to every request."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._ending = Ending()
        self.state[ENDING] = self._ending
        self._replaced: dict[int, _Handler] = {}

    async def startup(self) -> None:
        """Start the application, then listen for the signal before the server does."""
        await super().startup()
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                self._replaced[number] = signal.getsignal(number)
                signal.signal(number, self._heard(self._replaced[number]))
            _end_with_parent()

    async def shutdown(self) -> None:
        """End the application; signals are the server's again."""
        for number, server in self._replaced.items():
            signal.signal(number, server)
        await super().shutdown()

    def _heard(self, server: _Handler) -> Callable[[int, FrameType | None], None]:
        """What to do on a signal: tell the requests, then do what the server does."""
        loop = asyncio.get_running_loop()

        def handler(number: int, frame: FrameType | None) -> None:
            if not self._ending.begun:
                self._ending.begun = True
                loop.call_soon_threadsafe(self._note)
            if callable(server):
                server(number, frame)

        return handler

    @staticmethod
    def _note() -> None:
        """Said by the event loop: a signal handler must not wait for the log's lock."""
        log.event("draining", pid=os.getpid())


def _end_with_parent() -> None:
    """A worker drains and ends once the process that supervises it is gone, even if that was killed.

    Otherwise it would go on and keep the port, and nobody could start the server again.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    loop, sentinel = asyncio.get_running_loop(), parent.sentinel

    def end() -> None:
        loop.remove_reader(sentinel)
        os.kill(os.getpid(), signal.SIGTERM)

    loop.add_reader(sentinel, end)
