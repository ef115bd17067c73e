"""Targets: what a model says is what the client is told, whole and streamed, whatever lies between."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import replace
from functools import partial
from typing import Any, get_args

from hypothesis import strategies as st

from tests.dialects import hearing
from tests.fuzz import judges, said, vendors
from tests.fuzz.pairs import PAIRS, Pair
from tests.fuzz.said import Finish, Said
from tests.fuzz.target import SEEDS, Target
from writingmate.dialects.exchange import Exchange
from writingmate.types import Usage
from writingmate.wire import sse

Drawn = tuple[Said, int]

#: Why an answer is over, in each dialect of clients: any of these.
FINISHES: dict[str, dict[Finish, tuple[str, ...]]] = {
    "chat": {reason: (reason,) for reason in get_args(Finish)},
    "completions": {reason: (reason.replace("tool_calls", "stop"),) for reason in get_args(Finish)},
    "responses": {
        "stop": ("completed",),
        "tool_calls": ("completed",),
        "length": ("max_output_tokens",),
        "content_filter": ("content_filter",),
    },
    "messages": {
        "stop": ("end_turn", "stop_sequence", "pause_turn"),
        "tool_calls": ("tool_use",),
        "length": ("max_tokens", "model_context_window_exceeded"),
        "content_filter": ("refusal",),
    },
}


def whole(pair: Pair, drawn: Drawn) -> None:
    """An answer in one piece."""
    exchange = pair.opened(stream=False)
    vendor, chance = vendors.VENDORS[exchange.legs[0].dialect], random.Random(drawn[1])
    meant = vendor.fits(drawn[0])
    answer = exchange.reply([vendors.body(vendor, meant, chance)])
    judges.judge_body(pair.dialect, answer)
    same(pair, meant, hearing.whole(pair.dialect, answer), exchange)


def streamed(pair: Pair, drawn: Drawn) -> None:
    """An answer in pieces, which arrive in pieces of their own."""
    exchange = pair.opened(stream=True)
    (leg,) = exchange.legs
    vendor, chance = vendors.VENDORS[leg.dialect], random.Random(drawn[1])
    meant = vendor.fits(drawn[0])
    sent = vendors.stream(vendor, meant, chance)
    splitter, out = sse.Splitter(), bytearray()
    while sent:
        length = chance.choice((1, 7, 100, 4096))
        out += exchange.feed(leg, splitter.feed(sent[:length]))
        sent = sent[length:]
    out += exchange.feed(leg, [splitter.rest() + b"\n"]) if splitter.rest().strip() else b""
    out += exchange.end(leg) + exchange.closing()
    judges.judge_stream(pair.dialect, bytes(out))
    heard = hearing.streamed(pair.dialect, bytes(out))
    assert heard.complete
    same(pair, meant, heard, exchange)


def same(pair: Pair, meant: Said, heard: hearing.Heard, exchange: Exchange) -> None:
    """All that was said has been told, once; and the books would be right."""
    if pair.dialect == "completions":
        assert heard.texts[0] == (meant.text or meant.refusal)
    else:
        refusal = "" if pair.dialect == "messages" else meant.refusal
        text = meant.text if refusal == meant.refusal else meant.text + meant.refusal
        assert (heard.texts[0], heard.refusals[0]) == (text, refusal), (heard, meant)
        assert heard.reasoning[0] == meant.reasoning, (heard, meant)
        told = [
            (call.id, call.name, json.loads(call.arguments or "{}"))
            for _, call in sorted(heard.calls.items())
        ]
        assert told == [(call.id, call.name, json.loads(call.arguments)) for call in meant.calls]
    assert heard.finishes[0] in FINISHES[pair.dialect][meant.finish], (heard, meant)
    assert exchange.usage == meant.usage
    assert heard.usage == _reported(pair, meant), (heard.usage, meant.usage)
    written = meant.text + meant.refusal + meant.reasoning + "".join(call.name for call in meant.calls)
    assert not Counter(written) - Counter(exchange.observed_text())


def _reported(pair: Pair, meant: Said) -> Usage | None:
    """What the client is told of it: Anthropic's dialect has to say something, and knows no reasoning."""
    if pair.dialect != "messages":
        return meant.usage
    return replace(meant.usage or Usage(), reasoning_tokens=0)


def targets() -> list[Target]:
    """Two for each pair that can be played."""
    found = []
    for pair in PAIRS:
        if pair.opens and pair.opened(stream=False).legs[0].dialect in vendors.VENDORS:
            drawn: st.SearchStrategy[Any] = st.tuples(
                said.answers(tools=pair.dialect != "completions"), SEEDS
            )
            found += [
                Target(pair.name, "answers", drawn, partial(whole, pair)),
                Target(pair.name, "streams", drawn, partial(streamed, pair)),
            ]
    return found
