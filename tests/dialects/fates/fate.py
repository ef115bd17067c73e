"""What becomes of a field: seen in what is sent to the provider, and in what the client is answered.

A fate is one line: ``carried``, ``becomes PLACE``, ``shown in the answer``, ``refused (PARAM)``, or
``WITHOUT``: then there must be a reason for it in `reasons`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

import msgspec

from tests.dialects.fates.pairs import Client, Json, Provider
from tests.fakes.openai_choices import Wish
from writingmate.dialects.exchange import GRAMMARS, Exchange
from writingmate.errors import InvalidRequest, UnsupportedParameter
from writingmate.wire import document, sse

WITHOUT = "without effect"
_MOST = 3
_INDEX = re.compile(r"\[[^\]]*\]")


class WrongExampleError(AssertionError):
    """An example that no client could send, or that the gateway takes for a mistake."""


def fate(client: Client, provider: Provider, label: str, asked: Json, compared: Json) -> str:
    """What becomes of the field that ``label`` names. Raises AssertionError where that cannot be."""
    beside = compared.keys() - client.base.keys()
    try:
        exchange = begin(client, provider, asked)
    except UnsupportedParameter as refusal:
        return _refused(refusal.param or "", label, beside)
    except InvalidRequest as error:
        raise WrongExampleError(f"{label}: {error.message}\n{asked}") from error
    sent = [msgspec.json.decode(leg.body) for leg in exchange.legs]
    for leg in sent:
        fault = provider.fault(leg)
        assert fault is None, f"{label}: its vendor refuses {leg}: {fault}"
    other = _compared(client, provider, compared)
    before = [msgspec.json.decode(leg.body) for leg in other.legs]
    change = changed(_only(before), _only(sent))
    if change:
        wanted = changed(compared, asked)
        return "carried" if change == wanted else f"becomes {places(change)}"
    if answered(exchange, provider) != answered(other, provider):
        return "shown in the answer"
    return WITHOUT


def _refused(param: str, label: str, beside: Collection[str]) -> str:
    assert names(param, label, beside), f"{label} is refused as {param}"
    return f"refused ({bare(param)})"


def _compared(client: Client, provider: Provider, compared: Json) -> Exchange:
    """The exchange to compare with; that of the least request where the field must be there."""
    try:
        return begin(client, provider, compared)
    except InvalidRequest:
        return begin(client, provider, client.base)


def begin(client: Client, provider: Provider, asked: Json) -> Exchange:
    """The exchange of a request, which its dialect's grammar must allow."""
    request = document.parse(msgspec.json.encode(asked))
    GRAMMARS[client.dialect].check(request)
    return Exchange.begin(
        client.dialect,
        request,
        (provider.dialect,),
        model=provider.model,
        slug="a/b",
        request_id="req_1",
        created=1_770_000_000,
    )


def answered(exchange: Exchange, provider: Provider) -> bytes:
    """What the client gets of the same answer every time."""
    least = {"model": provider.model, **provider.least, "stream_options": {"include_usage": True}}
    answer = provider.answer(least, "r", Wish(text="ho"))
    if not exchange.streaming:
        return exchange.reply([msgspec.json.encode(answer.whole) for _ in exchange.legs])
    out = []
    frames = [
        sse.event(msgspec.json.encode(chunk.document), str(chunk.document.get("type", "")).encode())
        for chunk in answer.chunks
    ]
    for leg in exchange.legs:
        out += [exchange.feed(leg, [*frames, *[sse.DONE] * provider.done]), exchange.end(leg)]
    return b"".join([*out, exchange.closing()])


def names(param: str, label: str, beside: Collection[str]) -> bool:
    """Whether ``param`` says what is meant: it, what it is in, its kind, or what must be beside it."""
    said, meant = bare(param), bare(label)
    holder = said.rpartition(".")[0]
    return (
        f"{meant}.".startswith(f"{said}.")
        or (bool(holder) and f"{meant}.".startswith(f"{holder}."))
        or said.partition(".")[0] in beside
    )


def bare(path: str) -> str:
    """A path without its indices and kinds."""
    return _INDEX.sub("", path.partition("=")[0])


def changed(before: object, after: object) -> dict[str, Any]:
    """What is new or other in ``after``, and what is missing, by its place."""
    one, two = dict(_leaves(before)), dict(_leaves(after))
    return {place: two.get(place) for place in {*one, *two} if one.get(place, ...) != two.get(place, ...)}


def places(change: dict[str, Any]) -> str:
    """Where something changed, a few at most."""
    found = sorted({bare(place).removeprefix(".") for place in change})
    if len(found) <= _MOST:
        return ", ".join(found)
    return ", ".join(sorted({place.partition(".")[0] for place in found}))


def _only(legs: list[Any]) -> Any:
    return legs[0] if len(legs) == 1 else legs


def _leaves(value: object, place: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, member in value.items():
            yield from _leaves(member, f"{place}.{name}" if place else name)
    elif isinstance(value, list) and value:
        for at, member in enumerate(value):
            yield from _leaves(member, f"{place}[{at}]")
    else:
        yield place, json.dumps(value)
