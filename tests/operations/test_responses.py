"""Responses from a request to the ledger: what is held, charged, repeated and estimated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from tests.fakes.openai_upstream import FakeOpenAI, Fault
from tests.live import Live
from writingmate.storage import tables
from writingmate.wire import sse

Entry = Callable[[], Any]
HELLO: dict[str, Any] = {"model": "fake/m", "input": "Reply with exactly: A B C"}
STREAM = {**HELLO, "stream": True}
IMAGE = {"type": "input_image", "image_url": "https://pictures.example/a.png"}


def names(answer: httpx2.Response) -> list[bytes]:
    return [sse.name(frame) for frame in sse.Splitter().feed(answer.content)]


async def test_a_response_is_charged_as_what_it_is(
    api: httpx2.AsyncClient, fake: FakeOpenAI, entry: Entry
) -> None:
    answer = await api.post("/responses", json=HELLO)
    assert answer.status_code == 200
    assert answer.headers["x-writingmate-counted-messages"] == "1"
    usage, row = answer.json()["usage"], entry()
    assert row.endpoint == "responses"
    assert (row.prompt_tokens, row.completion_tokens) == (usage["input_tokens"], usage["output_tokens"])
    assert row.flags == ""
    (call,) = fake.calls
    assert call.path == "/v1/chat/completions"
    assert call.document == {
        "model": "m",
        "messages": [{"role": "user", "content": "Reply with exactly: A B C"}],
    }


async def test_a_stream_says_its_count_before_its_last_event(api: httpx2.AsyncClient, entry: Entry) -> None:
    answer = await api.post("/responses", json=STREAM)
    *_, count, last, done = sse.Splitter().feed(answer.content)
    identity = answer.headers["x-request-id"]
    assert count == f": writingmate counted_messages=1 request_id={identity}\n\n".encode()
    assert sse.name(last) == b"response.completed"
    assert done == sse.DONE
    assert entry().completion_tokens == 3


async def test_a_stream_that_breaks_ends_with_an_error_and_is_charged(
    api: httpx2.AsyncClient, fake: FakeOpenAI, entry: Entry
) -> None:
    fake.script(Fault(error_after=2))
    answer = await api.post("/responses", json=STREAM)
    assert names(answer)[-4:] == [b"", b"error", b"response.failed", b""]
    assert set(entry().flags.split()) == {"broken", "estimated"}


async def test_a_response_is_given_again_for_its_idempotency_key(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live
) -> None:
    for asked in (HELLO, STREAM):
        headers = {"idempotency-key": f"once-{len(asked)}"}
        first = await api.post("/responses", json=asked, headers=headers)
        again = await api.post("/responses", json=asked, headers=headers)
        assert again.content == first.content
        assert again.headers["idempotent-replayed"] == "true"
    other = await api.post(
        "/chat/completions",
        json={"model": "fake/m", "messages": [{"role": "user", "content": "x"}]},
        headers={"idempotency-key": f"once-{len(HELLO)}"},
    )
    assert other.json()["error"]["code"] == "idempotency_key_reused"
    assert len(fake.calls) == 2
    with gateway.database.reading() as connection:
        assert len(connection.execute(select(tables.entries)).all()) == 2


@pytest.mark.parametrize(
    ("responses", "chat"),
    [
        (
            {"input": [{"role": "user", "content": [IMAGE]}]},
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image_url", "image_url": {"url": IMAGE["image_url"]}}],
                    }
                ]
            },
        ),
        (
            {"input": "hi", "instructions": "Be kind.", "max_output_tokens": 7},
            {
                "messages": [
                    {"role": "system", "content": "Be kind."},
                    {"role": "user", "content": "hi"},
                ],
                "max_completion_tokens": 7,
            },
        ),
        (
            {"input": "hi", "tools": [{"type": "function", "name": "f", "parameters": {}}]},
            {
                "messages": [{"role": "user", "content": "hi"}],
                "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
            },
        ),
    ],
)
async def test_it_is_estimated_as_the_chat_that_it_becomes(
    api: httpx2.AsyncClient, fake: FakeOpenAI, responses: dict[str, Any], chat: dict[str, Any]
) -> None:
    one = await api.post("/estimate/responses", json={"model": "fake/m", **responses})
    other = await api.post("/estimate/chat/completions", json={"model": "fake/m", **chat})
    assert one.status_code == other.status_code == 200
    estimate, expected = one.json(), other.json()
    assert estimate.pop("endpoint") == "responses"
    assert expected.pop("endpoint") == "chat.completions"
    assert estimate == expected
    assert not fake.calls


async def test_what_cannot_be_done_is_refused_before_anything_is_held(
    api: httpx2.AsyncClient, fake: FakeOpenAI
) -> None:
    for path in ("/responses", "/estimate/responses"):
        answer = await api.post(path, json={**HELLO, "tools": [{"type": "web_search"}]})
        assert answer.status_code == 400
        error = answer.json()["error"]
        assert (error["code"], error["param"]) == ("unsupported_parameter", "tools[0].type")
    assert not fake.calls


async def test_the_models_list_says_that_responses_work(api: httpx2.AsyncClient) -> None:
    listed = (await api.get("/models")).json()["data"]
    assert all("responses" in model["endpoints"] for model in listed)
