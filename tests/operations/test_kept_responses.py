"""Kept responses as their clients read, list, name and delete them, and how long they are there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import openai
import pytest
from openai import AsyncOpenAI
from sqlalchemy import update

from tests.fakes.openai_script import Fault
from tests.live import Live
from tests.operations.turns import (
    CHAT,
    CLAUDE,
    MODELS,
    NATIVE,
    Json,
    Providers,
    audited,
    client_of,
    heard,
    rows,
    say,
    text_of,
)
from writingmate.memory.queue_store import QueueStore
from writingmate.storage import tables

DAY = 86_400.0


@pytest.fixture
def gateway(fakes: Providers, tmp_path: Path, database_url: str) -> Iterator[Live]:
    with audited(fakes.settings(tmp_path, database_url)) as live:
        yield live


def texts(item: Any) -> str:
    """Of a message, by the SDK's types."""
    return "".join(part.text for part in item.content)


async def test_the_sdk_goes_on_gets_lists_and_deletes(gateway: Live) -> None:
    async with AsyncOpenAI(api_key=gateway.key, base_url=gateway.api, max_retries=0) as client:
        turn: Any = None
        for number, model in enumerate((*MODELS, *MODELS)):
            turn = await client.responses.create(
                model=model,
                input=f"Reply with exactly: {number}",
                previous_response_id=turn and turn.id,
                store=True,
            )
            assert turn.output_text == str(number)
        got = await client.responses.retrieve(turn.id)
        assert got.to_dict() == turn.to_dict()
        said = []
        async for item in client.responses.input_items.list(turn.id, limit=2, order="asc"):
            assert item.id
            assert item.type == "message"
            assert item.status == "completed"
            said.append((item.role, texts(item)))
        expected = [
            each for n in range(8) for each in (("user", f"Reply with exactly: {n}"), ("assistant", str(n)))
        ]
        assert said == expected[:-1]
        page = await client.responses.input_items.list(turn.id, limit=3)
        assert [texts(item) for item in page.data] == [text for _, text in reversed(said[-3:])]
        assert page.has_more
        await client.responses.delete(turn.id)
        for call in (client.responses.retrieve, client.responses.delete, client.responses.input_items.list):
            with pytest.raises(openai.NotFoundError):
                await call(turn.id)
        with pytest.raises(openai.BadRequestError) as refused:
            await client.responses.create(model=CHAT, input="x", previous_response_id=turn.id)
        assert refused.value.code == "previous_response_not_found"


async def test_a_deleted_one_is_gone_with_all_that_it_had(api: httpx2.AsyncClient, gateway: Live) -> None:
    first = await say(api, "Reply with exactly: ONE", model=NATIVE)
    stream = await api.post(
        "/responses", json={"model": CHAT, "input": "hi", "background": True, "stream": True}
    )
    assert stream.status_code == 200
    (second,) = [row.response_id for row in rows(gateway) if row.background]
    assert rows(gateway, "response_items")
    assert rows(gateway, "response_events")
    for identity in (first["id"], second):
        answer = await api.delete(f"/responses/{identity}")
        assert answer.json() == {"id": identity, "object": "response", "deleted": True}
        assert (await api.delete(f"/responses/{identity}")).status_code == 404
        error = (await api.get(f"/responses/{identity}")).json()["error"]
        assert (error["type"], error["code"]) == ("invalid_request_error", None)
    for table in ("responses", "response_items", "response_events"):
        assert not rows(gateway, table)


async def test_one_that_runs_is_ended_by_deleting_it(
    api: httpx2.AsyncClient, gateway: Live, fakes: Providers
) -> None:
    fakes.openai.script(Fault(stall=2))
    body = {"model": CHAT, "input": "Reply with exactly: A B C", "background": True}
    identity = (await api.post("/responses", json=body)).json()["id"]
    await fakes.openai.called(1)
    assert (await api.delete(f"/responses/{identity}")).status_code == 200
    await fakes.openai.calls[0].over.wait()
    while rows(gateway, "holds"):  # noqa: ASYNC110  # nothing in this process tells of it
        await asyncio.sleep(0.02)
    (entry,) = rows(gateway, "entries")
    assert "cancelled" in entry.flags
    assert not rows(gateway)


