"""Connections are counted exactly: limits, turns, cancellation at any await, closing."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from tests.fakes.openai_upstream import FakeOpenAI, Fault
from tests.upstream.calls import KEY, body, chat, frames, post, until
from tests.upstream.raw_server import answering, closing, request, serving, whole
from writingmate.errors import UpstreamBroken, UpstreamError, UpstreamRefused, UpstreamUnreachable
from writingmate.upstream.base import Call
from writingmate.upstream.client import HttpClient
from writingmate.upstream.pool import Pool


def _pool(client: HttpClient) -> Pool:
    [pool] = client._pools.values()
    return pool


def _is_whole(client: HttpClient) -> bool:
    """Every connection that is counted is open and rests, and nobody waits."""
    pool = _pool(client)
    return (
        pool.count == len(pool._resting) == len(client.sweep.connections)
        and not pool._waiting
        and not pool._dialling
        and all(connection.is_open and connection.answer is None for connection in pool._resting)
    )


async def _settled(client: HttpClient) -> None:
    """Let aborted connections be reported lost."""
    await until(lambda: _is_whole(client))


async def test_no_more_connections_than_allowed(fake: FakeOpenAI) -> None:
    client = HttpClient(connections=3)
    replies = await asyncio.gather(*(body(client, chat(fake)) for _ in range(50)))
    assert (len(replies), fake.connections, _pool(client).count) == (50, 3, 3)
    await client.close()


async def test_turns_are_taken_in_order(fake: FakeOpenAI) -> None:
    client = HttpClient(connections=1)
    await asyncio.gather(*(body(client, chat(fake, seed=i)) for i in range(10)))
    assert [call.document["seed"] for call in fake.calls] == list(range(10))
    await client.close()


async def test_a_lost_connection_gives_up_its_place(fake: FakeOpenAI) -> None:
    client = HttpClient(connections=1)
    fake.script(Fault(cut=50), times=3)
    outcomes = await asyncio.gather(*(body(client, chat(fake)) for _ in range(6)), return_exceptions=True)
    assert [isinstance(outcome, UpstreamBroken) for outcome in outcomes] == [True] * 3 + [False] * 3
    assert fake.connections == 4
    await client.close()


async def test_refused_connections_give_up_their_places(client: HttpClient) -> None:
    async with serving(answering()) as server:
        url = server.url
    for _ in range(3):
        with pytest.raises(UpstreamUnreachable, match=r"http://127\.0\.0\.1:\d+: "):
            await body(client, post(url + "?key=" + KEY))
    assert _pool(client).count == 0


async def test_an_unknown_host(client: HttpClient) -> None:
    with pytest.raises(UpstreamUnreachable):
        await body(client, post(f"http://{'a' * 70}.invalid/"))
    assert _pool(client).count == 0


async def test_a_missing_socket(client: HttpClient) -> None:
    with pytest.raises(UpstreamUnreachable, match=r"/nowhere/x\.sock: No such file"):
        await body(client, Call("http://x/", {}, b"", streaming=False, socket="/nowhere/x.sock"))


async def test_a_connection_closed_while_it_rests_is_not_used(client: HttpClient) -> None:
    async with serving(closing(whole(b"x"))) as server:
        for _ in range(3):
            assert await body(client, post(server.url)) == b"x"
            await server.over.acquire()
            await until(lambda: _pool(client).count == 0)
        assert server.accepted == 3


async def test_a_request_is_sent_again_once_where_a_rested_connection_was_closed_meanwhile(
    client: HttpClient,
) -> None:
    """The provider's patience with an idle connection may end just as a request is on its way."""
    seen: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await request(reader))
        writer.write(whole(b"x"))
        seen.append(await request(reader))

    async with serving(talk) as server:
        await body(client, post(server.url))
        assert await body(client, post(server.url)) == b"x"
    assert (len(seen), server.accepted) == (3, 2)
    assert seen[1] == seen[2]


async def test_a_request_is_sent_no_third_time_and_once_on_a_new_connection(
    client: HttpClient,
) -> None:
    seen = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await request(reader))
        if len(seen) == 1:
            writer.write(whole(b"x"))
            seen.append(await request(reader))

    async with serving(talk) as server:
        await body(client, post(server.url))
        with pytest.raises(UpstreamUnreachable, match="closed before an answer"):
            await body(client, post(server.url))
        assert (len(seen), server.accepted) == (3, 2)
        with pytest.raises(UpstreamUnreachable, match="closed before an answer"):
            await body(client, post(server.url))
        assert (len(seen), server.accepted) == (4, 3)


async def test_a_dropped_connection(client: HttpClient, fake: FakeOpenAI) -> None:
    fake.drop(1)
    with pytest.raises(UpstreamUnreachable):
        await body(client, chat(fake))
    await body(client, chat(fake))


@pytest.mark.parametrize("stream", [False, True])
async def test_answers_cut_on_real_sockets(client: HttpClient, fake: FakeOpenAI, stream: bool) -> None:  # noqa: FBT001  # a case
    call = chat(fake, stream=stream, model="cut")
    read = frames if stream else body
    whole_one = HttpClient()
    expected = await read(whole_one, call)
    await whole_one.close()
    cuts = range(0, fake.calls[-1].sent, 13)
    for cut in cuts:
        fake.script(Fault(cut=cut, reset=bool(cut % 2)), model="cut", times=1)
    outcomes = await asyncio.gather(*(read(client, call) for _ in cuts), return_exceptions=True)
    assert all(isinstance(outcome, UpstreamError) for outcome in outcomes)
    assert len(await read(client, call)) == len(expected)
    await _settled(client)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("connections", [1, 2048])
