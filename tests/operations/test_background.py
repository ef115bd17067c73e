"""Background responses on a live gateway: queued, run, cancelled, followed and charged."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from tests.fakes.openai_upstream import FakeOpenAI, Fault
from tests.live import Live, serving, settings_for
from writingmate.metering.audit import audit
from writingmate.settings import ProviderSection, TimeoutSection
from writingmate.storage import tables
from writingmate.vault.store import answer_sealers
from writingmate.wire import sse

Json = dict[str, Any]
ASKED: Json = {"model": "fake/m", "input": "Reply with exactly: A B C", "background": True}
STREAM = {**ASKED, "stream": True}
ENDED = frozenset(("completed", "incomplete", "failed", "cancelled"))


@pytest.fixture
async def fake() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI() as running:
        yield running


def settings_of(fake: FakeOpenAI, folder: Path, database: str = "", **fields: object) -> Any:
    """A gateway in front of ``fake``, over a database of its own or of others."""
    provider = ProviderSection(base_url=fake.base_url, api_key="k" * 20, models=("m", "n"))
    timeouts = TimeoutSection(connect=2.0, first=20.0, idle=20.0)
    native = replace(provider, dialects=("chat", "responses"))
    fields = {
        "providers": {"fake": provider, "native": native},
        "timeouts": timeouts,
        "lease_seconds": 1.0,
        **fields,
    }
    if database:
        fields["database_url"] = database
    return settings_for(folder, **fields)


@pytest.fixture
def gateway(fake: FakeOpenAI, tmp_path: Path, database_url: str) -> Iterator[Live]:
    with serving(settings_of(fake, tmp_path, database_url, background_at_once=2)) as live:
        yield live
        check_books(live)


def check_books(live: Live) -> None:
    with live.database.reading() as connection:
        report = audit(connection)
        assert report.clean, report
        assert not connection.execute(select(tables.holds)).all()


def client_of(live: Live, key: str | None = None) -> httpx2.AsyncClient:
    headers = {"authorization": f"Bearer {key or live.key}"}
    return httpx2.AsyncClient(base_url=live.api, headers=headers, timeout=30)


@pytest.fixture
async def api(gateway: Live) -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(gateway) as client:
        yield client


def rows(live: Live, table: str = "entries") -> list[Any]:
    with live.database.reading() as connection:
        return list(connection.execute(select(getattr(tables, table))))


async def ended(api: httpx2.AsyncClient, identity: str) -> Json:
    """The response once it has ended; what it was before has come in order."""
    seen = ["queued"]
    while True:
        response: Json = (await api.get(f"/responses/{identity}")).raise_for_status().json()
        if response["status"] != seen[-1]:
            seen.append(response["status"])
        if response["status"] in ENDED:
            assert seen in (["queued", "in_progress", seen[-1]], ["queued", seen[-1]])
            return response
        await asyncio.sleep(0.02)


async def until(api: httpx2.AsyncClient, identity: str, status: str) -> None:
    while True:
        if (await api.get(f"/responses/{identity}")).json()["status"] == status:
            return
        await asyncio.sleep(0.02)


async def settled(live: Live, count: int) -> list[Any]:
    """The entries, once there are so many and nothing is held."""
    while True:
        found = rows(live)
        if len(found) >= count and not rows(live, "holds"):
            return found
        await asyncio.sleep(0.02)


def events(content: bytes) -> list[Json]:
    """What a stream tells, without comments and the mark of its end, which must be there."""
    frames = sse.Splitter().feed(content)
    assert frames[-1] == sse.DONE
    found = [
        (sse.name(frame).decode(), json.loads(sse.data(frame))) for frame in frames[:-1] if sse.name(frame)
    ]
    assert all(name == event["type"] for name, event in found)
    return [event for _, event in found]


async def test_a_response_is_queued_at_once_and_made_without_the_client(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live
) -> None:
    fake.script(Fault(delay=0.3))
    answer = await api.post("/responses", json=ASKED)
    assert answer.status_code == 200
    queued = answer.json()
    assert (queued["status"], queued["background"], queued["store"]) == ("queued", True, True)
    assert queued["output"] == []
    assert queued["usage"] is None
    response = await ended(api, queued["id"])
    assert response["status"] == "completed"
    assert response["output"][0]["content"][0]["text"] == "A B C"
    same = ("id", "created_at", "background", "store", "model", "object")
    assert {name: response[name] for name in same} == {name: queued[name] for name in same}
    (entry,) = await settled(gateway, 1)
    assert entry.request_id == answer.headers["x-request-id"]
    assert entry.completion_tokens == response["usage"]["output_tokens"] > 0
    assert "background" not in fake.calls[0].document
    (row,) = rows(gateway, "responses")
    assert (row.request, row.node_id, row.attempts) == (None, None, 1)


async def test_nothing_of_it_can_be_read_in_the_database(api: httpx2.AsyncClient, gateway: Live) -> None:
    planted = {**STREAM, "input": "Reply with exactly: PLANTED"}
    answer = await api.post("/responses", json=planted)
    assert "PLANTED" in answer.text
    everything = repr([*rows(gateway, "responses"), *rows(gateway, "response_events")])
    assert "PLANTED" not in everything
    with gateway.database.reading() as connection:
        sealers = answer_sealers(connection)
    # items and the object, and each batch of events; the request goes when the response has ended
    assert sum(sealers.values()) == 2 + len(rows(gateway, "response_events"))


async def test_a_stream_has_all_events_and_every_rest_of_it(api: httpx2.AsyncClient, gateway: Live) -> None:
    answer = await api.post("/responses", json=STREAM)
    assert answer.headers["content-type"].startswith("text/event-stream")
    told = events(answer.content)
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    names = [event["type"] for event in told]
    assert names[:4] == [
        "response.created",
        "response.queued",
        "response.in_progress",
        "response.output_item.added",
    ]
    assert names[-1] == "response.completed"
    assert [event["response"]["status"] for event in told[:3]] == ["queued", "queued", "in_progress"]
    responses = [event["response"] for event in told if "response" in event]
    assert len({(response["id"], response["created_at"]) for response in responses}) == 1
    identity = told[0]["response"]["id"]
    assert told[-1]["response"] == (await api.get(f"/responses/{identity}")).json()
    for after in range(-1, len(told) + 2):
        query = {"stream": "true", **({} if after < 0 else {"starting_after": str(after)})}
        rest = await api.get(f"/responses/{identity}", params=query)
        assert events(rest.content) == told[after + 1 :]
    assert len(rows(gateway)) == 1


async def test_a_stream_is_followed_while_it_is_made(api: httpx2.AsyncClient, fake: FakeOpenAI) -> None:
    fake.script(Fault(pace=0.1))
    seen: list[Json] = []
    identity = ""
    async with api.stream("POST", "/responses", json=STREAM) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data: "):
                seen.append(json.loads(line[6:]))
            if seen and seen[-1]["type"] == "response.output_text.delta":
                identity = seen[0]["response"]["id"]
                break
    query = {"stream": "true", "starting_after": str(seen[-1]["sequence_number"])}
    rest = events((await api.get(f"/responses/{identity}", params=query)).content)
    assert [each["sequence_number"] for each in [*seen, *rest]] == list(range(len(seen) + len(rest)))
    assert rest[-1]["type"] == "response.completed"
    deltas = [each["delta"] for each in [*seen, *rest] if each["type"] == "response.output_text.delta"]
    assert "".join(deltas) == "A B C"


async def test_what_a_request_is_refused_for_it_is_refused_for_at_once(
    api: httpx2.AsyncClient, gateway: Live
) -> None:
    capped = gateway.mint(daily_cap=1)
    async with client_of(gateway, capped) as other:
        first = await other.post("/responses", json={**ASKED, "max_output_tokens": 10})
        assert first.status_code == 200
        refused = await other.post("/responses", json={**ASKED, "max_output_tokens": 10})
        assert refused.status_code == 429
        assert refused.json()["error"]["code"] == "daily_limit_reached"
    await ended(api, first.json()["id"])
    for body, status, param in (
        ({**ASKED, "store": False}, 400, "background"),
        ({**ASKED, "prompt": {"id": "p"}}, 400, "prompt"),
        ({**ASKED, "temperature": "hot"}, 400, "temperature"),
        ({**ASKED, "background": "yes"}, 400, "background"),
        ({**ASKED, "model": "no/such"}, 404, None),
    ):
        answer = await api.post("/responses", json=body)
        assert (answer.status_code, answer.json()["error"]["param"]) == (status, param), answer.text
    assert len(rows(gateway, "responses")) == 1


async def test_an_escaped_name_is_the_same_name(api: httpx2.AsyncClient) -> None:
    body = json.dumps(ASKED).replace('"background"', '"\\u0062ackground"')
    answer = await api.post("/responses", content=body, headers={"content-type": "application/json"})
    assert answer.json()["status"] == "queued"
    assert (await ended(api, answer.json()["id"]))["status"] == "completed"


async def test_what_waits_is_cancelled_without_a_charge(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live
) -> None:
    fake.script(Fault(silent=True))
    posted = [(await api.post("/responses", json=ASKED)).json() for _ in range(3)]
    await fake.called(2)
    last = posted[-1]["id"]
    assert (await api.get(f"/responses/{last}")).json()["status"] == "queued"
    for _ in range(2):
        cancelled = await api.post(f"/responses/{last}/cancel")
        assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    await settled_nothing(gateway)
    fake.release()
    for each in posted[:2]:
        await ended(api, each["id"])
    assert len(fake.calls) == 2
    assert (await ended(api, last))["output"] == []
    ended_now = (await api.post(f"/responses/{posted[0]['id']}/cancel")).json()
    assert ended_now["status"] == (await ended(api, posted[0]["id"]))["status"] != "cancelled"


async def settled_nothing(live: Live) -> None:
    while True:
        if [row for row in rows(live) if row.messages == 0]:
            return
        await asyncio.sleep(0.02)


async def test_what_runs_is_cancelled_and_what_came_is_charged(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live
) -> None:
    fake.script(Fault(stall=2))
    told: list[Json] = []
    identity = ""
    async with api.stream("POST", "/responses", json=STREAM) as answer:
        async for line in answer.aiter_lines():
            if line.startswith("data: {"):
                told.append(json.loads(line[6:]))
                if told[-1]["type"] == "response.output_text.delta":
                    identity = told[0]["response"]["id"]
                    cancelled = (await api.post(f"/responses/{identity}/cancel")).json()
                    assert cancelled["status"] == "cancelled"
    assert told[-1]["type"] == "response.cancelled"
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    (entry,) = await settled(gateway, 1)
    assert entry.messages == 1
    assert {"cancelled", "estimated"} <= set(entry.flags.split())
    assert (await ended(api, identity))["status"] == "cancelled"
    await fake.calls[0].over.wait()
    assert fake.calls[0].hung_up


async def test_only_background_responses_of_ones_own_can_be_cancelled_or_followed(
    api: httpx2.AsyncClient,
) -> None:
    plain = (await api.post("/responses", json=ASKED)).json()["id"]
    await ended(api, plain)
    for path in ("/responses/resp_none", "/responses/resp_none?stream=true"):
        assert (await api.get(path)).status_code == 404
    assert (await api.post("/responses/resp_none/cancel")).status_code == 404
    answer = await api.get(f"/responses/{plain}?stream=true")
    assert answer.status_code == 400
    assert "stream=true" in answer.json()["error"]["message"]
    for query, param in (
        ("stream=maybe", "stream"),
        ("starting_after=1", "starting_after"),
        ("stream=true&starting_after=-1", "starting_after"),
    ):
        answer = await api.get(f"/responses/{plain}?{query}")
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize("body", [ASKED, STREAM], ids=["plain", "stream"])
async def test_what_the_provider_refuses_ends_failed_and_costs_nothing(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live, body: Json
) -> None:
    fake.script(Fault(status=400))
    answer = await api.post("/responses", json=body)
    if "stream" in body:
        *_, error, failed = events(answer.content)
        assert (error["type"], failed["type"]) == ("error", "response.failed")
        identity = failed["response"]["id"]
    else:
        identity = answer.json()["id"]
    response = await ended(api, identity)
    assert response["status"] == "failed"
    assert response["error"]["message"]
    (entry,) = await settled(gateway, 1)
    assert (entry.messages, entry.flags) == (0, "failed")


async def test_a_stream_that_breaks_ends_failed_and_is_charged(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live
) -> None:
    fake.script(Fault(error_after=2))
    told = events((await api.post("/responses", json=STREAM)).content)
    assert [event["type"] for event in told[-2:]] == ["error", "response.failed"]
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    response = await ended(api, told[0]["response"]["id"])
    assert response == told[-1]["response"]
    (entry,) = await settled(gateway, 1)
    assert (entry.messages, set(entry.flags.split())) == (1, {"broken", "estimated"})


async def test_an_idempotency_key_queues_it_once(api: httpx2.AsyncClient, fake: FakeOpenAI) -> None:
    once = {"idempotency-key": "once"}
    fake.script(Fault(delay=0.3))
    first = await api.post("/responses", json=ASKED, headers=once)
    again = await api.post("/responses", json=ASKED, headers=once)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == first.json()
    await ended(api, first.json()["id"])
    assert (await api.post("/responses", json=ASKED, headers=once)).json() == first.json()
    assert len(fake.calls) == 1
    refused = await api.post("/responses", json=STREAM, headers={"idempotency-key": "other"})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "stream")


async def test_another_process_sees_follows_and_cancels(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live, tmp_path: Path
) -> None:
    fake.script(Fault(stall=2))
    first = asyncio.create_task(api.post("/responses", json=STREAM))
    await fake.called(1)
    settings = settings_of(fake, tmp_path, gateway.gateway.settings.database_url)
    with serving(settings) as other:
        async with client_of(other, gateway.key) as elsewhere:
            (row,) = rows(gateway, "responses")
            path = f"/responses/{row.response_id}"
            await until(elsewhere, row.response_id, "in_progress")
            async with elsewhere.stream("GET", f"{path}?stream=true") as following:
                chunks = following.aiter_bytes()
                followed = await anext(chunks)
                assert (await elsewhere.post(f"{path}/cancel")).json()["status"] == "cancelled"
                async for chunk in chunks:
                    followed += chunk
            await settled(gateway, 1)
            assert events(followed) == events((await first).content)
    assert len(fake.calls) == 1
    assert fake.calls[0].hung_up


async def test_a_draining_process_gives_back_what_another_finishes(
    fake: FakeOpenAI, tmp_path: Path, database_url: str
) -> None:
    fake.script(Fault(stall=2), times=1)
    with serving(settings_of(fake, tmp_path, database_url, drain_seconds=0.2)) as live:
        async with client_of(live) as api:
            posted = asyncio.create_task(api.post("/responses", json=STREAM))
            await fake.called(1)
            (row,) = rows(live, "responses")
            await until(api, row.response_id, "in_progress")
    await asyncio.gather(posted, return_exceptions=True)
    with serving(settings_of(fake, tmp_path, database_url)) as live:
        (row,) = rows(live, "responses")
        async with client_of(live) as api:
            response = await ended_from(api, row.response_id)
            assert response["output"][0]["content"][0]["text"] == "A B C"
            told = events((await api.get(f"/responses/{row.response_id}?stream=true")).content)
        assert [event["sequence_number"] for event in told] == list(range(len(told)))
        names = [event["type"] for event in told]
        assert names.count("response.queued") == 2
        assert names.count("response.created") == names.count("response.completed") == 1
        entries = await settled(live, 2)
        assert len({entry.request_id for entry in entries}) == 2
        (row,) = rows(live, "responses")
        assert (row.attempts, row.status) == (1, "completed")
        check_books(live)


async def ended_from(api: httpx2.AsyncClient, identity: str) -> Json:
    while True:
        response: Json = (await api.get(f"/responses/{identity}")).raise_for_status().json()
        if response["status"] in ENDED:
            return response
        await asyncio.sleep(0.02)


async def test_a_provider_that_speaks_responses_makes_them_in_the_background_too(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live
) -> None:
    queued = (await api.post("/responses", json={**ASKED, "model": "native/m"})).json()
    response = await ended(api, queued["id"])
    assert (response["status"], response["id"], response["background"]) == ("completed", queued["id"], True)
    told = events((await api.post("/responses", json={**STREAM, "model": "native/m"})).content)
    assert [event["sequence_number"] for event in told] == list(range(len(told)))
    names = [event["type"] for event in told]
    assert names[:3] == ["response.created", "response.queued", "response.in_progress"]
    assert names.count("response.created") == names.count("response.completed") == 1
    identity = told[0]["response"]["id"]
    assert told[-1]["response"] == await ended(api, identity)
    assert [call.path for call in fake.calls] == ["/v1/responses"] * 2
    assert all("background" not in call.document for call in fake.calls)
    await settled(gateway, 2)
