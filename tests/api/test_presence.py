from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from writingmate.api.asgi import Message
from writingmate.api.interruption import Interruption
from writingmate.api.presence import Line, while_asked, while_present
from writingmate.errors import ClientLeft


class Room:
    """Work that waits until it is let go, and notes how it went."""

    def __init__(self, line: Line | None = None) -> None:
        self.line = line
        self.entered = asyncio.Event()
        self.leave = asyncio.Event()
        self.gone = asyncio.Event()
        self.events: list[str] = []
        self.cleanup: Callable[[], None] = lambda: None

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def work(self) -> None:
        self.events.append("began")
        self.entered.set()
        try:
            await self.leave.wait()
            self.events.append("done")
        finally:
            self.cleanup()

    async def answer(self) -> None:
        """What an operation does: work while the client is there, then settle whatever happened."""
        try:
            if self.line is None:
                await while_asked(self.work(), self.receive)
            else:
                await while_present(self.work(), self.line)
        except ClientLeft:
            self.events.append("left")
        finally:
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            self.events.append("settled")

    def hang_up(self) -> None:
        self.gone.set()
        if self.line is not None:
            self.line.lost()


def cut() -> None:
    raise AssertionError("nobody cuts the line")


@pytest.fixture(params=["line", "receive"])
def room(request: pytest.FixtureRequest) -> Room:
    return Room(Line(cut) if request.param == "line" else None)


async def test_work_is_awaited(room: Room) -> None:
    room.leave.set()
    await room.answer()
    assert room.events == ["began", "done", "settled"]


async def test_leaving_cancels_the_work_and_nothing_after_it(room: Room) -> None:
    task = asyncio.create_task(room.answer())
    await room.entered.wait()
    room.hang_up()
    await task
    assert room.events == ["began", "left", "settled"]
    assert task.cancelling() == 0


async def test_leaving_after_the_work_cancels_nothing(room: Room) -> None:
    task = asyncio.create_task(room.answer())
    await room.entered.wait()
    room.leave.set()
    await asyncio.sleep(0)
    room.hang_up()
    await task
    assert room.events == ["began", "done", "settled"]
    assert task.cancelling() == 0


async def test_leaving_as_the_work_ends_hits_the_work_or_nothing(room: Room) -> None:
    task = asyncio.create_task(room.answer())
    await room.entered.wait()
    room.leave.set()
    room.hang_up()
    await task
    assert room.events in (["began", "left", "settled"], ["began", "done", "settled"])
    assert task.cancelling() == 0


async def test_a_cancellation_from_outside_passes(room: Room) -> None:
    task = asyncio.create_task(room.answer())
    await room.entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert room.events in (["began"], ["began", "settled"])


async def test_both_at_once_are_a_cancellation_from_outside(room: Room) -> None:
    task = asyncio.create_task(room.answer())
    await room.entered.wait()
    room.hang_up()
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_leaving_while_being_cancelled_changes_nothing(room: Room) -> None:
    room.cleanup = room.hang_up
    task = asyncio.create_task(room.answer())
    await room.entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert "left" not in room.events


async def test_work_that_fails_because_of_the_leaving_counts_as_left(room: Room) -> None:
    def fail() -> None:
        raise ValueError("while closing")

    room.cleanup = fail
    task = asyncio.create_task(room.answer())
    await room.entered.wait()
    room.hang_up()
    await task
    assert room.events == ["began", "left", "settled"]


async def test_work_that_fails_by_itself_fails(room: Room) -> None:
    def fail() -> None:
        raise ValueError("by itself")

    room.cleanup = fail
    room.leave.set()
    with pytest.raises(ValueError, match="by itself"):
        await room.answer()


async def test_work_for_a_client_that_has_left_is_not_begun() -> None:
    room = Room(Line(cut))
    room.hang_up()
    await room.answer()
    assert room.events == ["left", "settled"]


async def test_a_strike_while_the_work_runs_does_not_hit_what_follows() -> None:
    interruption = Interruption()
    interruption.strike()
    await interruption.absorb()
    await asyncio.sleep(0)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_two_strikes_are_one() -> None:
    async def work() -> bool:
        interruption = Interruption()
        interruption.strike()
        interruption.strike()
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError as error:
            return interruption.explains(error)
        return False

    assert await work()


async def test_a_timeout_around_the_work_still_times_out() -> None:
    room = Room()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await while_present(room.work(), Line(cut))


async def test_a_strike_that_came_too_late_leaves_others_cancellations() -> None:
    async def work() -> None:
        interruption = Interruption()
        interruption.strike()
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await interruption.absorb()

    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(work())
