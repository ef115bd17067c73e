"""The child's life: killed, abandoned, shared, taken over."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import stat
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.local.calling import whole
from tests.local.conftest import CACHE
from writingmate.errors import UpstreamNotReady
from writingmate.local.child import Child
from writingmate.local.manifest import LocalModel
from writingmate.local.runtime import LONGEST_SOCKET_PATH, Runtime
from writingmate.local.upstream import LocalUpstream
from writingmate.local.weights import Weights
from writingmate.upstream.client import HttpClient

ROOT = Path(__file__).parents[2]
GATEWAY = """
import asyncio, sys
from pathlib import Path
from tests.local.calling import whole
from writingmate.local.manifest import named
from writingmate.local.upstream import LocalUpstream
from writingmate.local.weights import Weights
from writingmate.upstream.client import HttpClient

async def main():
    local = LocalUpstream(HttpClient(), Weights(Path(sys.argv[1])), Path(sys.argv[2]))
    await whole(local, max_tokens=1)
    print(local._children["smollm2-135m"].pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@asynccontextmanager
async def upstream(weights: Weights, folder: Path) -> AsyncIterator[LocalUpstream]:
    http = HttpClient()
    local = LocalUpstream(http, weights, folder)
    try:
        yield local
    finally:
        await local.close()
        await http.close()


@asynccontextmanager
async def another_gateway(folder: Path) -> AsyncIterator[tuple[Process, int]]:
    """A process that owns a child, and that child's id."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", GATEWAY, str(CACHE), str(folder), stdout=PIPE, env=environment
    )
    try:
        assert process.stdout is not None
        yield process, int(await process.stdout.readline())
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def left_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def arguments(child: Child) -> str:
    """What everybody on the machine may read."""
    return Path(f"/proc/{child.pid}/cmdline").read_text(encoding="utf-8")


def pid(local: LocalUpstream) -> int | None:
    return local._children["smollm2-135m"].pid


async def answered(local: LocalUpstream) -> bool:
    return bool((await whole(local, max_tokens=1))["usage"]["completion_tokens"])


async def gone(child: int) -> bool:
    """Whether the process ends within ten seconds."""
    try:
        descriptor = os.pidfd_open(child)
    except ProcessLookupError:
        return True
    try:
        ready, _, _ = await asyncio.to_thread(select.select, [descriptor], [], [], 10)
        return bool(ready)
    finally:
        os.close(descriptor)


async def test_after_a_kill_the_next_request_is_answered(
    weights: Weights, tmp_path: Path, smollm2: LocalModel
) -> None:
    """Whoever asks first: the process that owned the child, or one that used it too."""
    async with upstream(weights, tmp_path) as local, upstream(weights, tmp_path) as other:
        await local.prepare(smollm2)
        first = pid(local)
        assert first is not None
        assert await answered(other)
        assert pid(other) is None
        os.kill(first, signal.SIGKILL)
        assert await answered(other)
        second = pid(other)
        assert second is not None
        assert await answered(local)
        assert pid(local) is None
        os.kill(second, signal.SIGKILL)
        assert await answered(other)
        third = pid(other)
        assert third not in {None, second}
    assert third is not None
    assert await gone(third)
    assert left_in(tmp_path) == ["smollm2-135m.lock"]


async def test_no_child_outlives_its_gateway_and_the_next_one_takes_over(
    weights: Weights, tmp_path: Path
) -> None:
    async with another_gateway(tmp_path) as (process, child), upstream(weights, tmp_path) as local:
        assert await answered(local)
        assert pid(local) is None, "one child serves both"
        process.kill()
        await process.wait()
        assert await gone(child)
        assert await answered(local)
        assert pid(local) is not None


async def test_only_its_user_can_reach_the_child(
    weights: Weights, tmp_path: Path, smollm2: LocalModel
) -> None:
    folder = tmp_path / "run"
    child = Child(smollm2, folder)
    try:
        path = weights.find(smollm2)
        assert path is not None
        endpoint = await child.endpoint(path)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "smollm2-135m.json").stat().st_mode) == 0o600
        assert endpoint.key not in arguments(child)
        assert endpoint.key not in repr(endpoint)
        assert await child.endpoint(path) is endpoint
    finally:
        await child.close()
    with pytest.raises(UpstreamNotReady, match="stopping"):
        await child.endpoint(path)


async def test_a_start_goes_on_when_the_caller_leaves(
    weights: Weights, tmp_path: Path, smollm2: LocalModel
) -> None:
    child = Child(smollm2, tmp_path)
    path = weights.find(smollm2)
    assert path is not None
    asking = asyncio.create_task(child.endpoint(path))
    impatient = asyncio.create_task(child.endpoint(path))
    await asyncio.wait([impatient], timeout=0)
    asking.cancel()
    endpoint = await impatient
    assert await child.endpoint(path) is endpoint
    await child.close()


async def test_what_cannot_be_loaded_is_said(tmp_path: Path, smollm2: LocalModel) -> None:
    wrong = tmp_path / "wrong.gguf"
    wrong.write_bytes(b"this is no model")
    child = Child(smollm2, tmp_path / "run")
    with pytest.raises(UpstreamNotReady, match="magic") as caught:
        await child.endpoint(wrong)
    assert "invalid magic" in caught.value.detail
    assert "Traceback" not in caught.value.detail
    assert caught.value.message.startswith("The local model cannot be started")
    assert child.pid is None
    await child.close()


def test_one_owner_at_a_time(tmp_path: Path) -> None:
    first, second = Runtime(tmp_path, "tiny"), Runtime(tmp_path, "tiny")
    assert first.own()
    assert first.own()
    assert not second.own()
    endpoint = first.new_endpoint()
    first.publish(endpoint)
    assert second.published() == endpoint
    first.disown()
    assert second.published() is None
    assert second.own()
    second.disown()


def test_a_long_path_gets_a_short_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * LONGEST_SOCKET_PATH)
    runtime = Runtime(folder, "tiny")
    assert runtime.own()
    endpoint = runtime.new_endpoint()
    socket = Path(endpoint.socket)
    assert len(endpoint.socket) <= LONGEST_SOCKET_PATH
    assert socket.is_relative_to(tempfile.gettempdir())
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    runtime.publish(endpoint)
    runtime.disown()
    assert not socket.parent.exists()
