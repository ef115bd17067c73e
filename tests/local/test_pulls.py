"""What requests are told while a file is pulled, and when it cannot be had."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.conftest import CACHE
from tests.local.file_server import Repository, serving
from tests.local.wheels import model
from writingmate.errors import UpstreamNotReady
from writingmate.local.manifest import LocalModel, manifest
from writingmate.local.official import Official
from writingmate.local.pulls import Pulls
from writingmate.local.sources import BLOCK
from writingmate.local.weights import Weights

CONTENT = bytes(range(256)) * 4 * (BLOCK // 256)


@pytest.fixture
def slow() -> Iterator[Repository]:
    """A repository that waits after the first half."""
    with serving(Repository(CONTENT, gate=threading.Event())) as repository:
        yield repository


async def test_a_request_is_told_how_far_the_pull_is(tmp_path: Path, slow: Repository) -> None:
    wanted = model(CONTENT, official=slow.address)
    weights = Weights(tmp_path, sources=(Official(),))
    pulls = Pulls(weights)
    with pytest.raises(UpstreamNotReady, match=r"being downloaded \(0%\)"):
        await pulls.served(wanted)
    task = pulls.begin(wanted)
    await asyncio.to_thread(slow.half_sent.wait, 20)
    while not weights.fraction(wanted):
        await asyncio.to_thread(slow.half_sent.wait, 20)
    with pytest.raises(UpstreamNotReady, match=r"being downloaded \((25|50)%\)") as caught:
        await pulls.served(wanted)
    assert caught.value.retry_after > 0
    assert slow.gate is not None
    slow.gate.set()
    await task
    assert await pulls.served(wanted) == (wanted, tmp_path / "tiny.gguf")
    assert slow.ranges == [None], "all of it was one pull"
    await pulls.close()


async def test_closing_interrupts_a_pull(tmp_path: Path, slow: Repository) -> None:
    wanted = model(CONTENT, official=slow.address)
    pulls = Pulls(Weights(tmp_path, sources=(Official(),)))
    task = pulls.begin(wanted)
    await asyncio.to_thread(slow.half_sent.wait, 20)
    closing = asyncio.create_task(pulls.close())
    assert slow.gate is not None
    slow.gate.set()
    await closing
    assert task.done()


async def test_a_model_that_cannot_be_had_is_said_so(tmp_path: Path) -> None:
    wanted = model(CONTENT)
    pulls = Pulls(Weights(tmp_path, sources=()))
    await pulls.begin(wanted)
    for _ in range(2):
        with pytest.raises(UpstreamNotReady, match="could not be downloaded to this server"):
            await pulls.served(wanted)
    await pulls.close()


async def test_the_stand_in_serves_when_no_source_has_the_default(
    tmp_path: Path, weights: Weights, smollm2: LocalModel
) -> None:
    assert weights.find(smollm2) == CACHE / smollm2.file
    pulls = Pulls(Weights(tmp_path, named=CACHE / smollm2.file, sources=()))
    await pulls.begin(manifest()[0])
    assert await pulls.served(manifest()[0]) == (smollm2, CACHE / smollm2.file)
    await pulls.close()


async def test_a_file_that_was_removed_is_pulled_again(tmp_path: Path) -> None:
    with serving(Repository(CONTENT)) as repository:
        wanted = model(CONTENT, official=repository.address)
        pulls = Pulls(Weights(tmp_path, sources=(Official(),)))
        await pulls.begin(wanted)
        _, path = await pulls.served(wanted)
        await asyncio.to_thread(path.unlink)
        with pytest.raises(UpstreamNotReady):
            await pulls.served(wanted)
        await pulls.begin(wanted)
        assert await pulls.served(wanted) == (wanted, path)
        await pulls.close()
