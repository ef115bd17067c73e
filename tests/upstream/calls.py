"""Calls to the fake, and what comes of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from tests.fakes.openai_upstream import FakeOpenAI
from writingmate.upstream.base import Call, Timeouts, Upstream

PROMPT = "Reply with exactly: one two three"
KEY = "sk-planted-0123456789"

# One limit is short, so that only what a test is about can run out on a busy machine.
CONNECT = Timeouts(connect=0.1)
FIRST = Timeouts(first=0.1)
IDLE = Timeouts(idle=0.1)


def chat(
    fake: FakeOpenAI,
    *,
    stream: bool = False,
    timeouts: Timeouts | None = None,
    model: str = "gpt-4.1",
    **members: Any,
) -> Call:
    document = {"model": model, "messages": [{"role": "user", "content": PROMPT}], "stream": stream}
    return post(
        fake.base_url + "/chat/completions",
        json.dumps(document | members).encode(),
        stream=stream,
        timeouts=timeouts,
    )


def post(url: str, body: bytes = b"{}", *, stream: bool = False, timeouts: Timeouts | None = None) -> Call:
    return Call(url, {"authorization": f"Bearer {KEY}"}, body, stream, timeouts or Timeouts())


async def body(client: Upstream, call: Call) -> bytes:
    async with client.open(call) as reply:
        return await reply.body()


async def frames(client: Upstream, call: Call) -> list[bytes]:
    got: list[bytes] = []
    await gather(client, call, got)
    return got


async def gather(client: Upstream, call: Call, got: list[bytes]) -> None:
    """Read a stream into ``got``, which keeps what came before an error."""
    async with client.open(call) as reply:
        async for batch in reply.frames():
            got += batch


async def until(is_so: Callable[[], bool]) -> None:
    """Let the loop run until something is so that nothing announces."""
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110  # there is no event for it
            await asyncio.sleep(0)