async def test_every_kind_of_item_is_listed_with_an_id(api: httpx2.AsyncClient) -> None:
    given: list[Json] = [
        {"role": "user", "content": "weather"},
        {"type": "function_call", "call_id": "c", "name": "weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "sunny"},
        {"role": "assistant", "content": "It is sunny."},
        {
            "type": "message",
            "id": "msg_mine",
            "role": "user",
            "content": [{"type": "input_text", "text": "x"}],
        },
    ]
    response = await say(api, given)
    path = f"/responses/{response['id']}/input_items"
    listed = (await api.get(path, params={"order": "asc"})).json()
    own = response["id"].removeprefix("resp_")
    assert [item["id"] for item in listed["data"]] == [
        f"msg_{own}_i0", f"fc_{own}_i1", f"fco_{own}_i2", f"msg_{own}_i3", "msg_mine",
    ]  # fmt: skip
    assert [item["type"] for item in listed["data"]] == [
        "message", "function_call", "function_call_output", "message", "message",
    ]  # fmt: skip
    assert {item["status"] for item in listed["data"]} == {"completed"}
    assert listed["data"][3]["content"][0]["type"] == "output_text"
    assert (listed["first_id"], listed["last_id"]) == (f"msg_{own}_i0", "msg_mine")
    assert listed["has_more"] is False
    rest = (await api.get(path, params={"after": f"fco_{own}_i2"})).json()
    assert [item["id"] for item in rest["data"]] == [f"fc_{own}_i1", f"msg_{own}_i0"]
    nothing = (await api.get(path, params={"after": f"msg_{own}_i0"})).json()
    assert nothing == {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}
    for query, param in (
        ("limit=0", "limit"), ("limit=101", "limit"), ("limit=x", "limit"), ("order=up", "order"),
        ("after=msg_none", "after"), ("include[]=nothing", "include"),
    ):  # fmt: skip
        answer = await api.get(f"{path}?{query}")
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize("model", MODELS)
async def test_an_item_is_named_instead_of_sent(
    api: httpx2.AsyncClient, fakes: Providers, gateway: Live, model: str
) -> None:
    """As the Vercel AI SDK does for what it was answered, without the response that it was in."""
    first = await say(api, "Reply with exactly: ONE", model=model)
    (message,) = [item for item in first["output"] if item["type"] == "message"]
    again: Json = {}
    asked: list[Json] = []
    for reference in ({"type": "item_reference", "id": message["id"]}, {"id": message["id"]}):
        asked = [{"role": "user", "content": "hi"}, reference, {"role": "user", "content": "and?"}]
        for then in (CHAT, CLAUDE):
            again = await say(api, asked, model=then)
            assert heard(fakes.last(then)) == ["hi", "ONE", "and?"]
    await say(api, "go on", again)  # what was named is kept as what it was
    assert heard(fakes.openai.calls[-1].document)[:3] == ["hi", "ONE", "and?"]
    await say(api, [{"type": "item_reference", "id": message["id"]}, *asked[2:]], first, store=False)
    assert heard(fakes.openai.calls[-1].document) == ["Reply with exactly: ONE", "ONE", "and?"]
    for name in ("msg_none", "msg_none_0", "x"):
        answer = await api.post(
            "/responses", json={"model": model, "input": [{"type": "item_reference", "id": name}]}
        )
        assert (answer.status_code, answer.json()["error"]["param"]) == (404, "input")
    assert len(rows(gateway)) == 6


async def test_a_named_item_is_kept_with_a_background_response(
    api: httpx2.AsyncClient, fakes: Providers
) -> None:
    first = await say(api, "Reply with exactly: ONE")
    asked = [
        {"type": "item_reference", "id": first["output"][0]["id"]},
        {"role": "user", "content": "Reply with exactly: TWO"},
    ]
    second = await say(api, asked, background=True)
    await api.delete(f"/responses/{first['id']}")
    await completed(api, second)
    third = await say(api, "and?", second)
    assert heard(fakes.openai.calls[-1].document) == ["ONE", "Reply with exactly: TWO", "TWO", "and?"]
    missing = [{"type": "item_reference", "id": first["output"][0]["id"]}]
    answer = await api.post("/responses", json={"model": CHAT, "input": missing, "background": True})
    assert answer.status_code == 404
    assert text_of(third)


@pytest.mark.parametrize("name", ["\0", "é", "x" * 70, "x" * 5_000, "", "resp_\n"])
async def test_an_id_may_be_whatever_somebody_sends(api: httpx2.AsyncClient, name: str) -> None:
    body = {"model": CHAT, "input": "x", "previous_response_id": name}
    answer = await api.post("/responses", json=body)
    assert answer.json()["error"]["code"] == "previous_response_not_found"
    named = {"model": CHAT, "input": [{"type": "item_reference", "id": name}]}
    assert (await api.post("/responses", json=named)).status_code == (404 if name else 400)
    if name:
        path = f"/responses/{quote(name)}"
        answers = [
            await api.get(path),
            await api.get(f"{path}/input_items"),
            await api.delete(path),
            await api.post(f"{path}/cancel"),
            await api.get(f"{path}?stream=true"),
        ]
        assert [each.status_code for each in answers] == [404] * 5


async def test_nothing_is_kept_of_whom_a_client_leaves(
    api: httpx2.AsyncClient, gateway: Live, fakes: Providers
) -> None:
    fakes.openai.script(Fault(stall=2))
    body = {"model": CHAT, "input": "Reply with exactly: A B C", "stream": True}
    async with api.stream("POST", "/responses", json=body) as answer:
        async for line in answer.aiter_lines():
            if "delta" in line:
                break
    await fakes.openai.calls[0].over.wait()
    while rows(gateway, "holds"):  # noqa: ASYNC110  # nothing in this process tells of it
        await asyncio.sleep(0.02)
    assert not rows(gateway)
    fakes.openai.recover()
    fakes.openai.script(Fault(status=400))
    assert (await api.post("/responses", json={"model": CHAT, "input": "x"})).status_code == 400
    assert not rows(gateway)


async def test_an_idempotency_key_keeps_one_response(api: httpx2.AsyncClient, gateway: Live) -> None:
    once = {"idempotency-key": "once"}
    body = {"model": CHAT, "input": "Reply with exactly: ONE"}
    first = await api.post("/responses", json=body, headers=once)
    again = await api.post("/responses", json=body, headers=once)
    assert again.json() == first.json()
    assert len(rows(gateway)) == 1
    second = await say(api, "and?", again.json())
    assert second["previous_response_id"] == first.json()["id"]


async def completed(api: httpx2.AsyncClient, response: Json) -> None:
    while True:
        if (await api.get(f"/responses/{response['id']}")).json()["status"] == "completed":
            return
        await asyncio.sleep(0.02)


def expire(live: Live, seconds: float) -> None:
    with live.database.transaction() as connection:
        connection.execute(update(tables.responses).values(expires_at=time.time() + seconds))


async def test_a_turn_keeps_its_whole_conversation_longer(api: httpx2.AsyncClient, gateway: Live) -> None:
    first = await say(api, "Reply with exactly: ONE", model=NATIVE)
    second = await say(api, "and?", first)
    other = await say(api, "and?", first)
    least = time.time() + 30 * DAY
    assert all(row.expires_at > least for row in rows(gateway))
    expire(gateway, 60)
    third = await say(api, "and?", second)
    kept = {row.response_id: row.expires_at for row in rows(gateway)}
    assert all(kept[each["id"]] > least for each in (first, second, third))
    assert kept[other["id"]] < least
    expire(gateway, 60)
    background = await say(api, "and?", third, background=True)
    await completed(api, background)
    kept = {row.response_id: row.expires_at for row in rows(gateway)}
    assert len([each for each in kept.values() if each > least]) == 4


async def test_what_has_expired_is_gone_at_once_and_deleted_later(
    api: httpx2.AsyncClient, gateway: Live
) -> None:
    first = await say(api, "Reply with exactly: ONE", model=NATIVE)
    second = await say(api, "and?", first)
    expire(gateway, -1)
    assert (await api.get(f"/responses/{second['id']}")).status_code == 404
    assert (await api.get(f"/responses/{second['id']}/input_items")).status_code == 404
    assert (await api.delete(f"/responses/{second['id']}")).status_code == 404
    body = {"model": CHAT, "input": "x", "previous_response_id": second["id"]}
    error = (await api.post("/responses", json=body)).json()["error"]
    assert error["code"] == "previous_response_not_found"
    assert await QueueStore(gateway.database).delete_expired() == 2
    assert not rows(gateway)
    assert not rows(gateway, "response_items")


async def test_where_nothing_is_kept_what_would_need_it_is_refused(fakes: Providers, tmp_path: Path) -> None:
    with audited(fakes.settings(tmp_path, responses_days=0)) as live:
        async with client_of(live) as api:
            first: Json = {}
            for store in (True, None):
                first = await say(api, "hi", store=store)
                assert first["store"] is False
            assert not rows(live)
            assert (await api.get(f"/responses/{first['id']}")).status_code == 404
            for name, value in (("previous_response_id", first["id"]), ("background", True)):
                answer = await api.post("/responses", json={"model": CHAT, "input": "x", name: value})
                error = answer.json()["error"]
                assert (error["code"], error["param"]) == ("unsupported_parameter", name)
