"""Slow providers: each kind of waiting has its limit, and the sweep keeps it."""

from __future__ import annotations

import asyncio
import ssl

import pytest

from tests.fakes.openai_upstream import FakeOpenAI, Fault
from tests.upstream.calls import CONNECT, FIRST, IDLE, body, chat, frames, gather, post, until
from tests.upstream.line import Line
from tests.upstream.raw_server import serving, silent, whole
from writingmate.errors import UpstreamRefused, UpstreamTimeout
from writingmate.upstream.base import Timeouts
from writingmate.upstream.client import HttpClient
from writingmate.wire import sse

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"


@pytest.mark.parametrize("stream", [False, True])
async def test_no_answer(client: HttpClient, fake: FakeOpenAI, stream: bool) -> None:  # noqa: FBT001  # a case
    fake.script(Fault(silent=True))
    with pytest.raises(UpstreamTimeout, match=r"no answer began for 0\.1 s"):
        await body(client, chat(fake, stream=stream, timeouts=FIRST))
    call = await fake.called(1)
    await call.over.wait()
    assert call.hung_up


async def test_a_head_without_a_first_frame(client: HttpClient, fake: FakeOpenAI) -> None:
    fake.script(Fault(stall=0))
    with pytest.raises(UpstreamTimeout, match="no answer began"):
        await frames(client, chat(fake, stream=True, timeouts=FIRST))


async def test_a_stream_that_stalls(client: HttpClient, fake: FakeOpenAI) -> None:
    fake.script(Fault(stall=3))
    got: list[bytes] = []
    with pytest.raises(UpstreamTimeout, match=r"the answer stalled for 0\.1 s"):
        await gather(client, chat(fake, stream=True, timeouts=IDLE), got)
    assert 1 <= len(got) <= 3
    await fake.calls[0].over.wait()
    assert fake.calls[0].hung_up


async def test_a_whole_reply_that_stalls(client: HttpClient, fake: FakeOpenAI) -> None:
    fake.script(Fault(stall=0))
    async with client.open(chat(fake, timeouts=IDLE)) as reply:
        with pytest.raises(UpstreamTimeout, match="the answer stalled"):
            await reply.body()


async def test_a_refusal_that_stalls_is_a_refusal(client: HttpClient, fake: FakeOpenAI) -> None:
    fake.script(Fault(status=503, stall=0))
    with pytest.raises(UpstreamRefused) as caught:
        await body(client, chat(fake, timeouts=IDLE))
    assert (caught.value.status, caught.value.body) == (503, b"")


async def test_a_tls_handshake_that_stalls() -> None:
    client = HttpClient(tls=ssl.create_default_context())
    async with serving(silent) as server:
        with pytest.raises(UpstreamTimeout, match=r"https://127.0.0.1:\d+: not connected within 0\.1 s"):
            await body(client, post(server.url.replace("http", "https", 1), timeouts=CONNECT))
        await server.over.acquire()
    await client.close()


async def test_waiting_for_a_connection_counts_as_connecting(fake: FakeOpenAI) -> None:
    client = HttpClient(connections=1)
    fake.script(Fault(stall=1))
    async with client.open(chat(fake, stream=True)):
        with pytest.raises(UpstreamTimeout, match="not connected within"):
            await body(client, chat(fake, timeouts=CONNECT))
    await client.close()


async def test_resting_connections_are_closed_after_a_while(fake: FakeOpenAI) -> None:
    client = HttpClient(idle_seconds=0.05)
    await body(client, chat(fake))
    await client.sweep.emptied()
    [pool] = client._pools.values()
    assert (pool.count, pool.take()) == (0, None)
    await body(client, chat(fake))
    assert fake.connections == 2
    await client.close()


async def test_the_sweep_stops_when_nothing_is_left(client: HttpClient, fake: FakeOpenAI) -> None:
    assert client.sweep._timer is None
    await body(client, chat(fake))
    assert client.sweep._timer is not None
    await client.close()
    assert client.sweep._timer is None


async def test_the_sweep_stops_by_itself(fake: FakeOpenAI) -> None:
    client = HttpClient(idle_seconds=0.01)
    await body(client, chat(fake, timeouts=Timeouts(first=10, idle=0.05)))
    await until(lambda: client.sweep._timer is None)
    await body(client, chat(fake))
    assert client.sweep._timer is not None
    await client.close()


async def test_a_short_limit_hastens_the_sweep(client: HttpClient, fake: FakeOpenAI) -> None:
    """A call with a long limit is under way, so the sweep is slow; a call with a short one is not late."""
    fake.script(Fault(silent=True))
    slow = asyncio.create_task(body(client, chat(fake)))
    await fake.called(1)
    short = asyncio.create_task(body(client, chat(fake, timeouts=Timeouts(first=0.05))))
    before = client.sweep._timer
    await fake.called(2)
    after = client.sweep._timer
    assert before is not None
    assert after is not None
    assert after.when() < before.when()
    with pytest.raises(UpstreamTimeout, match=r"0\.05 s"):
        await short
    slow.cancel()


def test_arriving_bytes_begin_the_wait_anew() -> None:
    line = Line(stream=True, timeouts=Timeouts(first=10, idle=5))
    line.arrive(HEAD, sse.event(b"1"))
    with asyncio.Runner() as runner:
        line.answer._waiter = runner.get_loop().create_future()
        for now in (100.0, 104.0):
            line.connection.tick(now)
        line.arrive(b": comment\n\n")
        for now in (105.5, 110.4):
            line.connection.tick(now)
        assert line.answer.error is None
        line.connection.tick(110.5)
        assert isinstance(line.answer.error, UpstreamTimeout)


def test_comments_do_not_put_off_the_first_frame() -> None:
    line = Line(stream=True, timeouts=Timeouts(first=10, idle=5))
    with asyncio.Runner() as runner:
        line.answer._waiter = runner.get_loop().create_future()
        line.arrive(HEAD)
        line.connection.tick(100.0)
        line.arrive(b": comment\n\n")
        line.connection.tick(109.9)
        assert line.answer.error is None
        line.connection.tick(110.0)
        assert isinstance(line.answer.error, UpstreamTimeout)


def test_no_time_passes_while_the_caller_is_busy() -> None:
    line = Line(stream=True, timeouts=Timeouts(first=10, idle=5))
    line.arrive(HEAD, sse.event(b"1"))
    for now in (100.0, 200.0, 300.0):
        line.connection.tick(now)
    assert line.answer.error is None


def test_a_resting_connection_waits_from_when_it_came_to_rest() -> None:
    line = Line()
    line.arrive(whole(b"x"))
    for now in (100.0, 200.0):
        line.connection.tick(now)
    line.connection.release()
    for now in (201.0, 230.9):
        line.connection.tick(now)
    assert not line.wire.closing
    line.connection.tick(231.0)
    assert line.wire.closing
