"""What Anthropic's clients are told when something is wrong, in their own dialect, and what it costs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anthropic
import httpx2
import pytest
from anthropic import AsyncAnthropic
from sqlalchemy import select

from tests.fakes.openai_upstream import FakeOpenAI
from tests.live import Live, serving, settings_for
from tests.operations.limited import limited
from writingmate.settings import ModelSection, ProviderSection
from writingmate.storage import tables

HELLO: list[Any] = [{"role": "user", "content": "Reply with exactly: A B C"}]
ASKED: dict[str, Any] = {"model": "fake/m", "max_tokens": 50, "messages": HELLO}


@pytest.fixture
async def fake() -> AsyncIterator[FakeOpenAI]:
    async with FakeOpenAI(key="k" * 20) as running:
        yield running


@pytest.fixture
def gateway(fake: FakeOpenAI, tmp_path: Path) -> Iterator[Live]:
    settings = settings_for(
        tmp_path,
        max_body_bytes=4000,
        providers={"fake": ProviderSection(base_url=fake.base_url, models=("m",), api_key="k" * 20)},
        models={"fake/m": ModelSection(context_length=10_000, max_output_tokens=1_000)},
    )
    with serving(settings) as live:
        yield live


Sdk = Callable[..., AsyncAnthropic]


@pytest.fixture
async def sdk() -> AsyncIterator[Sdk]:
    """Makes clients of a gateway, with its key or another, and closes them."""
    async with AsyncExitStack() as stack:

        def made(live: Live, key: str | None = None) -> AsyncAnthropic:
            address = f"{live.url}/api/anthropic"
            client = AsyncAnthropic(base_url=address, api_key=key or live.key, max_retries=0)
            stack.push_async_callback(client.close)
            return client

        yield made


def kind(error: anthropic.APIStatusError) -> str:
    body: Any = error.body
    assert set(body) == {"type", "error", "request_id"}
    assert body["request_id"] == error.request_id
    return str(body["error"]["type"])


async def test_a_key_that_is_none(gateway: Live, sdk: Sdk) -> None:
    for key in ("sk-ant-api03-x", "wm_v2.a.b.c"):
        with pytest.raises(anthropic.AuthenticationError) as caught:
            await sdk(gateway, key).messages.create(**ASKED)
        assert kind(caught.value) == "authentication_error"
        assert key not in str(caught.value)
    async with httpx2.AsyncClient() as http:
        for path in ("/v1/messages", "/v1/messages/count_tokens"):
            answer = await http.post(f"{gateway.url}/api/anthropic{path}", json=ASKED)
            assert (answer.status_code, answer.json()["error"]["type"]) == (401, "authentication_error")


async def test_a_model_that_is_none(gateway: Live, sdk: Sdk) -> None:
    client = sdk(gateway)
    for model in ("claude-haiku-4-5", "x"):
        with pytest.raises(anthropic.NotFoundError) as caught:
            await client.messages.create(**{**ASKED, "model": model})
        assert kind(caught.value) == "not_found_error"
        assert model in str(caught.value)
        with pytest.raises(anthropic.NotFoundError):
            await client.messages.count_tokens(model=model, messages=HELLO)
        with pytest.raises(anthropic.NotFoundError):
            await client.models.retrieve(model)


async def test_what_is_missing_or_wrong_is_named(gateway: Live, fake: FakeOpenAI, sdk: Sdk) -> None:
    client = sdk(gateway)
    for fields, word in (
        ({"max_tokens": None}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"mcp_servers": [{"type": "url"}]}, "mcp_servers"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0].type"),
    ):
        with pytest.raises(anthropic.BadRequestError) as caught:
            await client.messages.create(**ASKED, extra_body=fields)
        assert kind(caught.value) == "invalid_request_error"
        assert word in str(caught.value)
    assert not fake.calls


async def test_other_ways_to_be_wrong(gateway: Live) -> None:
    headers = {"x-api-key": gateway.key}
    async with httpx2.AsyncClient(base_url=f"{gateway.url}/api/anthropic", headers=headers) as http:
        sent = [
            await http.get("/v1/nowhere"),
            await http.get("/v1/messages"),
            await http.post("/v1/messages", content=b"{", headers={"content-type": "application/json"}),
            await http.post("/v1/messages", content=b"a=b", headers={"content-type": "text/html"}),
            await http.post("/v1/messages", json={**ASKED, "system": "x" * 4000}),
            await http.post("/v1/messages", json=ASKED, headers={"x-writingmate-workspace": "nobodys"}),
            await http.post("/v1/messages", json=ASKED, headers=[(b"anthropic-beta", b"a\xe9")]),
            await http.get("/v1/models?limit=0"),
            await http.get("/v1/models?after_id=nobody"),
        ]
    told = [(answer.status_code, answer.json()["error"]["type"]) for answer in sent]
    assert told == [
        (404, "not_found_error"),
        (405, "invalid_request_error"),
        (400, "invalid_request_error"),
        (415, "invalid_request_error"),
        (413, "request_too_large"),
        (403, "permission_error"),
        (400, "invalid_request_error"),
        (400, "invalid_request_error"),
        (400, "invalid_request_error"),
    ]
    for answer in sent:
        assert answer.headers["request-id"] == answer.headers["x-request-id"] == answer.json()["request_id"]


async def test_probes_need_no_key(gateway: Live) -> None:
    async with httpx2.AsyncClient() as http:
        for path in ("/api/anthropic", "/api/anthropic/", "/api/anthropic/api/hello"):
            assert (await http.head(f"{gateway.url}{path}")).status_code == 200


async def test_a_page_of_another_origin_may_ask(gateway: Live) -> None:
    async with httpx2.AsyncClient() as http:
        asked = {"origin": "https://page.example", "access-control-request-method": "POST",
                 "access-control-request-headers": "x-api-key, anthropic-version"}  # fmt: skip
        answer = await http.options(f"{gateway.url}/api/anthropic/v1/messages", headers=asked)
        assert answer.headers["access-control-allow-headers"] == "x-api-key, anthropic-version"
        answer = await http.get(f"{gateway.url}/api/anthropic/v1/models", headers={"origin": "https://x"})
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "request-id" in answer.headers["access-control-expose-headers"]


async def test_limits(fake: FakeOpenAI, tmp_path: Path, sdk: Sdk) -> None:
    with limited(tmp_path, fake.base_url, plan="tight") as live:
        client = sdk(live)
        for _ in range(3):
            await client.messages.create(**ASKED)
        counted = await client.messages.count_tokens(model="fake/m", messages=HELLO)
        assert counted.input_tokens > 0
        with pytest.raises(anthropic.RateLimitError) as caught:
            await client.messages.create(**ASKED)
        assert kind(caught.value) == "rate_limit_error"
        assert int(caught.value.response.headers["retry-after"]) > 0
        assert caught.value.response.headers["x-should-retry"] == "false"


async def test_too_many_a_minute(fake: FakeOpenAI, tmp_path: Path, sdk: Sdk) -> None:
    with limited(tmp_path, fake.base_url, plan="slow") as live:
        client = sdk(live)
        for _ in range(2):
            await client.messages.create(**ASKED)
        with pytest.raises(anthropic.RateLimitError) as caught:
            await client.messages.create(**ASKED)
        assert caught.value.response.headers["x-ratelimit-limit-requests"] == "2"


async def test_an_answer_is_held_down_to_what_is_left(fake: FakeOpenAI, tmp_path: Path, sdk: Sdk) -> None:
    with limited(tmp_path, fake.base_url, plan="tight") as live:
        answered = await sdk(live).messages.with_raw_response.create(
            **{**ASKED, "max_tokens": 90_000}, timeout=30
        )
        most = int(answered.headers["x-writingmate-max-tokens-clamped"])
        assert 40_000 < most < 48_000
        assert fake.calls[0].document["max_completion_tokens"] == most


async def test_a_key_may_have_few_models(gateway: Live, sdk: Sdk) -> None:
    key = gateway.mint(allowed_models=("fake/other",))
    with pytest.raises(anthropic.PermissionDeniedError) as caught:
        await sdk(gateway, key).messages.count_tokens(model="fake/m", messages=HELLO)
    assert kind(caught.value) == "permission_error"


async def test_what_is_sent_again_with_its_key_is_charged_once(
    gateway: Live, fake: FakeOpenAI, sdk: Sdk
) -> None:
    client = sdk(gateway)
    headers = {"idempotency-key": "once"}
    first, again = [
        await client.messages.with_raw_response.create(**ASKED, extra_headers=headers) for _ in range(2)
    ]
    assert again.headers["idempotent-replayed"] == "true"
    assert await first.text() == await again.text()
    with pytest.raises(anthropic.ConflictError) as caught:
        await client.messages.create(**{**ASKED, "max_tokens": 51}, extra_headers=headers)
    assert kind(caught.value) == "invalid_request_error"
    streams = [
        await client.messages.with_raw_response.create(
            **ASKED, stream=True, extra_headers={"idempotency-key": "twice"}
        )
        for _ in range(2)
    ]
    one, other = [await stream.text() for stream in streams]
    assert one.endswith('data: {"type":"message_stop"}\n\n')
    assert one == other
    assert len(fake.calls) == 2
    with gateway.database.reading() as connection:
        assert len(connection.execute(select(tables.entries)).all()) == 2
