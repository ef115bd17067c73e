"""Cancelling one's own work from outside, without being taken for a cancellation by others."""

from __future__ import annotations

import asyncio


class Interruption:
    """At most one cancellation of the task that makes this, told apart from everybody else's.

    ``task`` is that task, where it is at hand. `strike` may be called by anyone at any time. Whoever
    made it asks `explains` about what the work raised, or awaits `absorb` where it raised nothing;
    afterwards nothing of the strike is left.
    """

    __slots__ = ("_before", "_over", "_task", "struck")

    def __init__(self, task: asyncio.Task[None] | None = None) -> None:
        task = task or asyncio.current_task()
        if task is None:
            raise RuntimeError("an Interruption is made by the task that it may interrupt")
        self._task = task
        self._before = task.cancelling()
        self.struck = False
        self._over = False

    def strike(self) -> None:
        """Cancel the work, unless it is over or being cancelled already."""
        if not self._over and not self.struck and self._task.cancelling() == self._before:
            self.struck = True
            self._task.cancel()

    def explains(self, error: BaseException) -> bool:
        """The work ended with ``error``: is the strike the reason, and nobody else's cancellation?"""
        self._over = True
        if not self.struck:
            return False
        alone = self._task.uncancel() <= self._before
        return alone and isinstance(error, (asyncio.CancelledError, Exception))

    async def absorb(self) -> None:
        """The work ended well: a strike that came too late for it must not hit what follows."""
        self._over = True
        if not self.struck:
            return
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            if self._task.uncancel() > self._before:
                raise
        else:
            self._task.uncancel()
