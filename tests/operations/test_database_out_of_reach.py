"""What a caller sees while the database fails: nothing is let through, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
from sqlalchemy import text

from tests.fakes.openai_upstream import FakeOpenAI, Fault
from tests.live import Live
from tests.operations.test_generate import HELLO, STREAM, error_of, settled


@contextmanager
def without(gateway: Live, table: str) -> Iterator[None]:
    """Every statement on a table fails, as on a disk that does."""
    _rename(gateway, table, f"{table}_gone")
    try:
        yield
    finally:
        _rename(gateway, f"{table}_gone", table)


def _rename(gateway: Live, old: str, new: str) -> None:
    with gateway.database.transaction() as connection:
        connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))


async def test_no_request_begins_without_a_hold(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live
) -> None:
    with without(gateway, "holds"):
        answer = await api.post("/chat/completions", json=HELLO)
        assert answer.status_code == 503
        assert error_of(answer)["code"] == "unavailable"
        assert not fake.calls
    await _answers_again(api)


async def test_a_stream_that_cannot_be_settled_ends_in_an_error_and_is_settled_later(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live, entry: Callable[[], Any]
) -> None:
    fake.script(Fault(stall=2))
    async with api.stream("POST", "/chat/completions", json=STREAM) as answer:
        pieces = answer.aiter_text()
        heard = await anext(pieces)
        with without(gateway, "entries"):
            fake.release()
            async for piece in pieces:
                heard += piece
    assert "[DONE]" not in heard
    assert '"code":"unavailable"' in heard
    await settled(gateway)
    row = entry()
    assert (row.messages, row.completion_tokens, row.flags) == (1, 3, "")


async def _answers_again(api: httpx2.AsyncClient) -> None:
    """As soon as the writer tries again, which is within a second."""
    async with asyncio.timeout(10):
        while (await api.post("/chat/completions", json=HELLO)).status_code != 200:
            pass


async def test_an_answer_whose_settlement_is_late_is_there_once_that_is_written(
    api: httpx2.AsyncClient, fake: FakeOpenAI, gateway: Live
) -> None:
    once = {"idempotency-key": "late"}
    fake.script(Fault(stall=2))
    async with api.stream("POST", "/chat/completions", json=STREAM, headers=once) as answer:
        pieces = answer.aiter_text()
        heard = await anext(pieces)
        with without(gateway, "entries"):
            fake.release()
            async for piece in pieces:
                heard += piece
    assert '"code":"unavailable"' in heard
    await settled(gateway)
    again = await api.post("/chat/completions", json=STREAM, headers=once)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.text.endswith("data: [DONE]\n\n")
    assert len(fake.calls) == 1
