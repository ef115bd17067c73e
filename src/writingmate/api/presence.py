"""Is the client still there: work is done for it only as long as it is.

Our own server says when it leaves, which costs a request next to nothing. Any other ASGI server is
asked with ``receive``, by a task beside the work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any

from writingmate.api.interruption import Interruption
from writingmate.errors import ClientLeft


class Line:
    """A client's connection as the server sees it: whether it is still up, and how to cut it.

    ``cut`` closes it at once. ``full`` says that what was sent is still waiting for the client to read it.
    """

    __slots__ = ("cut", "full", "left", "on_leave")

    def __init__(self, cut: Callable[[], None]) -> None:
        self.cut = cut
        self.full = False
        self.left = False
        self.on_leave: Callable[[], None] | None = None

    def lost(self) -> None:
        """Called by the server, once, when the connection is gone."""
        self.left = True
        if self.on_leave is not None:
            self.on_leave()


async def while_present(work: Awaitable[None], line: Line, task: asyncio.Task[None] | None = None) -> None:
    """Await ``work`` in this task; cancel it when the client leaves, then raise ClientLeft.

    What follows is never hit by that cancellation. One from elsewhere passes as CancelledError,
    even if the client leaves as well.
    """
    if line.left:
        _discard(work)
        raise ClientLeft
    interruption = Interruption(task)
    line.on_leave = interruption.strike
    try:
        await work
    except BaseException as error:
        if interruption.explains(error):
            raise ClientLeft from error
        raise
    finally:
        line.on_leave = None
    if interruption.struck:
        await interruption.absorb()


async def while_asked(
    work: Awaitable[None], receive: Callable[[], Awaitable[MutableMapping[str, Any]]]
) -> None:
    """The same where the server does not say when the client leaves."""
    interruption = Interruption()
    watcher = asyncio.create_task(_watch(receive, interruption))
    try:
        await work
    except BaseException as error:
        if interruption.explains(error):
            raise ClientLeft from error
        raise
    finally:
        watcher.cancel()
    await interruption.absorb()


async def _watch(
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]], interruption: Interruption
) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    interruption.strike()


def _discard(work: Awaitable[None]) -> None:
    """Work that is never begun is closed, so that nobody warns that it was not awaited."""
    if isinstance(work, Coroutine):
        work.close()
