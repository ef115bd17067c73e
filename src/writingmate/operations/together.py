"""Several calls of one request at once, so that as many answers take hardly longer than one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, TypeVar

AT_ONCE: Final = 4
"""Calls that one request has under way: more would be a burst that providers count against everybody."""

T = TypeVar("T")


async def together(ask: Callable[[T], Coroutine[Any, Any, None]], calls: Sequence[T]) -> None:
    """Ask for each of ``calls``. Raises what the first to fail raises, once nothing is under way any more.

    What others were cancelled for is not told; a single call needs no task of its own.
    """
    if len(calls) == 1:
        return await ask(calls[0])
    free = asyncio.Semaphore(AT_ONCE)

    async def asked(call: T) -> None:
        async with free:
            await ask(call)

    tasks = [asyncio.create_task(asked(call)) for call in calls]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
