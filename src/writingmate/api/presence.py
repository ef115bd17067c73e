"""Is the client still there: work is done for it only as long as it is.

Our own server says so in an ASGI extension, which costs a request next to nothing. Any other ASGI
server is asked with ``receive``, by a task beside the work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine

from writingmate.api.asgi import Receive, Scope
from writingmate.api.interruption import Interruption
from writingmate.errors import ClientLeft

EXTENSION = "writingmate.line"


class Line:
    """A client's connection as the server sees it: whether it is still up, and how to cut it.

    Args:
        cut: closes it at once.
        push: sends a piece of the body of the answer under way; None where only ASGI can.

    ``full`` says that what was sent is still waiting for the client to read it.
    """

    __slots__ = ("cut", "full", "left", "on_leave", "push")

    def __init__(self, cut: Callable[[], None], push: Callable[[bytes], None] | None = None) -> None:
        self.cut = cut
        self.push = push
        self.full = False
        self.left = False
        self.on_leave: Callable[[], None] | None = None

    def lost(self) -> None:
        """Called by the server, once, when the connection is gone."""
        self.left = True
        if self.on_leave is not None:
            self.on_leave()


def line_of(scope: Scope) -> Line | None:
    """The line that our server put into the scope; None under another server."""
    extensions = scope.get("extensions")
    line: Line | None = extensions.get(EXTENSION) if extensions else None
    return line


async def while_present(work: Awaitable[None], line: Line | None, receive: Receive) -> None:
    """Await ``work`` in this task; cancel it when the client leaves, then raise ClientLeft.

    What follows is never hit by that cancellation. One from elsewhere passes as CancelledError,
    even if the client leaves as well.
    """
    if line is None:
        await _while_asked(work, receive)
        return
    if line.left:
        _discard(work)
        raise ClientLeft
    interruption = Interruption()
    line.on_leave = interruption.strike
    try:
        await _interruptible(work, interruption)
    finally:
        line.on_leave = None


async def _while_asked(work: Awaitable[None], receive: Receive) -> None:
    interruption = Interruption()
    watcher = asyncio.create_task(_watch(receive, interruption))
    try:
        await _interruptible(work, interruption)
    finally:
        watcher.cancel()


async def _interruptible(work: Awaitable[None], interruption: Interruption) -> None:
    try:
        await work
    except BaseException as error:
        if interruption.explains(error):
            raise ClientLeft from error
        raise
    await interruption.absorb()


async def _watch(receive: Receive, interruption: Interruption) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    interruption.strike()


def _discard(work: Awaitable[None]) -> None:
    """Work that is never begun is closed, so that nobody warns that it was not awaited."""
    if isinstance(work, Coroutine):
        work.close()
