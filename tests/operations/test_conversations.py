"""``previous_response_id`` on a live gateway: what a model is given, by whom and where it was answered."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.fakes.openai_script import Fault
from tests.live import Live
from tests.operations.turns import (
    CHAT,
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
from writingmate.identity import store
from writingmate.identity.records import KeyOptions

NOT_FOUND = "previous_response_not_found"


@pytest.fixture
def gateway(fakes: Providers, tmp_path: Path, database_url: str) -> Iterator[Live]:
    with audited(fakes.settings(tmp_path, database_url)) as live:
        yield live


async def completed(api: httpx2.AsyncClient, response: Json) -> Json:
    while True:
        now: Json = (await api.get(f"/responses/{response['id']}")).json()
        if now["status"] == "completed":
            return now
        await asyncio.sleep(0.02)


async def refused(api: httpx2.AsyncClient, previous: object, **fields: object) -> Json:
    body = {"model": CHAT, "input": "go on", "previous_response_id": previous, **fields}
    answer = await api.post("/responses", json=body)
    assert answer.status_code == 400, answer.text
    error: Json = answer.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", "previous_response_id")
    return error


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", MODELS)
async def test_a_turn_is_there_at_once_after_its_answer(
    api: httpx2.AsyncClient, gateway: Live, fakes: Providers, model: str, *, stream: bool
) -> None:
    body = {"model": model, "input": "Reply with exactly: ONE", "stream": stream}
    answer = await api.post("/responses", json=body)
    if stream:
        data = [line[6:] for line in answer.text.splitlines() if line.startswith("data: {")]
        first = json.loads(data[-1])["response"]
    else:
        first = answer.json()
    assert (first["store"], first["previous_response_id"]) == (True, None)
    assert (await api.get(f"/responses/{first['id']}")).json() == first
    second = await say(api, "Reply with exactly: TWO", first, model=model)
    assert (text_of(second), second["previous_response_id"]) == ("TWO", first["id"])
    assert heard(fakes.last(model)) == ["Reply with exactly: ONE", "ONE", "Reply with exactly: TWO"]
    kept = {row.response_id: row for row in rows(gateway)}
    assert [kept[each["id"]].status for each in (first, second)] == ["completed", "completed"]
    assert kept[second["id"]].previous_response_id == first["id"]
    assert kept[first["id"]].request_id == answer.headers["x-request-id"]


async def test_fifty_turns_alternate_between_providers(api: httpx2.AsyncClient, fakes: Providers) -> None:
    turn: Json | None = None
    for number in range(50):
        turn = await say(api, f"Reply with exactly: {number}", turn, model=MODELS[number % 4])
        assert text_of(turn) == str(number)
    expected = [text for number in range(50) for text in (f"Reply with exactly: {number}", str(number))][:-1]
    assert heard(fakes.last(MODELS[49 % 4])) == expected
    for model in MODELS:
        turn = await say(api, "and now?", turn, model=model)
        assert heard(fakes.last(model))[:99] == expected


async def test_branches_know_their_own_past_only(api: httpx2.AsyncClient, fakes: Providers) -> None:
    root = await say(api, "Reply with exactly: ROOT")
    left = await say(api, "Reply with exactly: LEFT", root)
    right = await say(api, "Reply with exactly: RIGHT", root)
    for branch, name in ((left, "LEFT"), (right, "RIGHT")):
        await say(api, "and?", branch)
        root_said = ["Reply with exactly: ROOT", "ROOT"]
        assert heard(fakes.last(CHAT)) == [*root_said, f"Reply with exactly: {name}", name, "and?"]


async def test_two_gateways_go_on_from_each_other(
    api: httpx2.AsyncClient, gateway: Live, fakes: Providers, tmp_path: Path
) -> None:
    settings = fakes.settings(tmp_path, gateway.gateway.settings.database_url)
    with audited(settings) as other:
        async with client_of(other, gateway.key) as elsewhere:
            turn: Json | None = None
            for number in range(12):
                here = (api, elsewhere)[number % 2]
                turn = await say(here, f"Reply with exactly: {number}", turn, model=MODELS[number // 2 % 4])
            assert turn is not None
            assert len(heard(fakes.last(MODELS[11 // 2 % 4]))) == 23
            assert (await api.get(f"/responses/{turn['id']}")).json() == turn


async def test_only_what_was_said_goes_on(api: httpx2.AsyncClient, fakes: Providers) -> None:
    tools = [{"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}]
    first = await say(api, "hi", instructions="Be kind.", tools=tools, tool_choice="none", temperature=0.5)
    second = await say(api, "and?", first)
    assert (second["instructions"], second["tools"], second["temperature"]) == (None, [], 1)
    document = fakes.last(CHAT)
    assert set(document) == {"model", "messages"}
    assert [message["role"] for message in document["messages"]] == ["user", "assistant", "user"]


async def test_tools_are_called_and_answered_from_turn_to_turn(
    api: httpx2.AsyncClient, fakes: Providers
) -> None:
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tools = [{"type": "function", "name": "weather", "parameters": parameters, "strict": False}]
    for model, then in zip(MODELS, reversed(MODELS), strict=True):
        called = await say(api, "weather of Paris", model=model, tools=tools)
        (call,) = [item for item in called["output"] if item["type"] == "function_call"]
        output = {"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"}
        answer = await say(api, [output], called, model=then, tools=tools)
        assert answer["status"] == "completed"
        assert call["call_id"] in json.dumps(fakes.last(then))


async def test_a_turn_may_add_nothing(api: httpx2.AsyncClient, fakes: Providers) -> None:
    first = await say(api, "Reply with exactly: ONE")
    answer = await api.post("/responses", json={"model": CHAT, "previous_response_id": first["id"]})
    assert answer.status_code == 200
    assert heard(fakes.last(CHAT)) == ["Reply with exactly: ONE", "ONE"]


async def test_nobody_goes_on_from_what_is_not_there(api: httpx2.AsyncClient, gateway: Live) -> None:
    """Unknown, deleted, expired, another workspace's and not kept: all alike."""
    unknown = await refused(api, "resp_none")
    assert unknown["code"] == NOT_FOUND
    first = await say(api, "hi")
    unkept = await say(api, "and?", first, store=False)
    assert unkept["store"] is False
    with gateway.database.transaction() as connection:
        stranger = store.create_user(connection, "stranger@localhost", plan="self-hosted", now=time.time())
        key = store.create_key(connection, stranger, KeyOptions(name="x"), now=time.time()).key
    second = await say(api, "and?", first)
    async with client_of(gateway, key) as other:
        for path in ("", "/input_items"):
            assert (await other.get(f"/responses/{first['id']}{path}")).status_code == 404
        assert (await other.delete(f"/responses/{first['id']}")).status_code == 404
        strange = await refused(other, first["id"])
    assert strange["message"].replace(first["id"], "resp_none") == unknown["message"]
    assert (await refused(api, unkept["id"]))["code"] == NOT_FOUND
    assert (await api.get(f"/responses/{unkept['id']}")).status_code == 404
    assert (await api.delete(f"/responses/{first['id']}")).status_code == 200
    for gone in (first, second):  # what is behind it has lost what it goes on
        assert (await refused(api, gone["id"]))["code"] == NOT_FOUND
    assert (await api.get(f"/responses/{second['id']}")).json() == second


