"""Hedging: where a route is silent for a while the next one is asked as well; whoever begins first serves.

Off unless the operator sets it: the provider that loses may bill for what it did, and nobody is charged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Literal, TypeAlias

from writingmate.errors import UpstreamError
from writingmate.upstream.base import Reply

Which: TypeAlias = Literal["first", "second"]
Opening: TypeAlias = AbstractAsyncContextManager[Reply]


class Race:
    """Opens one call or two; entered, it is the reply of the one that began first, and the other is cut off.

    Entering raises what the last of them failed with.

    Args:
        first: opens the call itself.
        second: called after ``seconds`` of silence; opens the next route's call, None if there is none.
        first_serves: the second was opened, and the first is the one that counts.
        lost: the first or the second failed, which did not end the race.
        seconds: how long the first may be silent.
    """

    def __init__(
        self,
        first: Opening,
        second: Callable[[], Opening | None],
        first_serves: Callable[[], None],
        lost: Callable[[UpstreamError, Which], None],
        seconds: float,
    ) -> None:
        self._first = first
        self._second = second
        self._first_serves = first_serves
        self._lost = lost
        self._seconds = seconds
        self._runners: list[_Runner] = []
        self._winner: _Runner | None = None

    async def __aenter__(self) -> Reply:
        try:
            self._winner = await self._run()
            return self._winner.begun.result()
        finally:
            await asyncio.gather(*(each.leave() for each in self._runners if each is not self._winner))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._winner is not None:
            await self._winner.leave(cut=error is not None)

    async def _run(self) -> _Runner:
        """The runner whose begin or failure is the race's."""
        first = self._start(self._first)
        await asyncio.wait({first.begun}, timeout=self._seconds)
        if first.begun.done() or (opening := self._second()) is None:
            await asyncio.wait({first.begun})
            return first
        second = self._start(opening)
        await asyncio.wait({first.begun, second.begun}, return_when=asyncio.FIRST_COMPLETED)
        if not first.begun.done() and second.begun.exception() is not None:
            await asyncio.wait({first.begun})
        if first.begun.done():
            if (error := first.begun.exception()) is None:
                failed = second.begun.exception() if second.begun.done() else None
                if isinstance(failed, UpstreamError):
                    self._lost(failed, "second")
                self._first_serves()
                return first
            if not isinstance(error, UpstreamError):
                return first
            self._lost(error, "first")
            await asyncio.wait({second.begun})
        return second

    def _start(self, opening: Opening) -> _Runner:
        runner = _Runner(opening)
        self._runners.append(runner)
        return runner


class _Runner:
    """One call in a task of its own, held open until it is left. ``begun`` is its reply or its failure."""

    def __init__(self, opening: Opening) -> None:
        self.begun: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._left = asyncio.Event()
        self._task = asyncio.create_task(self._hold(opening))

    async def leave(self, *, cut: bool = True) -> None:
        """Close it; ``cut``: whatever it is at."""
        self._left.set()
        if cut:
            self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self.begun.done() and not self.begun.cancelled():
            self.begun.exception()  # whoever wanted it has it

    async def _hold(self, opening: Opening) -> None:
        try:
            async with opening as reply:
                self.begun.set_result(reply)
                await self._left.wait()
        except Exception as error:  # noqa: BLE001  # it is raised where the race is entered
            if not self.begun.done():
                self.begun.set_exception(error)
