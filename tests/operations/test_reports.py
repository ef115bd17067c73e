"""``GET /usage``, ``GET /usage/{request_id}`` and ``POST /estimate/…`` on a live gateway."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import select, update

from tests.fakes.openai_upstream import FakeOpenAI, Fault
from tests.live import Live
from tests.operations.limited import limited
from tests.operations.test_generate import HELLO, error_of
from tests.operations.test_limits import CHAT, SHORT, answer_of, put_on
from writingmate.identity import store as identity
from writingmate.identity.records import KeyOptions
from writingmate.storage import tables
from writingmate.workspaces import invitation_store

USAGE = "/usage"


@pytest.fixture
async def fake() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI() as running:
        yield running


@pytest.fixture
def gateway(fake: FakeOpenAI, tmp_path: Path) -> Iterator[Live]:
    with limited(tmp_path, fake.base_url, plan="tight") as live:
        yield live


@pytest.fixture
async def api(gateway: Live) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"authorization": f"Bearer {gateway.key}"}
    async with httpx2.AsyncClient(base_url=gateway.api, headers=headers, timeout=20) as client:
        yield client


def member_key(gateway: Live) -> str:
    """A key of a second member of the first user's workspace, pinned to it."""
    now = time.time()
    workspace = gateway.user.home_workspace_id
    with gateway.database.transaction() as connection:
        member = identity.create_user(connection, "member@example.com", plan="free", now=now)
        _, secret = invitation_store.invite(
            connection, workspace, member.email, "MEMBER", by=None, now=now, ttl=60.0
        )
        invitation_store.accept(connection, secret, member.user_id, now=now)
        options = KeyOptions(name="member", workspace_id=workspace)
        return identity.create_key(connection, member, options, now=now).key


async def test_usage_shows_today_and_every_limit(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live
) -> None:
    fake.script(answer_of(19_000, 3_000), times=1)
    await api.post(CHAT, json=SHORT)
    shown = (await api.get(USAGE)).json()
    assert shown["plan"] == {"name": "tight", "title": shown["plan"]["title"]}
    assert shown["key"] == gateway.key_id
    assert {name: shown["today"][name] for name in ("messages", "input_tokens", "output_tokens")} == {
        "messages": 2,
        "input_tokens": 19_000,
        "output_tokens": 3_000,
    }
    basic, minute, pro = shown["limits"]
    assert (basic["tier"], basic["allowed"], basic["used"], basic["held"], basic["remaining"]) == (
        "basic", 3, 2, 0, 1,
    )  # fmt: skip
    assert basic["resets_at"] % 86_400 == 0
    assert (pro["tier"], pro["used"], pro["remaining"]) == ("pro", 0, 2)
    assert (minute["unit"], minute["period"], minute["used"], minute["resets_at"]) == (
        "requests", "minute", 1, None,
    )  # fmt: skip


async def test_usage_shows_what_is_held(api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live) -> None:
    put_on(gateway, "pooled")
    fake.script(Fault(silent=True))
    asked = asyncio.create_task(api.post(CHAT, json={**HELLO, "max_tokens": 20_000}))
    await fake.called(1)
    (pool,) = (await api.get(USAGE)).json()["limits"]
    assert (pool["scope"], pool["period"], pool["used"], pool["held"]) == ("workspace", "lifetime", 0, 2)
    with gateway.database.reading() as connection:
        request_id = connection.scalar(select(tables.holds.c.request_id))
    receipt = (await api.get(f"{USAGE}/{request_id}")).json()
    assert (receipt["status"], receipt["held_messages"]) == ("in_progress", 2)
    fake.release()
    await asyncio.wait({asked})


async def test_without_limits_there_are_none_to_show(api: httpx2.AsyncClient, gateway: Live) -> None:
    put_on(gateway, "self-hosted")
    assert (await api.get(USAGE)).json()["limits"] == []


async def test_a_receipt_shows_the_arithmetic(api: httpx2.AsyncClient, fake: FakeOpenAI) -> None:
    fake.script(answer_of(19_000, 3_000), times=1)
    request_id = (await api.post(CHAT, json=SHORT)).headers["x-request-id"]
    receipt = (await api.get(f"{USAGE}/{request_id}")).json()
    assert receipt["status"] == "settled"
    assert (receipt["effective_input"], receipt["completion_tokens"]) == (19_000, 3_000)
    assert (receipt["total_tokens"], receipt["tokens_per_message"], receipt["messages"]) == (
        22_000,
        16_000,
        2,
    )
    assert (receipt["model"], receipt["provider"], receipt["plan"], receipt["tier"]) == (
        "fake/m", "fake", "tight", "basic",
    )  # fmt: skip
    (limit,) = receipt["limits"]
    assert (limit["meter"], limit["allowed"], limit["left"]) == ("messages:basic", 3, 1)