async def test_what_is_not_over_or_has_failed_cannot_be_gone_on_from(
    api: httpx2.AsyncClient, gateway: Live, fakes: Providers
) -> None:
    fakes.openai.script(Fault(silent=True), times=1)
    queued = await say(api, "Reply with exactly: LATE", background=True)
    await fakes.openai.called(1)
    assert (await refused(api, queued["id"]))["code"] == "previous_response_not_completed"
    assert (await refused(api, queued["id"], background=True))["code"] == "previous_response_not_completed"
    await api.post(f"/responses/{queued['id']}/cancel")
    assert "cancelled" in (await refused(api, queued["id"]))["message"]
    fakes.openai.release()
    fakes.openai.recover()
    fakes.openai.script(Fault(error_after=2), times=1)
    body = {"model": CHAT, "input": "Reply with exactly: A B C", "stream": True}
    answer = await api.post("/responses", json=body)
    data = [line[6:] for line in answer.text.splitlines() if line.startswith("data: {")]
    failed = json.loads(data[-1])["response"]
    assert failed["status"] == "failed"
    assert (await api.get(f"/responses/{failed['id']}")).json() == failed
    assert "failed" in (await refused(api, failed["id"]))["message"]
    while rows(gateway, "holds"):  # noqa: ASYNC110  # nothing in this process tells of it
        await asyncio.sleep(0.02)


