"""From a request to its entry in the ledger: each row of docs/failures.md, and what is sent on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from tests.fakes.openai_upstream import HTML_502, FakeOpenAI, Fault
from tests.live import Live
from tests.operations.conftest import SECRET
from writingmate.identity import store
from writingmate.storage import tables

Entry = Callable[[], Any]
HELLO: dict[str, Any] = {
    "model": "fake/m",
    "messages": [{"role": "user", "content": "Reply with exactly: A B C"}],
}
STREAM = {**HELLO, "stream": True}
ODDLY_WRITTEN = b"""{"id":"chatcmpl-1","object":"chat.completion" , "created":1, "vendor_extra": [1, 2],
 "model":"m-2026","choices":[{"index":0,"logprobs":null,"finish_reason":"stop",
 "message":{"role":"assistant","content":"h\\u00e9","refusal":null}}],
 "usage":{"prompt_tokens":19000,"completion_tokens":3000,"total_tokens":22000,
 "prompt_tokens_details":{"cached_tokens":4000}}}"""


def error_of(answer: httpx2.Response) -> dict[str, Any]:
    error: dict[str, Any] = answer.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert SECRET not in answer.text
    return error


async def test_whole_answer_is_the_providers_own_bytes_and_says_what_it_cost(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live, entry: Entry
) -> None:
    body = ODDLY_WRITTEN
    fake.script(Fault(body=body, content_type="application/json"))
    answer = await api.post("/chat/completions", json=HELLO)
    assert answer.status_code == 200
    assert answer.content == body
    assert answer.headers["x-writingmate-counted-messages"] == "2"
    assert answer.headers["x-writingmate-route"] == "fake/m"
    assert "x-writingmate-remaining-messages" not in answer.headers
    row = entry()
    assert (row.prompt_tokens, row.completion_tokens, row.cached_tokens, row.messages) == (
        19000,
        3000,
        4000,
        2,
    )
    assert (row.request_id, row.key_id, row.flags) == (answer.headers["x-request-id"], gateway.key_id, "")


async def test_only_the_model_is_changed_on_the_way_to_the_provider(
    api: httpx2.AsyncClient, fake: FakeOpenAI
) -> None:
    messages = b'[{"role":"user", "content":"h\\u00e9llo"}]'
    sent = b'{ "model" : "fake\\/m", "messages":%b, "x_extension": {"a":  1e2} }' % messages
    answer = await api.post("/chat/completions", content=sent, headers={"content-type": "application/json"})
    (call,) = fake.calls
    assert call.body == b'{"model":"m","messages":%b,"x_extension":{"a":  1e2}}' % messages
    assert call.headers["authorization"] == f"Bearer {SECRET}"
    assert call.headers["x-client-request-id"] == answer.headers["x-request-id"]


async def test_stream_ends_with_its_count_and_leaves_out_the_usage_nobody_asked_for(
    api: httpx2.AsyncClient, fake: FakeOpenAI, entry: Entry
) -> None:
    answer = await api.post("/chat/completions", json=STREAM)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert '"choices":[]' not in answer.text
    identity = answer.headers["x-request-id"]
    assert answer.text.endswith(f": writingmate counted_messages=1 request_id={identity}\n\ndata: [DONE]\n\n")
    assert fake.calls[0].document["stream_options"] == {"include_usage": True}
    row = entry()
    assert fake.calls[0].usage is not None
    assert row.completion_tokens == fake.calls[0].usage["completion_tokens"]
    assert row.upstream_request_id == fake.calls[0].request_id
    assert row.flags == ""


async def test_stream_keeps_the_usage_that_was_asked_for(api: httpx2.AsyncClient) -> None:
    answer = await api.post("/chat/completions", json={**STREAM, "stream_options": {"include_usage": True}})
    frames = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    assert json.loads(frames[-2])["choices"] == []
    assert json.loads(frames[-2])["usage"]["completion_tokens"] == 3


async def test_completions_reach_a_provider_that_only_chats(
    api: httpx2.AsyncClient, fake: FakeOpenAI
) -> None:
    asked = {
        "model": "chatty/m",
        "prompt": ["Reply with exactly: ONE", "Reply with exactly: TWO"],
        "echo": True,
    }
    answer = (await api.post("/completions", json=asked)).json()
    assert [choice["text"] for choice in answer["choices"]] == [
        "Reply with exactly: ONEONE",
        "Reply with exactly: TWOTWO",
    ]
    assert answer["model"] == "chatty/m"
    assert [call.path for call in fake.calls] == ["/v1/chat/completions"] * 2


@pytest.mark.parametrize("asked", [HELLO, STREAM], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (Fault(status=500), 502, "upstream_error"),
        (HTML_502, 502, "upstream_error"),
        (Fault(status=401), 502, "upstream_error"),
        (Fault(status=403), 502, "upstream_error"),
        (Fault(status=402), 502, "upstream_error"),
        (Fault(silent=True), 504, "upstream_error"),
        (Fault(cut=0), 502, "upstream_error"),
        (Fault(cut=40), 502, "upstream_error"),
        (
            Fault(body=b'{"error":{"message":"in a 200"}}', content_type="application/json"),
            502,
            "upstream_error",
        ),
    ],
    ids=["500", "html", "401", "403", "402", "silent", "cut", "cut-head", "error-in-200"],
)
async def test_provider_that_fails_before_its_first_byte_costs_nothing(
    api: httpx2.AsyncClient,
    fake: FakeOpenAI,
    entry: Entry,
    asked: dict[str, Any],
    fault: Fault,
    status: int,
    code: str,
) -> None:
    fake.script(fault)
    answer = await api.post("/chat/completions", json=asked)
    assert answer.status_code == status
    assert error_of(answer)["code"] == code
    row = entry()
    assert (row.messages, row.flags, row.prompt_tokens) == (0, "failed", 0)


async def test_whole_answer_that_is_not_json_costs_nothing(
    api: httpx2.AsyncClient, fake: FakeOpenAI, entry: Entry
) -> None:
    fake.script(Fault(malformed=True))
    answer = await api.post("/chat/completions", json=HELLO)
    assert answer.status_code == 502
    assert error_of(answer)["code"] == "upstream_error"
    assert (entry().messages, entry().flags) == (0, "failed")


@pytest.mark.parametrize("status", [400, 404, 409, 413, 415, 422, 429])
async def test_callers_own_mistake_keeps_the_providers_status_and_cleaned_words(
    api: httpx2.AsyncClient, fake: FakeOpenAI, entry: Entry, status: int
) -> None:
    words = {
        "error": {"message": f"no: {SECRET} at https://api.vendor.example/v1?key=x", "code": 17, "param": "n"}
    }
    fake.script(Fault(status=status, body=json.dumps(words).encode(), headers={"retry-after": "7"}))
    answer = await api.post("/chat/completions", json=HELLO)
    assert answer.status_code == status
    error = error_of(answer)
    assert (error["code"], error["param"]) == ("17", "n")
    assert "vendor.example" not in answer.text
    assert answer.headers["retry-after"] == "7"
    assert error["type"] == ("rate_limit_error" if status == 429 else "invalid_request_error")
    assert entry().messages == 0


@pytest.mark.parametrize(
    "fault", [Fault(cut=700), Fault(error_after=2), Fault(stall=2)], ids=["cut", "error", "stall"]
)
async def test_provider_that_dies_in_a_stream_is_charged_for_what_came(
    api: httpx2.AsyncClient, fake: FakeOpenAI, entry: Entry, fault: Fault
) -> None:
    fake.script(fault)
    answer = await api.post("/chat/completions", json=STREAM)
    assert answer.status_code == 200
    assert "[DONE]" not in answer.text
    last = [line for line in answer.text.splitlines() if line.startswith("data: ")][-1]
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == "upstream_error"
    row = entry()
    assert row.messages == 1
    assert row.flags.split() == ["broken", "estimated"]
    assert row.prompt_tokens > 0


async def test_provider_without_usage_is_counted_by_ourselves(
    api: httpx2.AsyncClient, fake: FakeOpenAI, entry: Entry
) -> None:
    fake.script(Fault(usage=False))
    await api.post("/chat/completions", json=STREAM)
    row = entry()
    assert (row.flags, row.messages) == ("estimated", 1)
    assert row.completion_tokens == 3
    assert row.prompt_tokens > 3


async def test_client_that_leaves_mid_stream_ends_the_call_and_pays_for_what_came(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live, entry: Entry
) -> None:
    fake.script(Fault(stall=3))
    async with api.stream("POST", "/chat/completions", json=STREAM) as answer:
        await anext(answer.aiter_bytes())
    call = await fake.called(1)
    await asyncio.wait_for(call.over.wait(), 5)
    assert call.hung_up
    await settled(gateway)
    row = entry()
    assert row.flags.split() == ["cancelled", "estimated"]
    assert row.messages == 1
    assert row.prompt_tokens > 0


async def test_client_that_leaves_before_the_answer_pays_for_the_prompt(
    gateway: Live, fake: FakeOpenAI, entry: Entry
) -> None:
    fake.script(Fault(silent=True))
    headers = {"authorization": f"Bearer {gateway.key}"}
    async with httpx2.AsyncClient(base_url=gateway.api, headers=headers) as leaving:
        asking = asyncio.create_task(leaving.post("/chat/completions", json=HELLO))
        call = await fake.called(1)
        asking.cancel()
    await asyncio.wait_for(call.over.wait(), 5)
    await settled(gateway)
    row = entry()
    assert row.flags.split() == ["cancelled", "estimated"]
    assert (row.messages, row.completion_tokens) == (1, 0)
    assert row.prompt_tokens > 0


async def test_revoked_key_is_refused_at_once_though_it_was_just_used(
    api: httpx2.AsyncClient, gateway: Live
) -> None:
    assert (await api.post("/chat/completions", json=HELLO)).status_code == 200
    with gateway.database.transaction() as connection:
        assert store.revoke_key(connection, gateway.key_id, now=1.0)  # as the command line does
    for path, body in (("/chat/completions", HELLO), ("/completions", {"model": "fake/m", "prompt": "x"})):
        answer = await api.post(path, json=body)
        assert answer.status_code == 401
        assert error_of(answer)["code"] == "invalid_api_key"
    assert (await api.get("/models")).status_code == 401


async def test_daily_cap_of_a_key_is_never_passed(gateway: Live, fake: FakeOpenAI) -> None:
    key = gateway.mint(daily_cap=3)
    asked = {**HELLO, "max_tokens": 10}
    async with httpx2.AsyncClient(
        base_url=gateway.api, headers={"authorization": f"Bearer {key}"}, timeout=20
    ) as api:
        answers = await asyncio.gather(*(api.post("/chat/completions", json=asked) for _ in range(40)))
    statuses = [answer.status_code for answer in answers]
    assert statuses.count(200) == 3
    assert statuses.count(429) == 37
    assert len(fake.calls) == 3
    refused = next(answer for answer in answers if answer.status_code == 429)
    error = error_of(refused)
    assert (error["type"], error["code"]) == ("insufficient_quota", "daily_limit_reached")
    assert refused.headers["x-should-retry"] == "false"
    assert 0 < int(refused.headers["retry-after"]) <= 86_400
    rest = sorted(
        int(answer.headers["x-writingmate-remaining-messages"])
        for answer in answers
        if answer.status_code == 200
    )
    assert rest[0] == 0


async def test_unknown_model_is_not_found(api: httpx2.AsyncClient, fake: FakeOpenAI) -> None:
    answer = await api.post("/chat/completions", json={**HELLO, "model": "fake/none"})
    assert answer.status_code == 404
    assert error_of(answer)["code"] == "model_not_found"
    assert not fake.calls


async def settled(gateway: Live) -> None:
    """Wait until the gateway has nothing under way."""
    assert await asyncio.to_thread(_settled, gateway)


def _settled(gateway: Live) -> bool:
    for _ in range(1000):
        with gateway.database.reading() as connection:
            if not connection.execute(select(tables.holds)).all():
                return True
    return False
