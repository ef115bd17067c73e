"""Targets: a request goes out whole and in its provider's own words, or is refused by a name."""

from __future__ import annotations

import random
import re
from functools import partial

import msgspec
from hypothesis import strategies as st

from tests.fuzz import judges, marks
from tests.fuzz.pairs import PAIRS, Json, Pair
from tests.fuzz.requests import REQUESTS, Asked
from tests.fuzz.target import Target
from writingmate.dialects import attachments
from writingmate.dialects.exchange import GRAMMARS, Exchange, readable
from writingmate.dialects.quirks import PLAIN
from writingmate.dialects.quirks_rows import ROWS
from writingmate.errors import InvalidRequest
from writingmate.metering import tokens
from writingmate.wire import document

#: Those of every provider that chats and of its models, and none.
QUIRKS = (PLAIN, PLAIN, *(row.quirks for row in ROWS))
#: Providers that have no place for a file's name.
_LABELLESS = ("gemini",)
CHANCE = st.randoms(note_method_calls=False, use_true_random=False)


def asked(pair: Pair, chance: random.Random) -> None:
    """One request."""
    made = Asked(chance)
    request = {"model": "a/b", **REQUESTS[pair.dialect](made)}
    body = msgspec.json.encode(request)
    model = chance.choice(pair.models)
    try:
        exchange = begun(pair, body, model, chance)
    except InvalidRequest as error:
        refused = error
    else:
        whole(pair, made, request, exchange, model)
        counted(pair, made, body, exchange)
        return
    named = re.split(r"[.\[]", refused.param or "")[0]
    assert named in request or named in GRAMMARS[pair.dialect].rules, (
        refused.param,
        refused.message,
        request,
    )


def whole(pair: Pair, made: Asked, request: Json, exchange: Exchange, model: str) -> None:
    """Nothing of it is missing, and its provider has nothing against what a codec made of it."""
    sent = [msgspec.json.decode(leg.body) for leg in exchange.legs]
    for leg, each in zip(exchange.legs, sent, strict=True):
        fault = judges.FAULTS[leg.dialect](each, model) if pair.translated else None
        assert fault is None, (fault, each, request)
    labels = [] if exchange.legs[0].dialect in _LABELLESS else made.marks.labels
    lost = marks.missing(made.marks.carried + labels, sent)
    assert lost == [], (lost, request, sent)


def begun(pair: Pair, body: bytes, model: str, chance: random.Random) -> Exchange:
    """As a gateway begins it."""
    read = document.parse(body)
    GRAMMARS[pair.dialect].check(read)
    readable(pair.dialect, read)
    return Exchange.begin(
        pair.dialect,
        read,
        pair.spoken,
        model=model,
        slug="a/b",
        request_id="req1",
        max_tokens=chance.choice((None, None, None, 1, 1500)),
        cap=chance.choice((4096, 64_000)),
        quirks=chance.choice(QUIRKS) if "chat" in pair.spoken else PLAIN,
    )


def counted(pair: Pair, made: Asked, body: bytes, exchange: Exchange) -> None:
    """What a model reads is counted where its provider does not, and never more than what was held for it."""
    prompt = exchange.prompt_text()
    unread = [text for text in made.marks.read if text[: text.index("_") + 1] not in prompt]
    assert unread == [], (unread, prompt, body)
    bound = attachments.cheap(readable(pair.dialect, document.parse(body)), len(body))
    assert tokens.count(prompt) <= bound, (tokens.count(prompt), bound, body)


def targets() -> list[Target]:
    """One for each pair whose clients' requests can be made."""
    return [
        Target(pair.name, "requests", CHANCE, partial(asked, pair))
        for pair in PAIRS
        if pair.dialect in REQUESTS
    ]
