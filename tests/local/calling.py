"""Asking an embedded model as the gateway does."""

from __future__ import annotations

from typing import Any

import msgspec

from writingmate.local.upstream import LocalUpstream
from writingmate.upstream.base import Call
from writingmate.wire import sse

HELLO = [{"role": "user", "content": "Say hello."}]


def call(**fields: Any) -> Call:
    """A call of the light model."""
    body = {"model": "smollm2-135m", "messages": HELLO, "max_tokens": 8, **fields}
    return Call("http://local/v1/chat/completions", {}, msgspec.json.encode(body), bool(fields.get("stream")))


async def whole(local: LocalUpstream, **fields: Any) -> dict[str, Any]:
    """A whole answer."""
    async with local.open(call(**fields)) as reply:
        body: dict[str, Any] = msgspec.json.decode(await reply.body())
    return body


async def streamed(local: LocalUpstream, **fields: Any) -> list[dict[str, Any]]:
    """The chunks of a stream, whose end is checked here."""
    async with local.open(call(stream=True, **fields)) as reply:
        events = [event async for events in reply.frames() for event in events]
    assert events.pop() == sse.DONE
    return [msgspec.json.decode(sse.data(event)) for event in events]
