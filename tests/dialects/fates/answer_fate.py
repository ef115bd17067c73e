"""What becomes of a field of an answer, seen in what the client gets."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from tests.dialects.fates.answers import Answers
from tests.dialects.fates.fate import WITHOUT, begin, changed, places
from tests.dialects.fates.pairs import Client, Provider
from tests.dialects.fates.published import ABSENT, Row
from writingmate.dialects.exchange import Exchange
from writingmate.errors import UnsupportedParameter, UpstreamBroken
from writingmate.wire import sse
from writingmate.wire.sse import Splitter

BROKEN = "an answer that is broken"
NEEDED = "needed: without it the answer is broken"


def answer_fate(client: Client, provider: Provider, answers: Answers, row: Row) -> str:
    """What becomes of the field: as of a request's, or ``BROKEN``."""
    try:
        got = _got(client, provider, answers, row.value)
    except UpstreamBroken:
        return BROKEN
    before = _without(client, provider, answers, row)
    if before is None:
        return NEEDED
    if answers.streamed and row.value in got and row.other is ABSENT:
        return "carried"
    change = changed(before, got)
    if not change:
        return WITHOUT
    if change == changed(*_sent(answers, row)):
        return "carried"
    return f"becomes {places(change)}"


def _sent(answers: Answers, row: Row) -> tuple[Any, Any]:
    """The provider's answers, without and with the field, as they are compared."""
    return _read(answers.body(row.other), answers), _read(answers.body(row.value), answers)


def _without(client: Client, provider: Provider, answers: Answers, row: Row) -> Any:
    try:
        return _got(client, provider, answers, row.other)
    except UpstreamBroken:
        return None


def _got(client: Client, provider: Provider, answers: Answers, example: Any) -> Any:
    """What the client is answered with, as members. Raises UpstreamBroken."""
    asked = {**client.base, **(client.streaming if answers.streamed else {})}
    try:
        exchange = begin(client, provider, {**asked, **client.asking})
    except UnsupportedParameter:
        exchange = begin(client, provider, asked)
    body = answers.body(example)
    if answers.streamed:
        return _read(_streamed(exchange, body, done=provider.done), answers)
    return json.loads(exchange.reply([body]))


def _streamed(exchange: Exchange, body: bytes, *, done: bool) -> bytes:
    (leg,) = exchange.legs
    frames = [*Splitter().feed(body), *[sse.DONE] * done]
    out = [exchange.feed(leg, [frame]) for frame in frames]
    return b"".join([*out, exchange.end(leg), exchange.closing()])


def _read(body: bytes, answers: Answers) -> Any:
    if not answers.streamed:
        return msgspec.json.decode(body)
    found = [sse.data(frame) for frame in Splitter().feed(body)]
    return [json.loads(data) for data in found if data.startswith(b"{")]
