"""The server as a process: its port, its signals, its workers."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.api.raw import Answer, ask, dial
from tests.api.served import BEARER, CHAT, FRAME
from writingmate.api.server import FAILED, listen
from writingmate.errors import ConfigurationError
from writingmate.settings import Settings

ROOT = Path(__file__).parents[2]
PROGRAM = """
import sys
from tests.api.process import main
sys.exit(main())
"""

ENDED_BEFORE_IT_SUPERVISES = """
import signal
from writingmate.api import server
class Supervisor(server.Multiprocess):
    def __init__(self, *arguments, **options):
        signal.raise_signal(signal.SIGTERM)
        super().__init__(*arguments, **options)
server.Multiprocess = Supervisor
"""


def test_a_port_that_is_taken() -> None:
    with listen(Settings(port=0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"Port {port} on 127.0.0.1 is taken .* --port"):
            listen(Settings(port=port))


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
def test_a_host_that_is_not_this_machine(host: str) -> None:
    with pytest.raises(ConfigurationError, match="--host"):
        listen(Settings(host=host, port=0))


def test_a_free_port_is_found() -> None:
    with listen(Settings(port=0)) as first, listen(Settings(port=0)) as second:
        assert 0 < first.getsockname()[1] != second.getsockname()[1]


def test_an_address_of_version_6() -> None:
    if not _has_version_6():
        pytest.skip("this machine has no IPv6")
    with listen(Settings(host="::1", port=0)) as listener:
        assert listener.family == socket.AF_INET6


def _has_version_6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@asynccontextmanager
async def process(before: str = "", **environment: str) -> AsyncIterator[tuple[Process, int]]:
    """The server in a process of its own, which runs the lines ``before``; the port it listens on."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "src")])
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        before + PROGRAM,
        stdout=PIPE,
        env={**os.environ, "PYTHONPATH": path, **environment},
    )
    assert child.stdout is not None
    try:
        async with asyncio.timeout(30):
            port = int(await child.stdout.readline())
        yield child, port
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


async def ended(child: Process) -> int:
    async with asyncio.timeout(30):
        return await child.wait()


async def test_it_ends_on_a_signal_when_nothing_is_under_way() -> None:
    async with process() as (child, port):
        assert (await ask(port, "GET", "/readyz")).status == 200
        child.send_signal(signal.SIGTERM)
        assert await ended(child) == 0


async def test_it_ends_on_interrupt_from_the_keyboard() -> None:
    async with process() as (child, port):
        assert (await ask(port, "GET", "/readyz")).status == 200
        child.send_signal(signal.SIGINT)
        assert await ended(child) == 0


async def test_a_stream_under_way_finishes_after_the_signal() -> None:
    async with process() as (child, port), dial(port) as line, dial(port) as idle:
        await idle.request("GET", "/healthz")
        await idle.answer()
        await line.request("POST", CHAT, body=b"{}", authorization=BEARER)
        await line.head()
        assert await line.chunk() == FRAME
        child.send_signal(signal.SIGTERM)
        assert await idle.closed()
        assert (await line.chunk()).startswith(b"data: ")
        assert await line.chunk() == b""
        assert await ended(child) == 0


async def test_readiness_ends_with_the_signal() -> None:
    async with process() as (child, port):
        assert (await _ready(port)).status == 200
        reply = await ask(port, "GET", "/end")
        assert (reply.status, reply.error["code"]) == (503, "draining")
        assert await ended(child) == 0


async def test_what_takes_too_long_is_settled() -> None:
    async with process(TEST_DRAIN_SECONDS="0") as (child, port), dial(port) as line:
        await line.request("POST", CHAT, body=b"{}", authorization=BEARER)
        await line.head()
        await line.chunk()
        child.send_signal(signal.SIGTERM)
        assert await line.closed()
        assert await ended(child) == 0
        assert child.stdout is not None
        assert await child.stdout.read() == b"settled\n"


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_an_application_that_does_not_start_is_an_exit_code(workers: str) -> None:
    async with process(TEST_FAILS="1", TEST_WORKERS=workers) as (child, _):
        assert await ended(child) == FAILED


async def test_a_signal_that_comes_before_workers_are_supervised_ends_it() -> None:
    async with process(ENDED_BEFORE_IT_SUPERVISES, TEST_WORKERS="2") as (child, _):
        assert await ended(child) == 0


async def test_several_workers_answer_on_one_port() -> None:
    async with process(TEST_WORKERS="2") as (child, port):
        assert (await _ready(port)).status == 200
        pids: set[str] = set()
        async with asyncio.timeout(60):
            while len(pids) < 2:
                pids.add((await ask(port, "GET", "/pid")).body.decode())
        child.send_signal(signal.SIGTERM)
        assert await ended(child) == 0


async def _ready(port: int) -> Answer:
    return await ask(port, "GET", "/readyz")
