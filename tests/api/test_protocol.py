"""What the server does about connections, whatever is asked on them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import msgspec
import pytest

from tests.api.raw import ask, dial, until
from tests.api.served import ANSWER, BEARER, CHAT, HEADERS, Served, served
from writingmate.api import protocol, sweep
from writingmate.api.protocol import CLOSING_SECONDS, Protocol
from writingmate.operations.client import Client, Request
from writingmate.types import DialectName, Principal

LARGE = msgspec.json.encode({**ANSWER, "large": "x" * (32 << 20)})


@pytest.fixture
async def api(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    monkeypatch.setattr(sweep, "SWEEP_SECONDS", 0.02)
    async with served() as running:
        yield running


def connections(api: Served) -> set[Protocol]:
    assert api.server is not None
    return api.server.server_state.connections  # type: ignore[return-value]  # all of them are ours


async def test_a_connection_that_is_idle_for_long_is_closed(
    api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "IDLE_SECONDS", 0.1)
    async with dial(api.port) as line:
        await line.request("GET", "/healthz")
        assert (await line.answer()).status == 200
        assert await line.closed()
    assert not connections(api)


async def test_a_connection_is_kept_between_requests(api: Served) -> None:
    async with dial(api.port) as line:
        for _ in range(3):
            await line.request("GET", "/healthz")
            assert (await line.answer()).status == 200
        assert len(connections(api)) == 1


async def test_a_client_that_never_reads_its_answer_does_not_stay(
    api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "CLOSING_SECONDS", 0.1)

    async def whole(_: DialectName, __: Principal, ___: Request, client: Client) -> None:
        await client.reply(200, HEADERS, LARGE)

    api.generate = whole
    head = (
        f"POST {CHAT} HTTP/1.1\r\nauthorization: {BEARER}\r\nconnection: close\r\ncontent-length: 2\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", api.port)) as deaf:
        deaf.sendall(head.encode() + b"{}")
        await until(lambda: connections(api))
        await until(lambda: not connections(api))


class Transport:
    """Sends as much as it is told to."""

    def __init__(self) -> None:
        self.unsent = 1000
        self.aborted = False

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return True

    def abort(self) -> None:
        self.aborted = True


async def test_a_client_that_reads_slowly_gets_all_of_it(api: Served) -> None:
    async with dial(api.port) as line:
        await line.request("GET", "/healthz")
        await line.answer()
        connection = next(iter(connections(api)))
        real, transport = connection.transport, Transport()
        connection.transport = transport  # type: ignore[assignment]  # as much of one as is looked at
        now = connection.loop.time()
        for step in range(10):
            transport.unsent -= 10
            connection.sweep(now + step * CLOSING_SECONDS)
            assert not transport.aborted
        connection.sweep(now + 11 * CLOSING_SECONDS)
        assert transport.aborted
        connection.transport = real


async def test_headers_cannot_end_a_line(api: Served) -> None:
    async def operation(_: DialectName, __: Principal, ___: Request, client: Client) -> None:
        await client.reply(200, HEADERS | {"a\r\nset-cookie": "b"}, LARGE)

    api.generate = operation
    async with dial(api.port) as line:
        await line.request("POST", CHAT, body=b"{}", authorization=BEARER)
        assert await line.closed()


async def test_the_sweep_rests_without_connections(api: Served) -> None:
    assert api.server is not None
    await ask(api.port, "GET", "/healthz")
    resting = sweep.Sweep.of(api.server.server_state, asyncio.get_running_loop())
    await until(lambda: resting._handle is None)
