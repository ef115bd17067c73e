"""Targets below the dialects: documents and server-sent events, against plain readings of their standards."""

from __future__ import annotations

import itertools
import json
import random
import re

import msgspec

from tests.dialects.recordings import recordings
from tests.fuzz import mutations
from tests.fuzz.target import SEEDS, Target
from writingmate.errors import InvalidRequest
from writingmate.wire import document, sse

_LINES = (
    b"data: x", b"data:", b"data: ", b"data:  y", b"event: a", b"event", b"id: 1", b":", b": c", b"x",
    b"data", b"datax: 1", b'data: {"a":1}', b"data: [DONE]", b"\xef\xbb\xbfdata: 1", b"\xff",
)  # fmt: skip
_ENDS = (b"\n", b"\n", b"\r\n", b"\r")
_BODIES = [(case.folder / "client.json").read_bytes() for case in recordings()]


def events(seed: int) -> None:
    """However a stream is cut, its events are the same, and they say what the standard says they do."""
    chance = random.Random(seed)
    stream = b"".join(
        chance.choice(_ENDS) if chance.random() < 0.3 else chance.choice(_LINES) + chance.choice(_ENDS)
        for _ in range(chance.randint(1, 25))
    )
    whole = sse.Splitter()
    frames = whole.feed(stream)
    assert b"".join(frames) + whole.rest() == stream
    places = sorted({0, len(stream), *(chance.randint(0, len(stream)) for _ in range(chance.randint(0, 20)))})
    splitter = sse.Splitter()
    cut = [frame for left, right in itertools.pairwise(places) for frame in splitter.feed(stream[left:right])]
    assert (cut, splitter.rest()) == (frames, whole.rest())
    assert [(sse.name(frame), sse.data(frame)) for frame in frames] == [_standard(frame) for frame in frames]
    for frame in frames:
        carried = sse.data(frame)
        assert sse.data(sse.event(carried, b"n")) == re.sub(rb"\r\n?", b"\n", carried)


def _standard(frame: bytes) -> tuple[bytes, bytes]:
    """An event's name and data, line by line as the specification of event streams has it."""
    name, data = b"", []
    for line in re.split(rb"\r\n|\n|\r", frame):
        field, colon, value = line.partition(b":")
        value = value[1:] if value.startswith(b" ") else value
        if (field, colon) == (b"", b":"):
            continue
        if field == b"event":
            name = value
        elif field == b"data":
            data.append(value)
    return name, b"\n".join(data)


def documents(seed: int) -> None:
    """A body is the object that any reader of JSON finds in it, or it is refused."""
    chance = random.Random(seed)
    body = mutations.body(chance.choice(_BODIES), chance)
    try:
        parsed = document.parse(body)
        values = {name: document.value(raw) for name, raw in parsed.items()}
    except InvalidRequest:
        return
    assert isinstance(json.loads(body), dict)
    assert values.keys() == json.loads(body).keys()
    assert msgspec.json.decode(document.encode(parsed)) == values
    assert document.encode(document.parse(document.encode(parsed))) == document.encode(parsed)


def targets() -> list[Target]:
    """Both."""
    return [Target("wire", "events", SEEDS, events), Target("wire", "documents", SEEDS, documents)]