@pytest.mark.parametrize("name", ["req_000000000000000000000000", "nonsense", "%2e%2e", "req_" + "f" * 500])
async def test_a_request_that_is_not_there(api: httpx2.AsyncClient, name: str) -> None:
    answer = await api.get(f"{USAGE}/{name}")
    assert answer.status_code == 404
    assert error_of(answer)["code"] == "request_not_found"


async def test_members_see_their_own_receipts_and_owners_everybodys(
    api: httpx2.AsyncClient, gateway: Live
) -> None:
    members = {"authorization": f"Bearer {member_key(gateway)}"}
    mine = (await api.post(CHAT, json=SHORT)).headers["x-request-id"]
    theirs = (await api.post(CHAT, json=SHORT, headers=members)).headers["x-request-id"]
    assert (await api.get(f"{USAGE}/{theirs}")).status_code == 200
    assert (await api.get(f"{USAGE}/{theirs}", headers=members)).status_code == 200
    assert (await api.get(f"{USAGE}/{mine}", headers=members)).status_code == 404
    shown = (await api.get(USAGE, headers=members)).json()
    assert shown["today"]["messages"] == 1


async def test_an_estimate_calls_nobody_and_holds_nothing(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live
) -> None:
    estimate = (await api.post("/estimate/chat/completions", json=SHORT)).json()
    assert (estimate["admitted"], estimate["held_messages"], estimate["refusal"]) == (True, 1, None)
    assert (estimate["minimum_messages"], estimate["maximum_messages"]) == (1, 1)
    assert (estimate["route"], estimate["completion_tokens"]) == ("fake/m", 100)
    assert 0 < estimate["prompt_tokens"]["prompt_tokens"] <= estimate["prompt_tokens"]["bound"]
    assert not fake.calls
    with gateway.database.reading() as connection:
        assert not connection.execute(select(tables.holds)).all()
        assert not connection.execute(select(tables.entries)).all()


async def test_an_estimate_foresees_what_the_call_then_gets(api: httpx2.AsyncClient) -> None:
    estimate = (await api.post("/estimate/chat/completions", json=HELLO)).json()
    assert estimate["maximum_messages"] == 7
    answer = await api.post(CHAT, json=HELLO)
    assert str(estimate["max_tokens_clamped"]) == answer.headers["x-writingmate-max-tokens-clamped"]
    assert estimate["held_messages"] == 3


async def test_an_estimate_foresees_the_refusal(api: httpx2.AsyncClient, fake: FakeOpenAI) -> None:
    fake.script(answer_of(47_000, 100), times=1)
    await api.post(CHAT, json=SHORT)
    refusal = (await api.post("/estimate/chat/completions", json=SHORT)).json()["refusal"]
    answer = await api.post(CHAT, json=SHORT)
    assert (refusal["status"], refusal["code"]) == (answer.status_code, "daily_limit_reached")
    assert refusal["message"] == error_of(answer)["message"]


async def test_an_estimate_of_completions(api: httpx2.AsyncClient) -> None:
    body = {"model": "fake/m", "prompt": ["one", "two"], "max_tokens": 10}
    estimate = (await api.post("/estimate/completions", json=body)).json()
    assert (estimate["endpoint"], estimate["completion_tokens"]) == ("completions", 20)


async def test_an_estimate_of_no_request_is_refused_as_the_request_is(
    api: httpx2.AsyncClient,
) -> None:
    for body in ({"model": "fake/m"}, {**SHORT, "temperature": 9}, {**SHORT, "model": "no/such"}):
        answers = [await api.post(path, json=body) for path in ("/estimate/chat/completions", CHAT)]
        assert answers[0].status_code == answers[1].status_code >= 400
        assert error_of(answers[0]) == error_of(answers[1])


async def test_these_need_a_key_and_the_workspace(api: httpx2.AsyncClient) -> None:
    for method, path in (("GET", USAGE), ("POST", "/estimate/chat/completions")):
        answer = await api.request(method, path, headers={"authorization": "Bearer nothing"})
        assert answer.status_code == 401
        answer = await api.request(method, path, headers={"x-writingmate-workspace": "ws_elsewhere"})
        assert answer.status_code == 403


async def test_a_standing_is_read_by_the_present_plan(api: httpx2.AsyncClient, gateway: Live) -> None:
    await api.get(USAGE)
    with gateway.database.transaction() as connection:
        connection.execute(update(tables.workspaces).values(plan="pooled"))
    assert (await api.get(USAGE)).json()["plan"]["name"] == "pooled"
