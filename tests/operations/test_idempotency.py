"""``Idempotency-Key`` on a live gateway: answered again, done and charged once."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import Row, select, update

from tests.api.raw import ask, dial, until
from tests.fakes.openai_upstream import FakeOpenAI, Fault
from tests.live import Live, check_books, serving, settings_for
from tests.operations.conftest import SECRET
from tests.operations.test_generate import HELLO, STREAM, error_of, settled
from writingmate import app
from writingmate.identity import store
from writingmate.identity.records import KeyOptions
from writingmate.operations.client import Client, Request
from writingmate.operations.idempotency import Idempotency, hashed
from writingmate.settings import ProviderSection, Settings, TimeoutSection
from writingmate.storage import tables
from writingmate.types import Principal
from writingmate.workspaces import store as workspaces

ONCE = {"idempotency-key": "0b7f-once"}
COMMENT = re.compile(r": writingmate [^\n]+\n\n")


def settings(fake: FakeOpenAI, folder: Path, url: str) -> Settings:
    provider = ProviderSection(
        base_url=fake.base_url, api_key=SECRET, models=("m",), dialects=("chat", "completions")
    )
    return settings_for(
        folder,
        database_url=url,
        providers={"fake": provider},
        timeouts=TimeoutSection(connect=1.0, first=5.0, idle=5.0),
    )


@pytest.fixture
def gateway(fake: FakeOpenAI, tmp_path: Path, database_url: str) -> Iterator[Live]:
    """The gateway on either database; its books are audited when the test is over."""
    with serving(settings(fake, tmp_path, database_url)) as live:
        yield live
        check_books(live)


def entries(gateway: Live) -> list[Row[Any]]:
    """The ledger, in order."""
    with gateway.database.reading() as connection:
        return list(connection.execute(select(tables.entries).order_by(tables.entries.c.started_at)))


def replayed(answer: httpx2.Response) -> bool:
    assert answer.status_code == 200, answer.text
    return answer.headers.get("idempotent-replayed") == "true"


def assert_repeats(again: httpx2.Response, first: httpx2.Response) -> None:
    """The same answer, but for what tells the two requests apart."""
    assert again.status_code == first.status_code == 200
    assert not replayed(first)
    assert replayed(again)
    assert COMMENT.sub("", again.text) == COMMENT.sub("", first.text)
    own = {"x-request-id", "openai-processing-ms", "idempotent-replayed", "date"}
    assert {name: value for name, value in again.headers.items() if name not in own} == {
        name: value for name, value in first.headers.items() if name not in own
    }
    assert again.headers["x-request-id"] != first.headers["x-request-id"]


async def test_a_whole_answer_is_given_again_and_charged_once(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live
) -> None:
    first = await api.post("/chat/completions", json=HELLO, headers=ONCE)
    again = [await api.post("/chat/completions", json=HELLO, headers=ONCE) for _ in range(2)]
    for answer in again:
        assert_repeats(answer, first)
        assert answer.content == first.content
        assert answer.headers["x-writingmate-counted-messages"] == "1"
    assert len(fake.calls) == 1
    (entry,) = entries(gateway)
    assert entry.request_id == first.headers["x-request-id"]


async def test_a_stream_is_given_again_with_its_count(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live
) -> None:
    fake.script(Fault(pace=0.01))  # so that events are pushed one by one
    first = await api.post("/chat/completions", json=STREAM, headers=ONCE)
    again = await api.post("/chat/completions", json=STREAM, headers=ONCE)
    assert_repeats(again, first)
    assert again.text.endswith("data: [DONE]\n\n")
    identity = first.headers["x-request-id"]
    assert f": writingmate counted_messages=1 request_id={identity}\n\ndata: [DONE]" in again.text
    assert len(fake.calls) == len(entries(gateway)) == 1


async def test_completions_too(api: httpx2.AsyncClient, fake: FakeOpenAI) -> None:
    asked = {"model": "fake/m", "prompt": "Reply with exactly: A B C"}
    for body in (asked, {**asked, "stream": True}):
        headers = {"idempotency-key": f"stream={'stream' in body}"}
        first = await api.post("/completions", json=body, headers=headers)
        assert_repeats(await api.post("/completions", json=body, headers=headers), first)
    assert len(fake.calls) == 2


async def test_another_request_under_the_same_key_is_refused(
    api: httpx2.AsyncClient, fake: FakeOpenAI
) -> None:
    fake.judged = False  # a body that both endpoints take
    body = {**HELLO, "prompt": "Reply with exactly: A"}
    assert (await api.post("/chat/completions", json=body, headers=ONCE)).status_code == 200
    for path, other in (("/chat/completions", HELLO), ("/completions", body)):
        answer = await api.post(path, json=other, headers=ONCE)
        assert answer.status_code == 409
        error = error_of(answer)
        assert (error["type"], error["code"]) == ("invalid_request_error", "idempotency_key_reused")
        assert answer.headers["x-should-retry"] == "false"
    assert len(fake.calls) == 1


async def test_while_the_first_runs_others_are_told_when_to_come_back(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live
) -> None:
    fake.script(Fault(silent=True))
    first = asyncio.create_task(api.post("/chat/completions", json=HELLO, headers=ONCE))
    await fake.called(1)
    answer = await api.post("/chat/completions", json=HELLO, headers=ONCE)
    assert answer.status_code == 409
    assert error_of(answer)["code"] == "idempotency_key_in_use"
    assert answer.headers["retry-after"] == "1"
    assert "x-should-retry" not in answer.headers
    other = await api.post("/chat/completions", json=STREAM, headers=ONCE)
    assert error_of(other)["code"] == "idempotency_key_reused"
    fake.release()
    answer = await first
    assert_repeats(await api.post("/chat/completions", json=HELLO, headers=ONCE), answer)
    assert len(fake.calls) == len(entries(gateway)) == 1


@pytest.mark.parametrize("key", [b"", b" ", b"x" * 256, b"\xc3\xa9", b"a\tb"])
async def test_what_cannot_be_a_key_is_refused(gateway: Live, fake: FakeOpenAI, key: bytes) -> None:
    body = json.dumps(HELLO).encode()
    port = httpx2.URL(gateway.url).port
    assert port is not None
    answer = await ask(
        port,
        "POST",
        "/api/openai/v1/chat/completions",
        body=body,
        authorization=f"Bearer {gateway.key}",
        idempotency_key=key.decode("latin-1"),
    )
    assert answer.status == 400
    assert answer.error["code"] == "invalid_idempotency_key"
    assert answer.error["param"] == "Idempotency-Key"
    assert not fake.calls


async def test_the_longest_key_with_every_printable_character(api: httpx2.AsyncClient) -> None:
    key = "".join(map(chr, range(0x21, 0x7F))).ljust(254, " ") + "x"
    first = await api.post("/chat/completions", json=HELLO, headers={"idempotency-key": key})
    assert_repeats(await api.post("/chat/completions", json=HELLO, headers={"idempotency-key": key}), first)


@pytest.mark.parametrize("fault", [Fault(status=500), Fault(status=400), Fault(cut=0)])
async def test_a_request_that_failed_is_run_again(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live, fault: Fault
) -> None:
    fake.script(fault, times=1 if fault.status == 400 else 2)  # what may pass is tried twice
    assert (await api.post("/chat/completions", json=HELLO, headers=ONCE)).status_code >= 400
    answer = await api.post("/chat/completions", json=HELLO, headers=ONCE)
    assert not replayed(answer)
    assert [(row.messages, row.flags) for row in entries(gateway)] == [(0, "failed"), (1, "")]


async def test_a_request_that_was_refused_takes_no_key(api: httpx2.AsyncClient) -> None:
    refused = await api.post("/chat/completions", json={**HELLO, "temperature": "warm"}, headers=ONCE)
    assert refused.status_code == 400
    assert not replayed(await api.post("/chat/completions", json=HELLO, headers=ONCE))


async def test_a_stream_that_broke_off_is_run_again_and_each_pays_for_itself(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live
) -> None:
    fake.script(Fault(error_after=2), times=1)
    assert "[DONE]" not in (await api.post("/chat/completions", json=STREAM, headers=ONCE)).text
    answer = await api.post("/chat/completions", json=STREAM, headers=ONCE)
    assert not replayed(answer)
    assert "[DONE]" in answer.text
    assert [row.flags for row in entries(gateway)] == ["broken estimated", ""]


async def test_a_stream_whose_client_leaves_is_brought_to_its_end(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live
) -> None:
    fake.script(Fault(stall=2))
    async with api.stream("POST", "/chat/completions", json=STREAM, headers=ONCE) as answer:
        await anext(answer.aiter_bytes())
    call = await fake.called(1)
    while (await api.post("/chat/completions", json=STREAM, headers=ONCE)).status_code == 409:
        assert not call.hung_up
        fake.release()
    await settled(gateway)
    again = await api.post("/chat/completions", json=STREAM, headers=ONCE)
    assert replayed(again)
    assert again.text.endswith("data: [DONE]\n\n")
    assert call.finished
    (entry,) = entries(gateway)
    assert (entry.messages, entry.flags, entry.completion_tokens) == (1, "", 3)


async def test_a_whole_answer_whose_client_leaves_is_there_for_the_retry(
    gateway: Live, fake: FakeOpenAI, api: httpx2.AsyncClient
) -> None:
    fake.script(Fault(silent=True))
    port = httpx2.URL(gateway.url).port
    assert port is not None
    body = json.dumps(HELLO).encode()
    async with dial(port) as line:
        await line.request(
            "POST",
            "/api/openai/v1/chat/completions",
            body=body,
            authorization=f"Bearer {gateway.key}",
            idempotency_key=ONCE["idempotency-key"],
        )
        call = await fake.called(1)
    again = await api.post("/chat/completions", content=body, headers=ONCE)
    assert error_of(again)["code"] == "idempotency_key_in_use"
    fake.release()
    await call.over.wait()
    await settled(gateway)
    assert not call.hung_up
    again = await api.post("/chat/completions", content=body, headers=ONCE)
    assert replayed(again)
    assert [(row.messages, row.flags) for row in entries(gateway)] == [(1, "")]


async def test_of_fifty_at_once_one_runs(api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live) -> None:
    fake.script(Fault(delay=0.2))
    asked = [api.post("/chat/completions", json=HELLO, headers=ONCE) for _ in range(50)]
    answers = await asyncio.gather(*asked)
    good = [answer for answer in answers if answer.status_code == 200]
    assert [answer for answer in good if not replayed(answer)], "nobody ran"
    assert sum(not replayed(answer) for answer in good) == 1
    assert len({answer.content for answer in good}) == 1
    busy = [answer for answer in answers if answer.status_code != 200]
    assert {error_of(answer)["code"] for answer in busy} <= {"idempotency_key_in_use"}
    assert len(fake.calls) == len(entries(gateway)) == 1


async def test_users_and_workspaces_have_keys_of_their_own(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live
) -> None:
    now = time.time()
    with gateway.database.transaction() as connection:
        second = workspaces.create(
            connection, "second", owner_id=gateway.user.user_id, plan="self-hosted", now=now
        )
        someone = store.create_user(connection, "someone@localhost", plan="self-hosted", now=now)
        theirs = store.create_key(connection, someone, KeyOptions(name="test"), now=now).key
    seconds = {"x-writingmate-workspace": second.workspace_id}
    for headers in ({}, seconds, {"authorization": f"Bearer {theirs}"}):
        first = await api.post("/chat/completions", json=HELLO, headers={**ONCE, **headers})
        assert not replayed(first)
        again = await api.post("/chat/completions", json=HELLO, headers={**ONCE, **headers})
        assert_repeats(again, first)
    assert len(fake.calls) == len(entries(gateway)) == 3


async def test_another_key_of_the_same_user_gets_the_answer_too(
    api: httpx2.AsyncClient, gateway: Live
) -> None:
    first = await api.post("/chat/completions", json=HELLO, headers=ONCE)
    other = {**ONCE, "authorization": f"Bearer {gateway.mint()}"}
    assert_repeats(await api.post("/chat/completions", json=HELLO, headers=other), first)


async def test_a_revoked_key_gets_nothing_again(api: httpx2.AsyncClient, gateway: Live) -> None:
    assert (await api.post("/chat/completions", json=HELLO, headers=ONCE)).status_code == 200
    with gateway.database.transaction() as connection:
        assert store.revoke_key(connection, gateway.key_id, now=1.0)
    answer = await api.post("/chat/completions", json=HELLO, headers=ONCE)
    assert answer.status_code == 401


async def test_no_limit_stands_before_an_answer_that_is_there(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live
) -> None:
    key = {"authorization": f"Bearer {gateway.mint(daily_cap=1)}"}
    asked = {**HELLO, "max_tokens": 10}
    first = await api.post("/chat/completions", json=asked, headers={**ONCE, **key})
    assert first.headers["x-writingmate-remaining-messages"] == "0"
    again = await api.post("/chat/completions", json=asked, headers={**ONCE, **key})
    assert replayed(again)
    assert again.content == first.content
    assert "x-writingmate-remaining-messages" not in again.headers
    assert (await api.post("/chat/completions", json=asked, headers=key)).status_code == 429
    assert len(fake.calls) == 1


async def test_an_answer_that_has_expired_is_given_no_more(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live
) -> None:
    assert (await api.post("/chat/completions", json=HELLO, headers=ONCE)).status_code == 200
    with gateway.database.transaction() as connection:
        (row,) = connection.execute(select(tables.answers))
        assert row.expires_at - row.created_at == 24 * 3600
        connection.execute(update(tables.answers).values(expires_at=time.time() - 1))
    assert not replayed(await api.post("/chat/completions", json=STREAM, headers=ONCE))
    assert len(fake.calls) == 2


async def test_an_answer_over_the_cap_is_not_kept(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live
) -> None:
    first = await api.post("/chat/completions", json=HELLO)
    document = first.json()
    document["choices"][0]["message"]["content"] = "x" * (16 << 20)
    body = json.dumps(document).encode()
    fake.script(Fault(body=body, content_type="application/json"))
    for _ in range(2):
        answer = await api.post("/chat/completions", json=HELLO, headers=ONCE)
        assert not replayed(answer)
        assert len(answer.content) == len(body)
    assert len(fake.calls) == len(entries(gateway)) == 3
    with gateway.database.reading() as connection:
        assert not connection.execute(select(tables.answers)).all()


async def test_nothing_of_an_answer_can_be_read_in_the_database(
    api: httpx2.AsyncClient, gateway: Live
) -> None:
    secrets = [b"Xylographic", b"quokkas"]
    for number, asked in enumerate((HELLO, STREAM)):
        text = {"role": "user", "content": "Reply with exactly: Xylographic quokkas"}
        headers = {"idempotency-key": str(number)}
        answer = await api.post("/chat/completions", json={**asked, "messages": [text]}, headers=headers)
        assert all(secret in answer.content for secret in secrets)
    with gateway.database.reading() as connection:
        rows = connection.execute(select(tables.answers)).all()
    assert len(rows) == 2
    stored = b"".join(row.answer for row in rows)
    if gateway.database.path is not None:
        folder = gateway.database.path.parent
        stored += b"".join(file.read_bytes() for file in folder.glob(f"{gateway.database.path.name}*"))
        assert rows[0].answer[:64] in stored, "the files were not what holds the answers"
    assert not [secret for secret in [*secrets, b"chat.completion.chunk"] if secret in stored]


async def test_without_the_master_key_the_answer_stays_shut_and_is_not_run_twice(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live
) -> None:
    first = await api.post("/chat/completions", json=HELLO, headers=ONCE)
    keys = gateway.gateway.settings.data_dir / "vault.keys"
    away = keys.rename(keys.with_name("elsewhere"))
    with serving(gateway.gateway.settings) as restarted:
        headers = {"authorization": f"Bearer {gateway.key}", **ONCE}
        async with httpx2.AsyncClient(base_url=restarted.api, headers=headers) as other:
            answer = await other.post("/chat/completions", json=HELLO)
            assert answer.status_code == 503
            assert error_of(answer)["code"] == "unavailable"
            away.rename(keys)
            assert (await other.post("/chat/completions", json=HELLO)).content == first.content
    assert len(fake.calls) == 1


async def test_a_web_page_may_read_whether_it_was_replayed(api: httpx2.AsyncClient) -> None:
    headers = {**ONCE, "origin": "https://app.example.com"}
    answer = await api.post("/chat/completions", json=HELLO, headers=headers)
    assert "idempotent-replayed" in answer.headers["access-control-expose-headers"].split(", ")


async def test_without_a_key_the_operation_is_all_there_is() -> None:
    asked: list[Request] = []

    def operation(_: Principal, request: Request, __: Client) -> Awaitable[None]:
        asked.append(request)
        return done

    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    once: Callable[..., object] = Idempotency(None, None, 1.0).once("x", operation)  # type: ignore[arg-type]  # nothing is asked of them
    request = Request("r", b"", {})
    assert once(None, request, None) is done
    assert asked[0] is request


async def test_a_large_body_is_hashed_as_a_small_one_is() -> None:
    assert await hashed("a", b"body") != await hashed("b", b"body")
    assert await hashed("a", b"x" * 300_000) == await hashed("a", b"x" * 300_000)
    assert len(await hashed("a", b"x" * 300_000)) == 32


async def test_what_has_expired_is_deleted_in_the_background(
    fake: FakeOpenAI, tmp_path: Path, sqlite_file_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "EXPIRED_SECONDS", 0.01)
    with serving(settings(fake, tmp_path, sqlite_file_url)) as live:
        headers = {"authorization": f"Bearer {live.key}", **ONCE}
        async with httpx2.AsyncClient(base_url=live.api, headers=headers) as client:
            assert (await client.post("/chat/completions", json=HELLO)).status_code == 200
        with live.database.transaction() as connection:
            connection.execute(update(tables.answers).values(expires_at=1.0))

        def kept() -> bool:
            with live.database.reading() as connection:
                return connection.execute(select(tables.answers.c.request_id)).first() is not None

        await until(lambda: not kept())
