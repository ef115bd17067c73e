"""Responses by a provider that speaks them, from a request to the ledger, and by the next route."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from sqlalchemy import select

from tests.fakes.openai_choices import Wish
from tests.fakes.openai_upstream import FakeOpenAI, Fault
from tests.live import Live, serving, settings_for
from tests.operations.pair import fakes
from writingmate.metering import tokens
from writingmate.metering.audit import audit
from writingmate.settings import ModelSection, ProviderSection, RouteSection, TimeoutSection
from writingmate.storage import tables
from writingmate.wire import sse

Entry = Callable[[], Any]
HELLO: dict[str, Any] = {"model": "native/m", "input": "Reply with exactly: A B C"}
STREAM = {**HELLO, "stream": True}
SEARCH = {**HELLO, "tools": [{"type": "web_search"}]}


def names(answer: httpx2.Response) -> list[bytes]:
    return [sse.name(frame) for frame in sse.Splitter().feed(answer.content)]


async def test_a_response_is_passed_on_and_charged(
    api: httpx2.AsyncClient, fake: FakeOpenAI, entry: Entry
) -> None:
    answer = await api.post("/responses", json=SEARCH)
    assert answer.status_code == 200
    assert answer.headers["x-writingmate-counted-messages"] == "1"
    body, row = answer.json(), entry()
    assert body["id"].removeprefix("resp_") == answer.headers["x-request-id"].removeprefix("req_")
    assert [item["type"] for item in body["output"]] == ["web_search_call", "message"]
    usage = body["usage"]
    assert (row.prompt_tokens, row.completion_tokens) == (usage["input_tokens"], usage["output_tokens"])
    assert (row.endpoint, row.flags) == ("responses", "")
    (call,) = fake.calls
    assert call.path == "/v1/responses"
    assert call.document == {**SEARCH, "model": "m", "store": False}


async def test_a_stream_is_passed_on_and_its_end_waits_for_the_count(
    api: httpx2.AsyncClient, entry: Entry
) -> None:
    answer = await api.post("/responses", json=STREAM)
    *_, count, last, done = sse.Splitter().feed(answer.content)
    assert count.startswith(b": writingmate counted_messages=1 ")
    assert (sse.name(last), done) == (b"response.completed", sse.DONE)
    assert (entry().completion_tokens, entry().flags) == (3, "")


async def test_a_chat_client_of_the_same_provider_speaks_chat(
    api: httpx2.AsyncClient, fake: FakeOpenAI
) -> None:
    messages = [{"role": "user", "content": "Reply with exactly: A B C"}]
    await api.post("/chat/completions", json={"model": "native/m", "messages": messages})
    assert fake.calls[0].path == "/v1/chat/completions"


@pytest.mark.parametrize("fault", [Fault(error_after=5), Fault(wish=Wish(failed=True)), Fault(cut=4000)])
async def test_a_stream_that_breaks_ends_with_an_error_and_is_charged(
    api: httpx2.AsyncClient, fake: FakeOpenAI, entry: Entry, fault: Fault
) -> None:
    fake.script(fault)
    answer = await api.post("/responses", json=STREAM)
    assert names(answer)[-4:] == [b"", b"error", b"response.failed", b""]
    events = [msgspec.json.decode(sse.data(f)) for f in sse.Splitter().feed(answer.content) if sse.name(f)]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    flags = set(entry().flags.split())
    assert flags == ({"broken"} if fault.wish.failed else {"broken", "estimated"})
    assert entry().completion_tokens > 0


async def test_wherever_a_stream_is_cut_it_ends_with_an_error_and_what_came_is_charged(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live
) -> None:
    whole = (await api.post("/responses", json=STREAM)).content
    for cut in range(200, fake.calls[0].sent, 333):
        fake.recover()
        fake.script(Fault(cut=cut))
        answer = await api.post("/responses", json=STREAM)
        if answer.status_code != 200:
            assert answer.json()["error"]["type"] == "upstream_error"
            continue
        events = [
            msgspec.json.decode(sse.data(f)) for f in sse.Splitter().feed(answer.content) if sse.name(f)
        ]
        assert [event["type"] for event in events][-2:] == ["error", "response.failed"]
        assert [event["sequence_number"] for event in events] == list(range(len(events)))
        said = "".join(event.get("delta", "") for event in events)
        with gateway.database.reading() as connection:
            row = connection.execute(select(tables.entries).order_by(tables.entries.c.started_at)).all()[-1]
        assert row.request_id == answer.headers["x-request-id"]
        assert set(row.flags.split()) == {"broken", "estimated"}
        assert row.completion_tokens == tokens.count(said)
    assert b"response.completed" in whole


async def test_a_response_without_usage_is_estimated(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live
) -> None:
    fake.script(Fault(usage=False))
    for body in (HELLO, {**HELLO, "tools": [{"type": "web_search"}]}):
        await api.post("/responses", json=body)
    with gateway.database.reading() as connection:
        rows = connection.execute(select(tables.entries)).all()
    assert [row.flags for row in rows] == ["estimated", "estimated"]
    assert all(row.completion_tokens > 0 and row.prompt_tokens > 0 for row in rows)


async def test_a_hosted_tool_is_held_as_one(api: httpx2.AsyncClient, fake: FakeOpenAI) -> None:
    plain = (await api.post("/estimate/responses", json=HELLO)).json()
    search = (await api.post("/estimate/responses", json=SEARCH)).json()
    more = search["prompt_tokens"]["bound"] - plain["prompt_tokens"]["bound"]
    assert 32_000 <= more < 34_000
    assert not fake.calls


@pytest.fixture
def two_routes(tmp_path: Path) -> Callable[..., Any]:
    """A gateway whose ``pair/m`` goes to two providers of the given dialects."""

    def serve(one: ProviderSection, two: ProviderSection) -> Any:
        model = ModelSection(
            tier="basic",
            context_length=10_000,
            max_output_tokens=1_000,
            routes=(RouteSection("one", "m1"), RouteSection("two", "m2")),
        )
        timeouts = TimeoutSection(connect=1.0, first=0.4, idle=0.4, deadline=5.0)
        return serving(
            settings_for(
                tmp_path, providers={"one": one, "two": two}, models={"pair/m": model}, timeouts=timeouts
            )
        )

    return serve


@pytest.mark.parametrize("streaming", [False, True])
@pytest.mark.parametrize("first_is_native", [False, True])
async def test_the_next_route_may_speak_another_dialect(
    two_routes: Callable[..., Any], *, streaming: bool, first_is_native: bool
) -> None:
    asked = {**HELLO, "model": "pair/m", "stream": streaming}
    async with fakes() as (one, two):
        one.script(Fault(status=503))
        native = ProviderSection(
            base_url=(one if first_is_native else two).base_url,
            api_key="k" * 20,
            dialects=("chat", "responses"),
        )
        chat = ProviderSection(base_url=(two if first_is_native else one).base_url, api_key="k" * 20)
        with two_routes(*((native, chat) if first_is_native else (chat, native))) as live:
            headers = {"authorization": f"Bearer {live.key}"}
            async with httpx2.AsyncClient(base_url=live.api, headers=headers, timeout=20) as api:
                answer = await api.post("/responses", json=asked)
                searched = await api.post("/responses", json={**asked, "tools": [{"type": "web_search"}]})
            assert answer.status_code == 200
            assert answer.headers["x-writingmate-route"] == "two/m2"
            assert b"A B C" in answer.content
            assert {call.path for call in one.calls + two.calls} == {"/v1/chat/completions", "/v1/responses"}
            assert searched.status_code == (502 if first_is_native else 200), searched.text
            with live.database.reading() as connection:
                assert audit(connection).clean
                assert not connection.execute(select(tables.holds)).all()