async def test_an_answer_that_was_cut_can_be_gone_on_from(api: httpx2.AsyncClient, fakes: Providers) -> None:
    cut = await say(api, "Reply with exactly: one two three", max_output_tokens=2)
    assert cut["status"] == "incomplete"
    assert (await api.get(f"/responses/{cut['id']}")).json() == cut
    await say(api, "go on", cut)
    assert heard(fakes.last(CHAT)) == ["Reply with exactly: one two three", "one two ", "go on"]


async def test_the_background_goes_on_and_is_gone_on_from(
    api: httpx2.AsyncClient, gateway: Live, fakes: Providers
) -> None:
    first = await say(api, "Reply with exactly: ONE", model=NATIVE)
    second = await say(api, "Reply with exactly: TWO", first, background=True)
    assert second["previous_response_id"] == first["id"]
    await completed(api, second)
    await say(api, "and?", second)
    said = ["Reply with exactly: ONE", "ONE", "Reply with exactly: TWO", "TWO", "and?"]
    assert heard(fakes.last(CHAT)) == said
    assert (await refused(api, "resp_none", background=True))["code"] == NOT_FOUND
    assert len(rows(gateway)) == 3


async def test_all_of_a_conversation_is_held_for(
    api: httpx2.AsyncClient, gateway: Live, fakes: Providers
) -> None:
    long = await say(api, f"{'word ' * 20_000}Reply with exactly: ONE")
    body = {"model": CHAT, "input": "and?", "previous_response_id": long["id"], "max_output_tokens": 5}
    estimate = (await api.post("/estimate/responses", json=body)).json()
    assert estimate["prompt_tokens"]["bound"] > 100_000
    assert estimate["prompt_tokens"]["text"] > 20_000
    assert estimate["minimum_messages"] > 0
    async with client_of(gateway, gateway.mint(daily_cap=1)) as capped:
        answer = await capped.post("/responses", json=body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "daily_limit_reached")
    assert len(fakes.openai.calls) == 1


async def test_a_mistake_is_named_by_its_place_in_what_was_sent(api: httpx2.AsyncClient) -> None:
    first = await say(api, "hi")
    body = {"model": CHAT, "previous_response_id": first["id"], "input": [{"role": "user"}]}
    error = (await api.post("/responses", json=body)).json()["error"]
    assert error["param"] == "input[0].content"
    assert "'input[0].content'" in error["message"]
    body["input"] = [{"type": "function_call_output", "call_id": "c", "output": "x"}]
    assert (await api.post("/responses", json=body)).json()["error"]["param"] == "input[0].call_id"
    called = await say(
        api,
        "weather",
        tools=[{"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}],
    )
    body = {"model": CHAT, "previous_response_id": called["id"], "input": "go on"}
    error = (await api.post("/responses", json=body)).json()["error"]
    assert error["message"].startswith("No tool output found for function call")


async def test_a_conversation_is_no_larger_than_a_request_may_be(fakes: Providers, tmp_path: Path) -> None:
    with audited(fakes.settings(tmp_path, max_body_bytes=60_000)) as live:
        async with client_of(live) as api:
            turn: Json | None = None
            for _ in range(2):
                turn = await say(api, "a" * 25_000, turn)
            assert turn is not None
            assert (await refused(api, turn["id"]))["code"] == "context_length_exceeded"


async def test_nothing_of_it_can_be_read_in_the_database(api: httpx2.AsyncClient, gateway: Live) -> None:
    for model in MODELS:
        first = await say(api, "Reply with exactly: PLANTED", model=model)
        await say(api, "PLANTED again", first, model=model)
    assert "PLANTED" not in repr([*rows(gateway), *rows(gateway, "response_items")])
    folder = gateway.gateway.settings.data_dir
    for file in folder.rglob("*"):
        assert not file.is_file() or b"PLANTED" not in file.read_bytes()
