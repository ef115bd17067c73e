"""One thread that writes for the whole process: what is queued while it commits, it commits together.

A batch is one transaction. One that fails is tried again at once, in case only its connection had died;
after that whoever waits is told Unavailable, and owed commands are kept and retried until they succeed.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final, Generic, TypeAlias, TypeVar

from sqlalchemy.engine.interfaces import DBAPICursor

from writingmate.errors import Unavailable
from writingmate.storage.crowd import LINGER_SECONDS, Crowd
from writingmate.storage.engine import Database, Session, unavailable
from writingmate.telemetry import log

C = TypeVar("C")
R = TypeVar("R")

# One answer a command, in order; an exception is an answer too, for its own waiter only.
Apply: TypeAlias = Callable[[DBAPICursor, Sequence[C]], Sequence[R | Exception]]
# Called around every commit with "before_commit" or "after_commit" and what is in it.
Step: TypeAlias = Callable[[str, Sequence[C]], None]

BATCH: Final = 512
PAUSES: Final = (0.0, 0.05, 0.1, 0.2, 0.5, 1.0)  # seconds, after the first failure, the second …
QUICK_SECONDS: Final = 1.0  # a failure that took longer is not tried again at once
GRACE_SECONDS: Final = 5.0


class Uncertain(Unavailable):
    """The connection was lost while committing: the change may have been made, or not."""


@dataclass(slots=True, eq=False)
class Item(Generic[C, R]):
    """A queued command and who waits for its answer."""

    command: C
    waiter: asyncio.Future[R] | Future[R] | None
    loop: asyncio.AbstractEventLoop | None
    owed: bool


class Writer(Generic[C, R]):
    """Group commit. ``apply`` runs in the writer's thread, inside one transaction per batch."""

    def __init__(self, database: Database, apply: Apply[C, R], *, step: Step[C] | None = None) -> None:
        self._database = database
        self._apply = apply
        self._step = step
        self._out_of_reach = database.out_of_reach
        self._queued: deque[Item[C, R]] = deque()
        self._wakes: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._asleep = False
        self._waiting: deque[Item[C, R]] = deque()
        self._session: Session | None = None
        self._failures = 0
        self._retry_at = 0.0
        self._crowd = Crowd()
        self._closing = False
        self._give_up_at = float("inf")
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def submit(self, command: C, *, owed: bool = False) -> asyncio.Future[R]:
        """Queue a command from the running event loop; the future gives its answer once committed.

        An ``owed`` command may be answered Unavailable, and its future may be cancelled: it is
        written all the same, as soon as that is possible while this process lives.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[R] = loop.create_future()
        self._put(Item(command, future, loop, owed))
        return future

    def call(self, command: C, *, owed: bool = False) -> R:
        """Queue a command from a thread without an event loop, and wait for its answer."""
        future: Future[R] = Future()
        self._put(Item(command, future, None, owed))
        return future.result()

    def post(self, command: C) -> None:
        """Queue an owed command that nobody waits for."""
        self._put(Item(command, None, None, owed=True))

    def close(self, grace: float = GRACE_SECONDS) -> None:
        """Write what is queued, then end; what cannot be written within ``grace`` seconds is given up."""
        if not self._closing:
            self._closing = True
            self._give_up_at = time.monotonic() + grace
            self._wakes.put(None)
        self._thread.join()

    def _put(self, item: Item[C, R]) -> None:
        if self._closing:
            raise Unavailable("The server is stopping. Try again in a few seconds.")
        self._queued.append(item)
        if self._asleep:
            self._asleep = False
            self._wakes.put(None)

    def _run(self) -> None:
        while self._gather() or self._waiting:
            now = time.monotonic()
            if now < self._retry_at:
                self._refuse(self._take(len(self._waiting)), unavailable())
            elif self._waiting:
                batch = self._take(BATCH)
                self._crowd.joined(len(batch), now)
                self._write(batch)
            if self._failures and time.monotonic() > self._give_up_at:
                break
        if self._session is not None:
            self._session.close()

    def _gather(self) -> bool:
        """Move what is queued to ``_waiting``, waiting for some if none is there; False at the end."""
        if self._crowd.here:
            time.sleep(LINGER_SECONDS)
        if not self._queued:
            self._sleep(max(0.0, self._retry_at - time.monotonic()) if self._waiting else None)
        while self._queued:
            self._waiting.append(self._queued.popleft())
        return not self._closing

    def _sleep(self, pause: float | None) -> None:
        """Until something is queued, or for the pause before what failed is tried again."""
        self._asleep = True  # whoever queues something after the next line's look wakes us
        if not self._queued and (pause is not None or not self._closing):
            with contextlib.suppress(queue.Empty):
                self._wakes.get(timeout=pause)
        self._asleep = False

    def _take(self, count: int) -> list[Item[C, R]]:
        take = self._waiting.popleft
        return [take() for _ in range(min(count, len(self._waiting)))]

    def _write(self, batch: list[Item[C, R]]) -> None:
        try:
            answers = self._attempt([item.command for item in batch])
        except Uncertain as error:
            self._failed(batch, error)
        except self._out_of_reach as error:
            reason = unavailable()
            reason.__cause__ = error
            self._failed(batch, reason)
        except Exception as error:  # noqa: BLE001  # the edge of the thread: the waiter gets it
            self._isolate(batch, error)
        else:
            self._failures = 0
            _answer(batch, answers)

    def _attempt(self, commands: Sequence[C]) -> Sequence[R | Exception]:
        started = time.monotonic()
        try:
            return self._commit(commands)
        except self._out_of_reach:
            if self._failures or time.monotonic() - started > QUICK_SECONDS:
                raise
        return self._commit(commands)

    def _commit(self, commands: Sequence[C]) -> Sequence[R | Exception]:
        if self._session is None:
            self._session = self._database.session()
        try:
            self._session.begin()
            answers = self._apply(self._session.cursor, commands)
            if self._step is not None:
                self._step("before_commit", commands)
        except BaseException:
            self._discard()
            raise
        try:
            self._session.commit()
        except Exception as error:
            self._discard()
            raise Uncertain(unavailable().message) from error
        if self._step is not None:
            self._step("after_commit", commands)
        return answers

    def _isolate(self, batch: list[Item[C, R]], error: Exception) -> None:
        """Some command is at fault, not the database: find out which by writing each alone."""
        if len(batch) == 1:
            log.failure("writer_failed", error, commands=1)
            _answer(batch, [error])
            return
        for item in batch:
            self._write([item])

    def _failed(self, batch: list[Item[C, R]], reason: Unavailable) -> None:
        if self._failures == 0:
            log.failure("database_unavailable", reason)
        self._retry_at = time.monotonic() + PAUSES[min(self._failures, len(PAUSES) - 1)]
        self._failures += 1
        self._refuse(batch, reason)

    def _refuse(self, batch: list[Item[C, R]], reason: Unavailable) -> None:
        """Tell whoever waits, and keep what is owed, first in the line."""
        _answer(batch, [reason] * len(batch))
        kept: list[Item[C, R]] = [Item(item.command, None, None, owed=True) for item in batch if item.owed]
        self._waiting.extendleft(reversed(kept))

    def _discard(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.discard()


def _answer(batch: Sequence[Item[C, R]], answers: Sequence[R | Exception]) -> None:
    """Wake everybody who waits: each event loop once."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[R], R | Exception]]] = {}
    for item, answer in zip(batch, answers, strict=True):
        if isinstance(item.waiter, Future):
            _resolve(item.waiter, answer)
        elif item.loop is not None and item.waiter is not None:
            loops.setdefault(item.loop, []).append((item.waiter, answer))
    for loop, pairs in loops.items():
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(_wake, pairs)


def _wake(pairs: Sequence[tuple[asyncio.Future[R], R | Exception]]) -> None:
    for future, answer in pairs:
        if not future.done():
            _resolve(future, answer)


def _resolve(future: asyncio.Future[R] | Future[R], answer: R | Exception) -> None:
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
