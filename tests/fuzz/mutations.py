"""Recorded bytes, changed: as bytes, as events, and inside the JSON that they hold."""

from __future__ import annotations

import random
from typing import Any

import msgspec

from writingmate.wire import sse

JUNK = (
    b"", b"\x00", b"\xff\xfe", b"\n", b"\n\n", b"\r", b"\r\n\r\n", b"data:", b"data: {}\n\n", b":\n\n",
    b"data: [DONE]\n\n", b"event: error\n", b"event: response.completed\n", b"null", b'"', b"{", b"}", b"[",
    b"9" * 400, b"1e999", b"\\ud800", b'data: {"error":{"message":"no","code":500}}\n\n', b"id: 1\n",
    b"retry: 5\n", b"\xef\xbb\xbf",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 7, 2**63, 10**30, 0.5, -1e308, "", "x", "stop", "error", "tool_calls",
    "\x00", "é🙂", "9" * 30, [], [None], [{}], [[]], {}, {"a": 1}, {"type": "text"}, {"type": "tool_use"},
    {"message": "no"},
)  # fmt: skip


def stream(recorded: bytes, chance: random.Random) -> bytes:
    """A stream with one to three changes."""
    for _ in range(chance.randint(1, 3)):
        change = chance.choice((_bytes, _events, _events, _inside, _inside, _inside))
        recorded = change(recorded, chance)
    return recorded


def body(recorded: bytes, chance: random.Random) -> bytes:
    """A whole answer with one to three changes."""
    for _ in range(chance.randint(1, 3)):
        recorded = _bytes(recorded, chance) if chance.random() < 0.2 else json(recorded, chance)
    return recorded


def _bytes(data: bytes, chance: random.Random) -> bytes:
    at, length = chance.randint(0, len(data)), chance.choice((0, 0, 1, 5, 50))
    return data[:at] + chance.choice(JUNK) + data[at + length :]


def _events(data: bytes, chance: random.Random) -> bytes:
    events = sse.Splitter().feed(data)
    if not events:
        return data
    at, to = chance.randrange(len(events)), chance.randrange(len(events))
    match chance.randrange(4):
        case 0:
            del events[at]
        case 1:
            events.insert(to, events[at])
        case 2:
            events[at], events[to] = events[to], events[at]
        case _:
            del events[at:]
    return b"".join(events)


def _inside(data: bytes, chance: random.Random) -> bytes:
    events = sse.Splitter().feed(data)
    if not events:
        return data
    at = chance.randrange(len(events))
    changed = json(sse.data(events[at]), chance)
    events[at] = sse.event(changed, sse.name(events[at]) or None)
    return b"".join(events)


def json(data: bytes, chance: random.Random) -> bytes:
    """JSON with a value replaced, a member added or one left out; other bytes as they are."""
    try:
        document = msgspec.json.decode(data)
        _change(document, chance)
        return msgspec.json.encode(document)
    except (msgspec.DecodeError, ValueError, OverflowError):
        return data


def _change(document: Any, chance: random.Random) -> None:
    places = list(_places(document))
    if not places:
        return
    holder, key = chance.choice(places)
    match chance.randrange(5):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[chance.choice(("error", "usage", "choices", "type", "index", "response", "delta"))] = (
                holder[key]
            )
        case 2:
            other, place = chance.choice(places)
            holder[key] = _copy(other[place])
        case _:
            holder[key] = _copy(chance.choice(VALUES))


def _copy(value: Any) -> Any:
    """By way of text, where that can be."""
    return msgspec.json.decode(msgspec.json.encode(value)) if isinstance(value, (dict, list)) else value


def _places(value: Any) -> Any:
    keys = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in list(keys):
        yield value, key
        yield from _places(value[key])
