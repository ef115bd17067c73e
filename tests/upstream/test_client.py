"""Good answers: whole, streamed, reused connections, many at once, unix sockets."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.fakes.openai_upstream import FakeOpenAI, Fault, Wish
from tests.upstream.calls import KEY, body, chat, frames, post
from tests.upstream.raw_server import answering, chunked, serving, whole
from writingmate import __version__
from writingmate.errors import UpstreamRefused
from writingmate.upstream.base import Call, Upstream
from writingmate.upstream.client import HttpClient
from writingmate.wire import sse


async def test_it_is_an_upstream(client: HttpClient) -> None:
    upstream: Upstream = client
    assert upstream is client


async def test_a_whole_reply(client: HttpClient, fake: FakeOpenAI) -> None:
    async with client.open(chat(fake)) as reply:
        document = json.loads(await reply.body())
    assert document["choices"][0]["message"]["content"] == "one two three"
    assert reply.headers["x-request-id"] == fake.calls[0].request_id
    assert reply.headers["content-type"] == "application/json"


async def test_what_is_sent(client: HttpClient, fake: FakeOpenAI) -> None:
    call = chat(fake)
    await body(client, call)
    [recorded] = fake.calls
    assert (recorded.method, recorded.path, recorded.body) == ("POST", "/v1/chat/completions", call.body)
    assert recorded.headers == {
        "host": f"127.0.0.1:{fake.port}",
        "user-agent": f"writingmate/{__version__}",
        "accept": "application/json",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "content-length": str(len(call.body)),
        "authorization": f"Bearer {KEY}",
    }


async def test_a_get_has_no_body(client: HttpClient, fake: FakeOpenAI) -> None:
    reply = await body(client, Call(fake.base_url + "/models", {}, b"", streaming=False, method="GET"))
    assert len(json.loads(reply)["data"]) == 3
    assert (fake.calls[0].method, "content-length" in fake.calls[0].headers) == ("GET", False)


@pytest.mark.parametrize("framing", ["chunked", "close"])
async def test_a_stream(client: HttpClient, fake: FakeOpenAI, framing: str) -> None:
    fake.script(Fault(framing="chunked" if framing == "chunked" else "close"))
    got = await frames(client, chat(fake, stream=True, stream_options={"include_usage": True}))
    assert got[-1] == sse.DONE
    assert [frame[:6] for frame in got] == [b"data: "] * 7
    assert b'"usage":{"prompt_tokens":9' in got[-2]


async def test_comments_are_left_out(client: HttpClient, fake: FakeOpenAI) -> None:
    fake.script(Fault(comment=": OPENROUTER PROCESSING\n\n"))
    got = await frames(client, chat(fake, stream=True))
    assert len(got) == 6
    assert not any(b"PROCESSING" in frame for frame in got)


async def test_frames_come_as_they_are_sent(client: HttpClient, fake: FakeOpenAI) -> None:
    fake.script(Fault(stall=2))
    async with client.open(chat(fake, stream=True)) as reply:
        iterator = reply.frames()
        early: list[bytes] = []
        while len(early) < 2:
            early += await anext(iterator)
        assert b'"content":"one "' in early[1]
        fake.release()
        late = [frame async for batch in iterator for frame in batch]
    assert (len(late), fake.connections) == (4, 1)


async def test_only_data_counts_as_a_frame(client: HttpClient) -> None:
    sent = (
        b": c\n\n",
        b"retry: 3000\n\nevent: ping\n\n",
        b"event: a\ndata: 1\n\n",
        b": x\r\ndata: 2\r\n\r\n",
        b"\xef\xbb\xbf: y\rdata:3\r\r",
    )
    async with serving(answering(chunked(*sent))) as server:
        got = await frames(client, post(server.url, stream=True))
    assert got == [b"event: a\ndata: 1\n\n", b": x\r\ndata: 2\r\n\r\n", b"\xef\xbb\xbf: y\rdata:3\n\n"]


async def test_a_last_event_without_its_blank_line_is_completed(client: HttpClient) -> None:
    async with serving(answering(chunked(b"data: 1\n\n", b"data: [DONE]"))) as server:
        got = await frames(client, post(server.url, stream=True))
    assert got == [b"data: 1\n\n", sse.DONE]


async def test_connections_are_used_again(client: HttpClient, fake: FakeOpenAI) -> None:
    for _ in range(5):
        await body(client, chat(fake))
        await frames(client, chat(fake, stream=True))
    assert (len(fake.calls), fake.connections) == (10, 1)


async def test_two_hundred_at_once(client: HttpClient, fake: FakeOpenAI) -> None:
    fake.script(Fault(wish=Wish(text="word " * 50)))
    for _ in range(2):
        calls = [chat(fake, stream=bool(i % 2)) for i in range(200)]
        got = await asyncio.gather(
            *(frames(client, call) if call.streaming else body(client, call) for call in calls)
        )
        assert all(len(each) == 53 for each in got[1::2])
    assert (len(fake.calls), all(call.finished for call in fake.calls)) == (400, True)
    assert fake.connections <= 200


async def test_the_youngest_connection_is_used_first(client: HttpClient, fake: FakeOpenAI) -> None:
    await asyncio.gather(*(body(client, chat(fake)) for _ in range(4)))
    [pool] = client._pools.values()
    youngest = list(pool._resting)[-1]
    for _ in range(3):
        await body(client, chat(fake))
    assert list(pool._resting)[-1] is youngest
    assert fake.connections == 4


async def test_a_unix_socket(client: HttpClient, tmp_path: Path) -> None:
    async with FakeOpenAI(socket=tmp_path / "model.sock") as fake:
        url = "http://localhost/v1/chat/completions"
        call = Call(url, {}, chat(fake).body, streaming=False, socket=str(tmp_path / "model.sock"))
        for _ in range(2):
            assert b"one two three" in await body(client, call)
        assert (fake.connections, fake.calls[0].headers["host"]) == (1, "localhost")


async def test_a_large_body_both_ways(client: HttpClient) -> None:
    large = b"x" * 20_000_000
    async with serving(answering(whole(large))) as server:
        assert await body(client, post(server.url, large)) == large


async def test_a_long_refusal_is_not_waited_for(client: HttpClient) -> None:
    answer = whole(b"x" * 1_000_000, status=b"500 Oops")[:100_000]
    async with serving(answering(answer)) as server, asyncio.timeout(10):
        with pytest.raises(UpstreamRefused) as caught:
            await body(client, post(server.url))
        assert len(caught.value.body) == 64 * 1024
        await server.over.acquire()


async def test_interim_answers_are_passed_over(client: HttpClient) -> None:
    early = (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\ncontent-encoding: br\r\n\r\n"
    )
    async with serving(answering(early + whole(b"one"), whole(b"two"))) as server:
        assert await body(client, post(server.url)) == b"one"
        assert await body(client, post(server.url)) == b"two"
        assert server.accepted == 1


async def test_header_names_are_in_lower_case_and_the_last_one_counts(client: HttpClient) -> None:
    answer = whole(b"", b"X-A: 1", b"X-A: 2", b"X-B: \xe9")
    async with serving(answering(answer)) as server, client.open(post(server.url)) as reply:
        assert reply.headers == {"content-length": "0", "x-a": "2", "x-b": "\xe9"}
        assert await reply.body() == b""


async def test_an_answer_is_read_the_way_it_was_asked_for(client: HttpClient, fake: FakeOpenAI) -> None:
    async with client.open(chat(fake)) as reply:
        with pytest.raises(TypeError, match="read whole"):
            reply.frames()
    async with client.open(chat(fake, stream=True)) as reply:
        with pytest.raises(TypeError, match="read as frames"):
            await reply.body()
