from __future__ import annotations

import asyncio

import pytest

from writingmate.operations.together import AT_ONCE, together


async def test_all_are_asked_a_few_at_once() -> None:
    under_way, most, asked = 0, 0, []

    async def ask(call: int) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        asked.append(call)
        under_way -= 1

    await together(ask, range(10))
    assert sorted(asked) == list(range(10))
    assert most == AT_ONCE


async def test_one_call_and_none_need_no_task() -> None:
    tasks = []

    async def ask(_: int) -> None:
        tasks.append(asyncio.current_task())

    await together(ask, [1])
    assert tasks == [asyncio.current_task()]
    await together(ask, [])


async def test_the_first_failure_is_raised_when_nothing_is_under_way() -> None:
    ended = []

    async def ask(call: int) -> None:
        if call == 1:
            raise ValueError(call)
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(call)

    with pytest.raises(ValueError, match="1"):
        await together(ask, range(3))
    assert sorted(ended) == [0, 2]


async def test_whoever_is_cancelled_takes_the_calls_along() -> None:
    began, ended = asyncio.Event(), []

    async def ask(call: int) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(call)

    task = asyncio.create_task(together(ask, [1, 2]))
    await began.wait()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(ended) == [1, 2]
