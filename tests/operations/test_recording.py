"""The client that keeps what it sends, over one that notes what reaches it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from pathlib import Path

import pytest

from writingmate.errors import BadGateway, ClientLeft
from writingmate.metering.commands import Claim
from writingmate.operations.kept import MOST_BYTES, Kept, opened
from writingmate.operations.recording import Recording
from writingmate.vault.box import Box
from writingmate.vault.keys import Keyring

CLAIM = Claim("ws_one", "user_one", "once", b"h" * 32, "r1", 0.0, 1.0)
HEADERS = {"x-writingmate-workspace": "ws_one", "x-ratelimit-remaining-requests": "7"}
KEPT = {"x-writingmate-workspace": "ws_one"}
EVENT = b"data: {}\n\n"
DONE = b"data: [DONE]\n\n"


class Listener:
    """A client; what it got is in ``heard``."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.heard: list[object] = []

    async def reply(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.heard.append((status, dict(headers), body))

    async def start(self, headers: Mapping[str, str]) -> None:
        self.heard.append(dict(headers))

    async def send(self, frames: bytes) -> None:
        self.heard.append(frames)

    def ready(self) -> bool:
        return True

    def push(self, frames: bytes) -> None:
        self.heard.append(frames)

    async def finish(self, frames: bytes = b"") -> None:
        self.heard.append(frames)

    async def while_connected(self, work: Awaitable[None]) -> None:
        working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(self.left.wait())
        try:
            await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise ClientLeft
        finally:
            leaving.cancel()
            working.cancel()
            await asyncio.gather(working, leaving, return_exceptions=True)


class Stage:
    """A recording, what is behind it, and work that waits until it is let go."""

    def __init__(self, folder: Path) -> None:
        self.box = Box(Keyring(folder / "vault.keys"))
        self.client = Listener()
        self.recording = Recording(self.client, CLAIM, self.box)
        self.entered = asyncio.Event()
        self.go_on = asyncio.Event()
        self.ended = ""

    async def stored(self, last: bytes) -> Kept | None:
        stored = await self.recording.kept(HEADERS, last, None)
        return None if stored is None else await opened(stored, self.box, CLAIM.key)

    async def stream(self) -> None:
        try:
            await self.recording.start(HEADERS)
            await self.recording.send(EVENT)
            self.entered.set()
            await self.go_on.wait()
            if self.recording.ready():
                self.recording.push(EVENT)
            else:
                await self.recording.send(EVENT)
            await self.recording.finish(DONE)
            self.ended = "well"
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


async def test_a_whole_answer_is_kept_without_what_is_true_of_the_moment(stage: Stage) -> None:
    assert await stage.stored(b"{}") == Kept(200, streamed=False, headers=KEPT, pieces=[], last=b"{}")
    await stage.recording.reply(200, HEADERS, b"{}")
    assert stage.client.heard == [(200, HEADERS, b"{}")]


async def test_a_stream_is_kept_as_it_was_sent_pushed_events_too(stage: Stage) -> None:
    stage.go_on.set()
    await stage.recording.while_connected(stage.stream())
    assert stage.client.heard == [HEADERS, EVENT, EVENT, DONE]
    assert await stage.stored(DONE) == Kept(
        200, streamed=True, headers=KEPT, pieces=[EVENT, EVENT], last=DONE
    )


async def test_work_goes_on_when_the_client_leaves(stage: Stage) -> None:
    working = asyncio.create_task(stage.recording.while_connected(stage.stream()))
    await stage.entered.wait()
    stage.client.left.set()
    await left(stage)
    assert not working.done()
    stage.go_on.set()
    await working
    assert stage.ended == "well"
    assert stage.client.heard == [HEADERS, EVENT], "nothing is sent to a client that has left"
    kept = await stage.stored(DONE)
    assert kept is not None
    assert kept.pieces == [EVENT, EVENT]


async def test_work_is_done_even_if_the_client_left_before_it_began(stage: Stage) -> None:
    stage.client.left.set()
    stage.go_on.set()
    await stage.recording.while_connected(stage.stream())
    assert stage.ended == "well"


@pytest.mark.parametrize("leaves", [False, True], ids=["client stays", "client leaves"])
async def test_the_end_of_the_servers_patience_cancels_the_work(stage: Stage, *, leaves: bool) -> None:
    working = asyncio.create_task(stage.recording.while_connected(stage.stream()))
    await stage.entered.wait()
    if leaves:
        stage.client.left.set()
        await left(stage)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert stage.ended == "cancelled"


@pytest.mark.parametrize("leaves", [False, True], ids=["client stays", "client leaves"])
async def test_what_the_work_raises_is_raised(stage: Stage, *, leaves: bool) -> None:
    async def work() -> None:
        await stage.go_on.wait()
        raise BadGateway("no")

    working = asyncio.create_task(stage.recording.while_connected(work()))
    await asyncio.sleep(0)
    if leaves:
        stage.client.left.set()
        await left(stage)
    stage.go_on.set()
    with pytest.raises(BadGateway):
        await working


async def test_an_answer_larger_than_the_cap_is_not_kept(stage: Stage) -> None:
    assert await stage.stored(b"x" * MOST_BYTES) is not None
    assert await stage.stored(b"x" * (MOST_BYTES + 1)) is None
    half = b"x" * (MOST_BYTES // 2)
    await stage.recording.start(HEADERS)
    await stage.recording.send(half)
    assert await stage.stored(half) is not None
    assert await stage.stored(half + b"x") is None
    await stage.recording.send(half + b"x")
    assert await stage.stored(b"") is None


async def test_an_answer_that_cannot_be_sealed_is_not_kept(stage: Stage) -> None:
    assert await stage.stored(b"{}") is not None
    stage.box.keyring.file.write_text("not a key\n")
    assert await stage.recording.kept(HEADERS, b"{}", None) is None


async def left(stage: Stage) -> None:
    """Until the recording knows that its client has left."""
    async with asyncio.timeout(10):
        while not stage.recording._left:  # noqa: ASYNC110  it tells nobody
            await asyncio.sleep(0)