async def test_cancelled_at_every_await(fake: FakeOpenAI, stream: bool, connections: int) -> None:  # noqa: FBT001  # a case
    """However far two calls that share a client have come, cancelling one leaves nothing behind."""
    client = HttpClient(connections=connections)
    fake.script(Fault(pace=0.0001))
    read = frames if stream else body
    steps, finished = 0, 0
    while finished < 3:
        steps += 1
        task = asyncio.create_task(_read(read(client, chat(fake, stream=stream))))
        other = asyncio.create_task(_read(read(client, chat(fake, stream=stream))))
        for _ in range(steps):
            await asyncio.sleep(0)
        finished += task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await other
        await _settled(client)
        if steps % 3 == 0:  # so that new connections are cancelled as well as used ones
            await client.close()
            client = HttpClient(connections=connections)
    assert steps > 3
    await client.close()
    for call in fake.calls:
        await call.over.wait()


async def test_a_crowd_that_gives_up_while_connecting(fake: FakeOpenAI) -> None:
    """uvloop closes a socket whose dialling is cancelled without telling its protocol."""
    client = HttpClient()
    for steps in range(1, 25):
        crowd = [asyncio.create_task(_read(body(client, chat(fake)))) for _ in range(20)]
        for _ in range(steps):
            await asyncio.sleep(0)
        for task in crowd:
            task.cancel()
        await asyncio.gather(*crowd, return_exceptions=True)
    await _read(body(client, chat(fake)))
    await _settled(client)
    await client.close()


async def _read(work: Coroutine[Any, Any, object]) -> None:
    await work


async def test_a_cancelled_turn_is_passed_on(fake: FakeOpenAI) -> None:
    client = HttpClient(connections=1)
    fake.script(Fault(silent=True), times=1)
    first = asyncio.create_task(body(client, chat(fake)))
    await fake.called(1)
    second = asyncio.create_task(body(client, chat(fake)))
    third = asyncio.create_task(body(client, chat(fake)))
    await until(lambda: len(_pool(client)._waiting) == 2)
    first.cancel()
    await until(lambda: len(_pool(client)._waiting) == 1)
    second.cancel()  # in the very moment its turn has come
    assert b"one two three" in await third
    assert (second.cancelled(), first.cancelled()) == (True, True)
    await _settled(client)
    await client.close()


async def test_leaving_early_closes_the_connection(client: HttpClient, fake: FakeOpenAI) -> None:
    fake.script(Fault(stall=2))
    async with client.open(chat(fake, stream=True)):
        pass
    call = fake.calls[0]
    await call.over.wait()
    assert call.hung_up
    with pytest.raises(ZeroDivisionError):
        async with client.open(chat(fake, stream=True)):
            raise ZeroDivisionError
    await fake.calls[1].over.wait()
    assert fake.calls[1].hung_up
    await _settled(client)


async def test_a_reply_is_over_when_it_has_been_left(client: HttpClient, fake: FakeOpenAI) -> None:
    fake.script(Fault(stall=2))
    async with client.open(chat(fake, stream=True)) as reply:
        iterator = reply.frames()
    with pytest.raises(UpstreamBroken):
        _ = [frame async for frame in iterator]


async def test_refusals_keep_the_connection(client: HttpClient, fake: FakeOpenAI) -> None:
    fake.script(Fault(status=429, headers={"retry-after": "7"}), times=3)
    for _ in range(3):
        with pytest.raises(UpstreamRefused) as caught:
            await body(client, chat(fake))
        assert caught.value.headers["retry-after"] == "7"
    assert fake.connections == 1


async def test_closing_ends_everything(fake: FakeOpenAI) -> None:
    client = HttpClient(connections=2)
    await body(client, chat(fake))
    fake.script(Fault(stall=1))
    streams = [asyncio.create_task(frames(client, chat(fake, stream=True))) for _ in range(2)]
    waiting = asyncio.create_task(body(client, chat(fake)))
    await fake.called(3)
    await until(lambda: len(_pool(client)._waiting) == 1)
    await client.close()
    outcomes = await asyncio.gather(*streams, waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [UpstreamBroken] * 3
    assert _pool(client).count == 0
    with pytest.raises(UpstreamUnreachable, match="closed"):
        await body(client, chat(fake))
    await client.close()


async def test_closing_an_unused_client() -> None:
    client = HttpClient()
    await client.close()
    with pytest.raises(UpstreamUnreachable, match="closed"):
        await body(client, post("http://127.0.0.1:1/"))


async def test_no_key_in_any_error(client: HttpClient, fake: FakeOpenAI) -> None:
    url = f"{fake.base_url}/chat/completions?key={KEY}"
    for fault in (Fault(cut=0), Fault(cut=30), Fault(cut=300), Fault(status=401)):
        fake.script(fault, times=1)
        with pytest.raises(UpstreamError) as caught:
            await body(client, post(url, chat(fake).body))
        assert KEY not in f"{caught.value!r} {caught.value.detail} {caught.value.__cause__!r}"
