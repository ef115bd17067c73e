"""Properties of every recorded stream, those still to come included: chunked anyhow, cut at every byte."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dialects import hearing
from tests.dialects.delivery import Arrival, batches, cuts, delivered
from tests.dialects.recordings import Recording, ending, recordings
from writingmate.dialects.exchange import Exchange
from writingmate.errors import UpstreamBroken
from writingmate.types import Usage
from writingmate.wire.sse import Splitter

STREAMS = [case for case in recordings() if case.streaming]
WHOLE = [case for case in STREAMS if "broken" not in case.facts]


def named(case: Recording) -> str:
    return f"{case.codec}/{case.folder.name}"


def relay(exchange: Exchange, replies: list[list[list[bytes]]]) -> tuple[bytes, bool]:
    """What the client gets of batches of frames, and whether every leg ended well."""
    out = b""
    try:
        for leg, fed in zip(exchange.legs, replies, strict=True):
            for frames in fed:
                out += exchange.feed(leg, frames)
            out += exchange.end(leg)
    except UpstreamBroken:
        return out, False
    return out, True


def told(case: Recording, replies: list[list[list[bytes]]]) -> tuple[bytes, bool, Usage | None, str]:
    """All that can be seen of an exchange."""
    exchange = case.begin()
    out, well = relay(exchange, replies)
    out += ending(case, exchange, broken=not well)
    return out, well, exchange.usage, exchange.observed_text()


def split(reply: bytes, at: list[int]) -> list[list[bytes]]:
    """The frames that each piece completes."""
    places = sorted({0, len(reply), *(place % (len(reply) + 1) for place in at)})
    splitter = Splitter()
    return [splitter.feed(reply[left:right]) for left, right in itertools.pairwise(places)]


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("case", STREAMS, ids=named)
def test_split_at_every_byte_and_byte_by_byte_it_is_the_same_answer(case: Recording, line_end: bytes) -> None:
    """An exchange sees nothing of pieces but the frames that each completes: every such grouping is tried."""
    replies = [reply.replace(b"\n", line_end) for reply in case.replies]
    frames = [tuple(Splitter().feed(reply)) for reply in replies]
    expected = told(case, [[list(leg)] for leg in frames])
    if case.translated or line_end == b"\n":
        assert expected[:2] == (case.answer, "broken" not in case.facts)
    for leg, reply in enumerate(replies):
        grouped = set()
        for at in (*([place] for place in range(1, len(reply))), list(range(len(reply)))):
            pieces = split(reply, at)
            assert tuple(itertools.chain.from_iterable(pieces)) == frames[leg]
            grouped.add(tuple(len(piece) for piece in pieces if piece))
        for sizes in grouped:
            fed = [[list(each)] for each in frames]
            fed[leg] = list(batches(frames[leg], sizes))
            assert told(case, fed) == expected


@given(st.sampled_from(STREAMS), st.lists(st.integers(0, 9000), max_size=30))
def test_any_chunking_gives_the_same_answer(case: Recording, at: list[int]) -> None:
    expected = told(case, [[Splitter().feed(reply)] for reply in case.replies])
    assert told(case, [split(reply, at) for reply in case.replies]) == expected


@pytest.mark.parametrize("case", STREAMS, ids=named)
async def test_cut_at_every_byte_it_ends_in_an_error_or_is_complete(case: Recording) -> None:
    whole = case.begin()
    everything = delivered(
        whole, [Arrival(tuple(Splitter().feed(reply)), lost=False) for reply in case.replies]
    )
    complete = None if everything is None else hearing.streamed(case.facts["dialect"], everything)
    for cut in await cuts(case):
        exchange = case.begin()
        answer = delivered(exchange, cut)
        if answer is None:
            continue
        heard = hearing.streamed(case.facts["dialect"], answer)
        assert heard.ended
        if heard.complete:
            assert complete is not None
            assert complete.complete
            assert heard.words() == complete.words()
            assert heard.finishes == complete.finishes
            assert None not in heard.finishes.values()
        else:
            assert heard.error is not None
            assert hearing.is_the_providers_fault(case.facts["dialect"], heard.error)
        charged_rightly(exchange, whole, heard, only=len(case.replies) == 1)


def charged_rightly(exchange: Exchange, whole: Exchange, heard: hearing.Heard, *, only: bool) -> None:
    """The provider's word once it came; before, all that the client was told can be counted."""
    if exchange.usage is None:
        # A prompt that is echoed counts as what it is.
        counted = exchange.observed_text() + exchange.prompt_text()
        assert not Counter(heard.words()) - Counter(counted)
        assert exchange.prompt_text()
    elif only:
        assert exchange.usage == whole.usage


@given(st.sampled_from(WHOLE), st.integers(0, 5000), st.binary(min_size=1, max_size=20))
def test_rubbish_in_a_stream_raises_nothing_else(case: Recording, at: int, rubbish: bytes) -> None:
    replies = [reply[: at % len(reply)] + rubbish + reply[at % len(reply) :] for reply in case.replies]
    exchange = case.begin()
    relay(exchange, [[Splitter().feed(reply)] for reply in replies])
    assert isinstance(exchange.observed_text(), str)
