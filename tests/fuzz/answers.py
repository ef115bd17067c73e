"""Targets: what a model says is what the client is told, whole and streamed, whatever lies between."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from hypothesis import strategies as st

from tests.dialects import hearing
from tests.fuzz import judges, said, vendors
from tests.fuzz.pairs import PAIRS, Pair
from tests.fuzz.said import Said
from tests.fuzz.target import SEEDS, Target
from writingmate.dialects.exchange import Exchange
from writingmate.wire import sse

Drawn = tuple[Said, int]

_SHORT = {"length": "max_output_tokens", "content_filter": "content_filter"}
#: Why an answer is over, in each dialect of clients.
FINISHES: dict[str, Callable[[Said], str]] = {
    "chat": lambda said: said.finish,
    "completions": lambda said: said.finish.replace("tool_calls", "stop"),
    "responses": lambda said: _SHORT.get(said.finish, "completed"),
    "messages": lambda said: {
        "stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"
    }[said.finish],
}  # fmt: skip


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
        assert (heard.texts[0], heard.refusals[0]) == (meant.text, meant.refusal)
        assert heard.reasoning[0] == meant.reasoning
        told = [(call.id, call.name, json.loads(call.arguments)) for _, call in sorted(heard.calls.items())]
        assert told == [(call.id, call.name, json.loads(call.arguments)) for call in meant.calls]
    assert heard.finishes[0] == FINISHES[pair.dialect](meant)
    assert heard.usage == meant.usage == exchange.usage
    written = meant.text + meant.refusal + meant.reasoning + "".join(call.name for call in meant.calls)
    assert not Counter(written) - Counter(exchange.observed_text())


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
