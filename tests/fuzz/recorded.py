"""Targets: recorded answers, changed. What comes of them can be read, or is an error that was meant."""

from __future__ import annotations

import json
import random
from contextlib import suppress
from functools import partial

from hypothesis import strategies as st

from tests.dialects import hearing
from tests.dialects.recordings import Recording
from tests.fuzz import judges, mutations
from tests.fuzz.pairs import PAIRS, Pair
from tests.fuzz.target import SEEDS, Target
from writingmate.dialects import attachments, demand
from writingmate.dialects.exchange import GRAMMARS, Exchange, readable
from writingmate.errors import BadGateway, InvalidRequest, UpstreamBroken
from writingmate.metering.prompts.careful import careful
from writingmate.wire import document
from writingmate.wire.sse import Splitter

Drawn = tuple[Recording, int]


def whole(pair: Pair, drawn: Drawn) -> None:
    """An answer in one piece."""
    case, chance = drawn[0], random.Random(drawn[1])
    exchange = case.begin()
    try:
        answer = exchange.reply([mutations.body(reply, chance) for reply in case.replies])
    except UpstreamBroken:
        return
    finally:
        observed(exchange)
    if pair.translated:
        judges.judge_body(pair.dialect, answer)
        hearing.whole(pair.dialect, answer)


def streamed(pair: Pair, drawn: Drawn) -> None:
    """A stream."""
    case, chance = drawn[0], random.Random(drawn[1])
    exchange = case.begin()
    out = bytearray()
    try:
        for leg, reply in zip(exchange.legs, case.replies, strict=True):
            out += exchange.feed(leg, Splitter().feed(mutations.stream(reply, chance)))
            out += exchange.end(leg)
        out += exchange.closing()
    except UpstreamBroken:
        out += exchange.failure(BadGateway("The provider failed."))
    finally:
        observed(exchange)
    if pair.translated:
        judges.judge_stream(pair.dialect, bytes(out))
        assert hearing.streamed(pair.dialect, bytes(out)).ended


def asked(pair: Pair, drawn: Drawn) -> None:
    """A request: it is understood, or refused."""
    case, chance = drawn[0], random.Random(drawn[1])
    body = mutations.body((case.folder / "client.json").read_bytes(), chance)
    with suppress(InvalidRequest):
        request = document.parse(body)
        GRAMMARS[pair.dialect].check(request)
        read = readable(pair.dialect, request)
        model = chance.choice(pair.models)
        exchange = Exchange.begin(
            pair.dialect,
            request,
            pair.spoken,
            model=model,
            slug="a/b",
            request_id="r",
            max_tokens=chance.choice((None, 9)),
        )
        observed(exchange)
        assert attachments.cheap(read, len(body)) >= 0
        assert demand.output(read, 100) >= 0
        careful(read, dialect=pair.dialect, slug="a/b", window=None)
        for leg in exchange.legs:
            json.loads(leg.body)


def observed(exchange: Exchange) -> None:
    """What is charged can be said of anything."""
    exchange.usage  # noqa: B018  # reading it must not fail
    assert isinstance(exchange.observed_text() + exchange.prompt_text(), str)


def targets() -> list[Target]:
    """One for the requests, the bodies and the streams of each pair."""
    found = []
    for pair in PAIRS:
        for kind, check, cases in (
            ("requests", asked, pair.cases),
            ("bodies", whole, [case for case in pair.cases if not case.streaming]),
            ("events", streamed, [case for case in pair.cases if case.streaming]),
        ):
            if cases:
                drawn = st.tuples(st.sampled_from(cases), SEEDS)
                found.append(Target(pair.name, f"recorded {kind}", drawn, partial(check, pair)))
    return found
