"""A silent route gets company: who serves, what the books say, what becomes of the other call."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx2
import pytest

from tests.fakes.openai_upstream import Fault
from tests.operations.pair import CHAT, HELLO, STREAM, Pair
from tests.operations.test_generate import settled
from writingmate.settings import TimeoutSection

BOTH = pytest.mark.parametrize("asked", [HELLO, STREAM], ids=["whole", "stream"])
SLOW = Fault(delay=0.6)
SLOWER = Fault(delay=1.2)


@pytest.fixture
def patience() -> TimeoutSection:
    """Two tenths of a second of silence, and the next route is asked too."""
    return TimeoutSection(connect=1.0, first=10.0, idle=10.0, deadline=20.0, tries=1, hedge=0.2)


def assert_one_entry(pair: Pair, answer: httpx2.Response, route: str) -> None:
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-writingmate-route"] == route
    (entry,) = pair.entries()
    assert (f"{entry.provider}/{entry.upstream_model}", entry.messages, entry.flags) == (route, 1, "")


@BOTH
async def test_the_next_route_serves_while_the_first_is_silent(pair: Pair, asked: dict[str, Any]) -> None:
    pair.one.script(Fault(silent=True))
    hedged = 'writingmate_upstream_attempts_total{outcome="hedged",provider="one"}'
    before = await pair.metric(hedged)
    assert_one_entry(pair, await pair.api.post(CHAT, json=asked), "two/m2")
    assert pair.calls == (1, 1)
    await asyncio.wait_for(pair.one.calls[0].over.wait(), 5)
    assert pair.one.calls[0].hung_up
    assert await pair.metric(hedged) == before + 1
    assert pair.made[0].failover.breakers["one", "m1"].closed


@BOTH
async def test_a_route_that_answers_in_time_is_asked_alone(pair: Pair, asked: dict[str, Any]) -> None:
    assert_one_entry(pair, await pair.api.post(CHAT, json=asked), "one/m1")
    assert pair.calls == (1, 0)


@BOTH
async def test_the_first_may_still_be_the_first(pair: Pair, asked: dict[str, Any]) -> None:
    pair.one.script(SLOW)
    pair.two.script(Fault(silent=True))
    assert_one_entry(pair, await pair.api.post(CHAT, json=asked), "one/m1")
    assert pair.calls == (1, 1)
    await asyncio.wait_for(pair.two.calls[0].over.wait(), 5)
    assert pair.two.calls[0].hung_up


@BOTH
async def test_one_that_fails_does_not_end_the_other(pair: Pair, asked: dict[str, Any]) -> None:
    pair.one.script(SLOW)
    pair.two.script(Fault(status=401))
    assert_one_entry(pair, await pair.api.post(CHAT, json=asked), "one/m1")
    assert pair.calls == (1, 1)
    breakers = pair.made[0].failover.breakers
    assert (breakers["one", "m1"].closed, breakers["two", "m2"].closed) == (True, False)


async def test_the_second_goes_on_where_the_first_fails(pair: Pair) -> None:
    pair.one.script(Fault(status=500, delay=0.4))
    pair.two.script(SLOWER)
    assert_one_entry(pair, await pair.api.post(CHAT, json=HELLO), "two/m2")
    assert pair.calls == (1, 1)


@BOTH
async def test_where_both_fail_nothing_is_charged(pair: Pair, asked: dict[str, Any]) -> None:
    pair.one.script(Fault(status=500, delay=0.4))
    pair.two.script(Fault(status=503))
    answer = await pair.api.post(CHAT, json=asked)
    assert answer.status_code == 502
    (entry,) = pair.entries()
    assert (entry.messages, entry.flags) == (0, "failed")
    assert pair.calls == (1, 1)


async def test_a_silent_route_is_asked_alone_where_no_call_is_left_to_spend(pair: Pair) -> None:
    pair.made[0].failover.budget.tokens = -10.0
    pair.one.script(SLOW)
    assert_one_entry(pair, await pair.api.post(CHAT, json=HELLO), "one/m1")
    assert pair.calls == (1, 0)


async def test_a_client_that_leaves_cuts_both_calls_off(pair: Pair) -> None:
    pair.one.script(Fault(silent=True))
    pair.two.script(Fault(silent=True))
    headers = {"authorization": f"Bearer {pair.live.key}"}
    async with httpx2.AsyncClient(base_url=pair.live.api, headers=headers) as leaving:
        asking = asyncio.create_task(leaving.post(CHAT, json=HELLO))
        calls = [await pair.one.called(1), await pair.two.called(1)]
        asking.cancel()
    await settled(pair.live)
    for call in calls:
        await asyncio.wait_for(call.over.wait(), 5)
        assert call.hung_up
    (entry,) = pair.entries()
    assert "cancelled" in entry.flags


async def test_several_calls_are_made_one_after_the_other(pair: Pair) -> None:
    pair.one.script(SLOW)
    prompts = ["Reply with exactly: ONE", "Reply with exactly: TWO"]
    answer = await pair.api.post("/completions", json={"model": "pair/m", "prompt": prompts})
    assert sorted(choice["text"] for choice in answer.json()["choices"]) == ["ONE", "TWO"]
    assert pair.calls == (2, 0)
