from __future__ import annotations

import asyncio
import io
import re

import msgspec
import pytest

from tests.api.raw import ask
from tests.api.served import ANSWER, BEARER, CHAT, KEY, MODELS, PREFIX, WAYS, Served, Way, answer, stale
from writingmate.api.auth import bearer, shown
from writingmate.errors import LimitReached
from writingmate.operations.client import Client, Request
from writingmate.telemetry import log
from writingmate.types import DialectName, Principal


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    """Everything here holds however requests reach the data plane."""
    way: Way = request.param
    return way


@pytest.mark.parametrize(
    ("header", "key"),
    [
        (None, None),
        (b"", None),
        (b"Bearer", None),
        (b"Bearer ", None),
        (b"Bearer k", "k"),
        (b"bearer k", "k"),
        (b"BEARER   k  ", "k"),
        (b"Basic k", None),
        (b"k", None),
        (b"Bearer \xff", "\xff"),
    ],
)
def test_the_key_of_an_authorization(header: bytes | None, key: str | None) -> None:
    assert bearer(header) == key


OURS, OTHER = b"wm_v2.a.b.c", b"sk-ant-1"


@pytest.mark.parametrize(
    ("authorization", "api_key", "key"),
    [
        (None, OURS, OURS),
        (None, b" " + OURS + b" ", OURS),
        (b"Bearer " + OURS, OTHER, OURS),
        (b"Bearer " + OTHER, OURS, OURS),
        (b"Bearer " + OTHER, OTHER, OTHER),
        (b"Basic x", OURS, OURS),
        (b"Bearer " + OURS, b"", OURS),
        (None, b"", None),
    ],
)
def test_the_key_of_two_headers(authorization: bytes | None, api_key: bytes, key: bytes | None) -> None:
    headers = {b"x-api-key": api_key} | ({b"authorization": authorization} if authorization else {})
    assert shown(headers) == (key.decode() if key else None)


async def test_every_dialect_reaches_the_operation(api: Served) -> None:
    seen: list[tuple[DialectName, str, bytes]] = []

    async def operation(dialect: DialectName, principal: Principal, request: Request, _: Client) -> None:
        seen.append((dialect, principal.workspace_id, request.body))
        raise LimitReached("Enough.", code="daily_limit_reached", headers={"retry-after": "5"})

    api.generate = operation
    for path in (CHAT, f"{PREFIX}/completions", f"{PREFIX}/responses"):
        reply = await ask(api.port, "POST", path, body=b'{"a":1}', authorization=BEARER)
        assert reply.status == 429
        assert reply.headers["retry-after"] == "5"
        assert reply.error["type"] == "insufficient_quota"
    assert seen == [(name, "w", b'{"a":1}') for name in ("chat", "completions", "responses")]


async def test_the_workspace_header_is_passed_on(api: Served) -> None:
    reply = await ask(api.port, "POST", CHAT, body=b"{}", authorization=BEARER, x_writingmate_workspace="w")
    assert reply.status == 200
    other = await ask(api.port, "GET", MODELS, authorization=BEARER, x_writingmate_workspace="other")
    assert (other.status, other.error["code"]) == (403, "workspace_not_accessible")
    assert api.directory.asked == [(KEY, "w", False), (KEY, "other", True)]


async def test_the_key_is_checked_before_the_body(api: Served) -> None:
    reply = await ask(api.port, "POST", CHAT, body=b"nonsense", content_type="text/html")
    assert (reply.status, reply.error["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize(("times", "status"), [(0, 200), (1, 200), (2, 200), (3, 503)])
async def test_a_stale_principal_is_read_again(api: Served, times: int, status: int) -> None:
    api.generate = stale(times, answer)
    reply = await ask(api.port, "POST", CHAT, body=b"{}", authorization=BEARER)
    assert reply.status == status
    assert api.directory.revision == 1 + times


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        "text/plain",
        "application/x+json",
    ],
)
async def test_json_by_any_name_is_read(api: Served, kind: str) -> None:
    reply = await ask(api.port, "POST", CHAT, body=b"{}", authorization=BEARER, content_type=kind)
    assert reply.status == 200


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("content_type", "application/x-www-form-urlencoded", "unsupported_content_type"),
        ("content_type", "multipart/form-data; boundary=x", "unsupported_content_type"),
        ("content_type", "text/html", "unsupported_content_type"),
        ("content_encoding", "gzip", "unsupported_content_encoding"),
    ],
)
async def test_other_bodies_are_refused(api: Served, name: str, value: str, code: str) -> None:
    reply = await ask(api.port, "POST", CHAT, body=b"{}", authorization=BEARER, **{name: value})
    assert (reply.status, reply.error["code"]) == (415, code)


async def test_headers_carry_only_what_headers_may(api: Served) -> None:
    async def operation(_: DialectName, __: Principal, ___: Request, client: Client) -> None:
        headers = {"x-writingmate-workspace": "w\r\nset-cookie: x", "x-writingmate-route": "fake/modèle"}
        await client.reply(200, headers, msgspec.json.encode(ANSWER))

    api.generate = operation
    reply = await ask(api.port, "POST", CHAT, body=b"{}", authorization=BEARER)
    assert "set-cookie" not in reply.headers
    assert reply.headers["x-writingmate-workspace"] == "w%0D%0Aset-cookie: x"
    assert reply.headers["x-writingmate-route"] == "fake/mod%C3%A8le"


async def test_every_answer_has_an_id_of_its_own(api: Served) -> None:
    replies = await asyncio.gather(*(ask(api.port, "GET", "/nowhere") for _ in range(20)))
    ids = {reply.headers["x-request-id"] for reply in replies}
    assert len(ids) == 20
    assert all(re.fullmatch("req_[0-9a-f]{24}", one) for one in ids)


async def test_a_crash_is_answered_and_logged_without_what_it_held(api: Served) -> None:
    async def operation(_: DialectName, __: Principal, request: Request, ___: Client) -> None:
        raise ValueError(request.body.decode(), KEY)

    api.generate = operation
    written = io.TextIOWrapper(io.BytesIO())
    log.start(written, console=False)
    try:
        reply = await ask(api.port, "POST", CHAT, body=b'{"planted":1}', authorization=BEARER)
    finally:
        log.stop()
    assert (reply.status, reply.error["type"]) == (500, "server_error")
    assert reply.headers["x-request-id"] in reply.error["message"]
    logged = written.buffer.getvalue().decode()
    assert "request_crashed" in logged
    assert "ValueError" in logged
    assert reply.headers["x-request-id"] in logged
    assert "test_endpoints.py" in logged
    for secret in ("planted", KEY):
        assert secret not in logged + reply.body.decode()


async def test_a_request_has_one_log_line(api: Served) -> None:
    written = io.TextIOWrapper(io.BytesIO())
    log.start(written, console=False)
    try:
        reply = await ask(api.port, "POST", f"{CHAT}?key=secret", body=b"{}", authorization=BEARER)
        await ask(api.port, "GET", "/healthz")
    finally:
        log.stop()
    lines = written.buffer.getvalue().decode().splitlines()
    assert len(lines) == 1
    assert reply.headers["x-request-id"] in lines[0]
    assert '"status":200' in lines[0]
    assert '"endpoint":"chat.completions"' in lines[0]
    assert "secret" not in lines[0]
