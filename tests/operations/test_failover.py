"""Two routes on a live gateway: who is asked, who serves, what the books say."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx2
import pytest

from tests.fakes.openai_upstream import Fault
from tests.operations.pair import CHAT, HELLO, STREAM, Pair
from tests.operations.test_generate import error_of, settled
from writingmate.upstream.breaker import IN_A_ROW, SHORTEST
from writingmate.upstream.budget import MOST, PER_SECOND, SHARE

BOTH = pytest.mark.parametrize("asked", [HELLO, STREAM], ids=["whole", "stream"])


def assert_served_by_two(pair: Pair, answer: httpx2.Response, asked: dict[str, Any]) -> None:
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-writingmate-route"] == "two/m2"
    assert ("data: [DONE]" in answer.text) == ("stream" in asked)
    (entry,) = pair.entries()
    assert (entry.provider, entry.upstream_model, entry.messages, entry.flags) == ("two", "m2", 1, "")
    assert entry.upstream_request_id == pair.two.calls[-1].request_id
    assert pair.two.calls[-1].document["model"] == "m2"


@BOTH
@pytest.mark.parametrize(
    ("fault", "calls"),
    [
        (Fault(status=500), 2),
        (Fault(status=503, headers={"retry-after": "30"}), 1),
        (Fault(status=429, headers={"retry-after": "30"}), 1),
        (Fault(status=401), 1),
        (Fault(silent=True), 1),
        (Fault(cut=0, reset=True), 2),
        (Fault(cut=40), 2),
        (Fault(stall=0), 1),
    ],
    ids=["500", "503-later", "429-later", "key", "silent", "reset", "cut-head", "stalled"],
)
async def test_the_next_route_serves_where_the_first_fails(
    pair: Pair, asked: dict[str, Any], fault: Fault, calls: int
) -> None:
    pair.one.script(fault)
    assert_served_by_two(pair, await pair.api.post(CHAT, json=asked), asked)
    assert pair.calls == (calls, 1)


@BOTH
async def test_the_next_route_serves_where_nobody_listens(pair: Pair, asked: dict[str, Any]) -> None:
    await pair.one.__aexit__(None, None, None)
    assert_served_by_two(pair, await pair.api.post(CHAT, json=asked), asked)
    assert pair.calls == (0, 1)


@BOTH
async def test_the_first_route_is_tried_again_before_the_next(pair: Pair, asked: dict[str, Any]) -> None:
    pair.one.script(Fault(status=503, headers={"retry-after": "0"}), times=1)
    answer = await pair.api.post(CHAT, json=asked)
    assert answer.headers["x-writingmate-route"] == "one/m1"
    assert pair.calls == (2, 0)
    assert [(row.provider, row.messages) for row in pair.entries()] == [("one", 1)]


@pytest.mark.parametrize("status", [400, 404, 409, 413, 422])
async def test_the_callers_own_mistake_is_asked_of_nobody_else(pair: Pair, status: int) -> None:
    pair.one.script(Fault(status=status))
    for _ in range(IN_A_ROW + 1):
        assert (await pair.api.post(CHAT, json=HELLO)).status_code == status
    assert pair.calls == (IN_A_ROW + 1, 0)


async def test_after_the_first_frame_there_is_no_other_route(pair: Pair) -> None:
    pair.one.script(Fault(error_after=2))
    answer = await pair.api.post(CHAT, json=STREAM)
    assert answer.status_code == 200
    assert "[DONE]" not in answer.text
    last = [line for line in answer.text.splitlines() if line.startswith("data: ")][-1]
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == "upstream_error"
    assert pair.calls == (1, 0)
    assert [(row.provider, row.flags) for row in pair.entries()] == [("one", "broken estimated")]


@BOTH
@pytest.mark.parametrize(
    ("fault", "status"), [(Fault(status=500), 502), (Fault(silent=True), 504)], ids=["500", "silent"]
)
async def test_where_all_routes_fail_nothing_is_charged(
    pair: Pair, asked: dict[str, Any], fault: Fault, status: int
) -> None:
    pair.one.script(fault)
    pair.two.script(fault)
    answer = await pair.api.post(CHAT, json=asked)
    assert answer.status_code == status
    assert error_of(answer)["code"] == "upstream_error"
    (entry,) = pair.entries()
    assert (entry.messages, entry.flags, entry.prompt_tokens) == (0, "failed", 0)
    assert (entry.provider, entry.upstream_model) == ("two", "m2")


async def test_a_route_that_keeps_failing_is_left_alone_until_a_probe_finds_it_well(pair: Pair) -> None:
    (operation,) = pair.made
    failover = operation.failover
    breaker = failover.breakers["one", "m1"]
    before = await pair.metric('writingmate_resting_routes{provider="one"}')
    pair.one.script(Fault(status=500))
    while breaker.closed:
        assert (await pair.api.post(CHAT, json=HELLO)).headers["x-writingmate-route"] == "two/m2"
    asked = len(pair.one.calls)
    assert asked == IN_A_ROW
    assert await pair.metric('writingmate_resting_routes{provider="one"}') == before + 1
    for _ in range(5):
        assert (await pair.api.post(CHAT, json=HELLO)).headers["x-writingmate-route"] == "two/m2"
    assert len(pair.one.calls) == asked
    assert [row.provider for row in pair.entries()] == ["two"] * len(pair.two.calls)

    clock = failover.clock
    object.__setattr__(failover, "clock", lambda: clock() + SHORTEST)
    assert (await pair.api.post(CHAT, json=HELLO)).headers["x-writingmate-route"] == "two/m2"
    assert (len(pair.one.calls), breaker.state) == (asked + 1, "open")

    pair.one.recover()
    object.__setattr__(failover, "clock", lambda: clock() + 4 * SHORTEST)
    assert (await pair.api.post(CHAT, json=HELLO)).headers["x-writingmate-route"] == "one/m1"
    assert breaker.state == "closed"
    assert await pair.metric('writingmate_resting_routes{provider="one"}') == before


async def test_where_every_route_rests_the_first_is_asked_all_the_same(pair: Pair) -> None:
    (operation,) = pair.made
    for key in (("one", "m1"), ("two", "m2")):
        operation.failover.breakers[key].rest(60, operation.failover.clock())
    answer = await pair.api.post(CHAT, json=HELLO)
    assert answer.headers["x-writingmate-route"] == "one/m1"
    assert operation.failover.breakers["one", "m1"].state == "closed"


async def test_a_storm_of_failures_stays_within_the_budget(pair: Pair) -> None:
    (operation,) = pair.made
    pair.one.script(Fault(status=500))
    pair.two.script(Fault(status=500))
    requests, began = 600, operation.failover.clock()
    gate = asyncio.Semaphore(50)

    async def post() -> int:
        async with gate:
            return (await pair.api.post(CHAT, json=HELLO)).status_code

    assert set(await asyncio.gather(*(post() for _ in range(requests)))) == {502}
    seconds = operation.failover.clock() - began
    assert sum(pair.calls) <= requests * (1 + SHARE) + MOST + seconds * PER_SECOND
    assert len(pair.entries()) == requests


async def test_a_route_that_cannot_express_the_request_is_passed_over(pair: Pair) -> None:
    asked = {"model": "pair/m", "prompt": "Reply with exactly: A", "best_of": 2}
    answer = await pair.api.post("/completions", json=asked)
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-writingmate-route"] == "two/m2"
    assert pair.calls == (0, 1)
    assert pair.entries()[0].provider == "two"


async def test_the_only_route_that_can_express_the_request_has_no_next(pair: Pair) -> None:
    asked = {"model": "pair/m", "prompt": "Reply with exactly: A", "suffix": "x"}
    pair.two.script(Fault(status=500))
    answer = await pair.api.post("/completions", json=asked)
    assert answer.status_code == 502
    assert pair.calls[0] == 0


async def test_of_several_calls_only_those_that_failed_are_made_again(pair: Pair) -> None:
    pair.one.script(Fault(), times=1)
    pair.one.script(Fault(status=500), times=1)
    prompts = ["Reply with exactly: ONE", "Reply with exactly: TWO"]
    answer = await pair.api.post("/completions", json={"model": "pair/m", "prompt": prompts})
    assert [choice["text"] for choice in answer.json()["choices"]] == ["ONE", "TWO"]
    asked = [call.document["messages"][0]["content"] for call in pair.one.calls]
    assert asked == [prompts[0], prompts[1], prompts[1]]
    assert pair.calls[1] == 0


async def test_the_next_route_is_asked_everything_anew(pair: Pair) -> None:
    pair.one.script(Fault(), times=1)
    pair.one.script(Fault(status=500))
    prompts = ["Reply with exactly: ONE", "Reply with exactly: TWO"]
    answer = await pair.api.post("/completions", json={"model": "pair/m", "prompt": prompts})
    assert sorted(choice["text"] for choice in answer.json()["choices"]) == ["ONE", "TWO"]
    assert [call.path for call in pair.two.calls] == ["/v1/completions"]
    assert [row.provider for row in pair.entries()] == ["two"]


async def test_a_client_that_leaves_during_the_pause_pays_nothing(pair: Pair) -> None:
    (operation,) = pair.made
    object.__setattr__(operation.failover, "chance", lambda: 1.0)
    pair.one.script(Fault(status=503, headers={"retry-after": "2"}))
    again = 'writingmate_upstream_attempts_total{outcome="again",provider="one"}'
    before = await pair.metric(again)
    headers = {"authorization": f"Bearer {pair.live.key}"}
    async with httpx2.AsyncClient(base_url=pair.live.api, headers=headers) as leaving:
        asking = asyncio.create_task(leaving.post(CHAT, json=HELLO))
        call = await pair.one.called(1)
        await asyncio.wait_for(call.over.wait(), 5)
        while await pair.metric(again) == before:
            assert not asking.done()
        asking.cancel()
    await settled(pair.live)
    assert pair.calls == (1, 0)
    (entry,) = pair.entries()
    assert (entry.messages, entry.flags) == (0, "cancelled failed")
