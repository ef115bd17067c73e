"""Clients that send what no client should: an envelope or a closed connection, and the server lives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.api.raw import ask, dial
from tests.api.served import BEARER, CHAT, MODELS, Served, answer, served
from writingmate.api.limits import HEAD_BYTES, HEAD_LINES
from writingmate.operations.client import Client, Request
from writingmate.settings import Settings
from writingmate.types import DialectName, Principal
from writingmate.wire import document

LIMIT = 1 << 20
HEAD = f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: {BEARER}\r\n".encode()
GET = f"GET {MODELS} HTTP/1.1\r\nhost: x\r\nauthorization: {BEARER}\r\n\r\n".encode()


async def parsed(dialect: DialectName, principal: Principal, request: Request, client: Client) -> None:
    """Reads the body as the real operation does."""
    document.parse(request.body)
    await answer(dialect, principal, request, client)


@pytest.fixture
async def api() -> AsyncIterator[Served]:
    async with served(Settings(port=0, max_body_bytes=LIMIT, header_seconds=0.2, body_seconds=0.2)) as api:
        api.generate = parsed
        yield api
        assert (await ask(api.port, "GET", MODELS, authorization=BEARER)).status == 200


async def post(api: Served, body: bytes, **headers: str) -> tuple[int, str]:
    answer = await ask(api.port, "POST", CHAT, body=body, authorization=BEARER, **headers)
    return answer.status, "" if answer.status == 200 else answer.error["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"model": "m", "mess',
        b'{"model": "m\0"}'[:-4] + b"\0\0\0\0",
        b'{"model": "\xff\xfe"}',
        b"[" * 10_000 + b"]" * 10_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
        b"null",
        b"[]",
        b"\xef\xbb\xbf{}x",
    ],
)
async def test_a_body_that_is_no_document_is_refused(api: Served, body: bytes) -> None:
    status, message = await post(api, body)
    assert status == 400
    assert "JSON" in message


async def test_a_large_body_is_read_whole() -> None:
    async with served() as api:
        body = b'{"model": "' + b"x" * (20 << 20) + b'"}'
        reply = await ask(api.port, "POST", CHAT, body=body, authorization=BEARER)
        assert reply.json()["received"] == len(body)


async def test_a_body_declared_too_long_is_refused_before_it_is_read(api: Served) -> None:
    async with dial(api.port) as line:
        await line.write(HEAD + b"content-length: 100000000\r\n\r\n")
        reply = await line.answer()
        assert reply.status == 413
        assert reply.headers["connection"] == "close"
        assert reply.error["code"] == "request_too_large"
        assert await line.closed()


async def test_whoever_sends_a_body_too_long_to_its_end_still_reads_why(api: Served) -> None:
    reply = await ask(api.port, "POST", CHAT, body=b"x" * (8 << 20), authorization=BEARER)
    assert reply.status == 413


async def test_a_body_of_endless_chunks_is_cut_off(api: Served) -> None:
    async with dial(api.port) as line:
        await line.write(HEAD + b"transfer-encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        for _ in range(LIMIT // 65536 + 1):
            await line.write(chunk)
        reply = await line.answer()
        assert (reply.status, reply.headers["connection"]) == (413, "close")
        assert await line.closed()


async def test_a_chunked_body_within_the_limit_is_read(api: Served) -> None:
    async with dial(api.port) as line:
        await line.write(HEAD + b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n")
        await line.write(b"1;ext=1\r\n}\r\n0\r\ntrailer: 1\r\n\r\n")
        assert (await line.answer()).json()["received"] == 2
        await line.write(GET)
        assert (await line.answer()).status == 200


async def test_a_body_that_stalls_is_timed_out(api: Served) -> None:
    async with dial(api.port) as line:
        await line.write(HEAD + b"content-length: 100\r\n\r\n{")
        reply = await line.answer()
        assert reply.status == 408
        assert reply.error["code"] == "request_timeout"
        assert await line.closed()


@pytest.mark.parametrize("sent", [b"", b"G", HEAD, HEAD + b"x-slow: "])
async def test_a_head_that_does_not_arrive_is_timed_out(api: Served, sent: bytes) -> None:
    async with dial(api.port) as line:
        await line.write(sent)
        if sent:
            reply = await line.answer()
            assert reply.status == 408
            assert reply.error["code"] == "request_timeout"
        assert await line.closed()


@pytest.mark.parametrize(
    "head",
    [
        HEAD + b"x-bomb: " + b"x" * HEAD_BYTES + b"\r\n\r\n",
        HEAD + b"x: y\r\n" * HEAD_LINES + b"\r\n",
        b"GET /" + b"x" * HEAD_BYTES + b" HTTP/1.1\r\n\r\n",
        HEAD + b"x-bomb: " + b"x" * (4 * HEAD_BYTES),
        HEAD + b"x" * (4 * HEAD_BYTES),
    ],
)
async def test_a_head_too_large_is_refused(api: Served, head: bytes) -> None:
    async with dial(api.port) as line:
        await line.write(head)
        reply = await line.answer()
        assert reply.status == 431
        assert reply.headers["connection"] == "close"
        assert reply.error["type"] == "invalid_request_error"
        assert await line.closed()


async def test_a_large_head_is_read() -> None:
    async with served() as api:
        reply = await ask(api.port, "GET", MODELS, authorization=BEARER, x_large="x" * 60_000)
        assert reply.status == 200


@pytest.mark.parametrize(
    "junk", [b"\r\n" * 200_000, HEAD + b"transfer-encoding: chunked\r\n\r\n1;" + b"x" * 400_000]
)
async def test_bytes_that_lead_nowhere_are_cut_off(api: Served, junk: bytes) -> None:
    async with dial(api.port) as line:
        await line.write(junk)
        assert (await line.answer()).status == 431
        assert await line.closed()


async def test_trailers_do_not_become_headers(api: Served) -> None:
    bare = HEAD.replace(BEARER.encode(), b"none")
    async with dial(api.port) as line:
        trailer = b"authorization: " + BEARER.encode()
        await line.write(bare + b"transfer-encoding: chunked\r\n\r\n0\r\n" + trailer + b"\r\n\r\n")
        assert (await line.answer()).status == 401


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\0" * 100,
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"NONSENSE / HTTP/1.1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\n\r\n",
        b"GET http:// HTTP/1.1\r\n\r\n",
        b"CONNECT example.org:443 HTTP/1.1\r\nhost: example.org\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        HEAD + b"content-length: -1\r\n\r\n",
        HEAD + b"content-length: 1\r\ncontent-length: 2\r\n\r\n",
        HEAD + b"content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        HEAD + b"transfer-encoding: gzip, x\r\n\r\n",
        HEAD + b" folded\r\n\r\n",
        HEAD + b"x\0y: z\r\n\r\n",
    ],
)
async def test_what_is_not_http_gets_an_envelope_and_the_end(api: Served, garbage: bytes) -> None:
    async with dial(api.port) as line:
        await line.write(garbage)
        reply = await line.answer()
        assert reply.status == 400
        assert reply.error["type"] == "invalid_request_error"
        assert await line.closed()


async def test_a_body_that_breaks_off_in_nonsense(api: Served) -> None:
    async with dial(api.port) as line:
        await line.write(HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n")
        assert (await line.answer()).status == 400
        assert await line.closed()


async def test_nonsense_after_a_request_waits_for_its_answer(api: Served) -> None:
    async with dial(api.port) as line:
        await line.write(GET + b"\0nonsense\r\n\r\n")
        assert (await line.answer()).status == 200
        assert await line.closed()


async def test_pipelined_requests_are_answered_in_order(api: Served) -> None:
    paths = [f"{MODELS}/{number}" for number in range(100)]
    async with dial(api.port) as line:
        await line.write(b"".join(GET.replace(MODELS.encode(), path.encode(), 1) for path in paths))
        for number in range(100):
            assert (await line.answer()).json()["id"] == str(number)


async def test_http_1_0_ends_with_its_answer(api: Served) -> None:
    async with dial(api.port) as line:
        await line.write(GET.replace(b"HTTP/1.1", b"HTTP/1.0"))
        reply = await line.answer()
        assert reply.status == 200
        assert reply.headers["connection"] == "close"
        assert await line.closed()


async def test_asking_what_the_whole_server_can_do(api: Served) -> None:
    async with dial(api.port) as line:
        await line.write(b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await line.answer()).error["code"] == "unknown_url"


async def test_absolute_addresses_mean_their_path(api: Served) -> None:
    async with dial(api.port) as line:
        await line.write(GET.replace(MODELS.encode(), b"http://other.example" + MODELS.encode(), 1))
        assert (await line.answer()).status == 200
        await line.write(b"GET http://other.example HTTP/1.1\r\nhost: x\r\n\r\n")
        assert (await line.answer()).status == 404


@pytest.mark.parametrize("protocol", ["h2c", "websocket"])
async def test_an_offer_to_upgrade_is_not_taken_up(api: Served, protocol: str) -> None:
    offer = f"connection: Upgrade, HTTP2-Settings\r\nupgrade: {protocol}\r\n".encode()
    async with dial(api.port) as line:
        for _ in range(2):
            await line.write(GET[:-2] + offer + b"\r\n")
            assert (await line.answer()).status == 200
        await line.write(HEAD + offer + b"content-length: 2\r\n\r\n{}" + GET)
        assert (await line.answer()).json()["received"] == 2
        assert (await line.answer()).status == 200


async def test_a_body_asked_for_is_sent_only_if_it_will_be_read(api: Served) -> None:
    async with dial(api.port) as line:
        await line.write(HEAD + b"expect: 100-continue\r\ncontent-length: 2\r\n\r\n")
        assert (await line.head())[1] == 100
        await line.write(b"{}")
        assert (await line.answer()).status == 200
    async with dial(api.port) as line:
        refused = HEAD.replace(BEARER.encode(), b"none")
        await line.write(refused + b"expect: 100-continue\r\ncontent-length: 2\r\n\r\n")
        reply = await line.answer()
        assert (reply.status, reply.headers["connection"]) == (401, "close")


async def test_a_small_body_that_nobody_reads_leaves_the_connection_open(api: Served) -> None:
    async with dial(api.port) as line:
        for _ in range(2):
            await line.request("POST", CHAT, body=b"{}")
            assert (await line.answer()).status == 401
            await line.request("GET", MODELS, body=b"{}", authorization=BEARER)
            assert (await line.answer()).status == 200


@pytest.mark.parametrize("cut", range(0, len(HEAD) + 40, 7))
async def test_clients_that_leave_anywhere_in_a_request(api: Served, cut: int) -> None:
    whole = HEAD + b"content-length: 40\r\n\r\n" + b" " * 39 + b"x"
    async with dial(api.port) as line:
        await line.write(whole[:cut])


@settings(max_examples=25, deadline=None)
@given(
    noise=st.lists(st.one_of(st.binary(max_size=40), st.sampled_from([GET, HEAD, b"\r\n\r\n", b"0\r\n\r\n"])))
)
def test_any_bytes_are_answered_or_cut_off(noise: list[bytes]) -> None:
    async def scenario() -> None:
        async with served(Settings(port=0, header_seconds=0.05, body_seconds=0.05)) as api:
            async with dial(api.port) as line:
                await line.write(b"".join(noise))
                line.writer.write_eof()
                async with asyncio.timeout(20):
                    reply = await line.reader.read()
            assert not reply or reply.startswith(b"HTTP/1.1 ")
            assert b"HTTP/1.1 500" not in reply

    asyncio.run(scenario())
