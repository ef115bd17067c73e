"""Properties of every recorded stream, cut anywhere."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dialects.recordings import Recording, ending, recordings
from writingmate.dialects.exchange import Exchange
from writingmate.errors import UpstreamBroken
from writingmate.wire import sse
from writingmate.wire.sse import Splitter

STREAMS = [case for case in recordings() if case.streaming]
WHOLE = [case for case in STREAMS if "broken" not in case.facts]


def relay(exchange: Exchange, replies: list[list[bytes]]) -> tuple[bytes, bool]:
    """What the client gets of chunks, and whether every leg ended well."""
    out = b""
    try:
        for leg, chunks in zip(exchange.legs, replies, strict=True):
            splitter = Splitter()
            for chunk in chunks:
                out += exchange.feed(leg, splitter.feed(chunk))
            out += exchange.end(leg)
    except UpstreamBroken:
        return out, False
    return out, True


def pieces(stream: bytes, at: list[int]) -> list[bytes]:
    places = sorted({0, len(stream), *(place % (len(stream) + 1) for place in at)})
    return [stream[left:right] for left, right in itertools.pairwise(places)]


@given(
    st.sampled_from(STREAMS), st.lists(st.integers(0, 5000), max_size=30), st.sampled_from([b"\n", b"\r\n"])
)
def test_any_chunking_gives_the_same_answer(case: Recording, at: list[int], line_end: bytes) -> None:
    replies = [reply.replace(b"\n", line_end) for reply in case.replies]
    whole, cut = case.begin(), case.begin()
    expected = relay(whole, [[reply] for reply in replies])
    assert relay(cut, [pieces(reply, at) for reply in replies]) == expected
    last = ending(case, whole, broken=not expected[1])
    assert ending(case, cut, broken=not expected[1]) == last
    assert (cut.usage, cut.observed_text()) == (whole.usage, whole.observed_text())
    if case.translated or line_end == b"\n":
        assert (expected[0] + last, expected[1]) == (case.answer, "broken" not in case.facts)


@pytest.mark.parametrize("case", STREAMS, ids=lambda case: f"{case.codec}/{case.folder.name}")
def test_cut_at_every_byte_it_ends_well_or_is_broken(case: Recording) -> None:
    last = case.replies[-1]
    begun = case.replies[:-1]
    for length in range(len(last)):
        answer, ended = relay(case.begin(), [*([reply] for reply in begun), [last[:length]]])
        if ended:
            assert finished(answer)
        else:
            assert case.answer.startswith(answer)


def finished(answer: bytes) -> bool:
    said = [msgspec.json.decode(sse.data(frame)) for frame in Splitter().feed(answer)]
    if all("sequence_number" in event for event in said):
        kinds = [event["type"] for event in said]
        return kinds.count("response.output_item.added") == kinds.count("response.output_item.done")
    if all("type" in event for event in said):
        kinds = [event["type"] for event in said]
        return kinds.count("content_block_start") == kinds.count("content_block_stop")
    choices = [choice for chunk in said for choice in chunk["choices"]]
    indexes = {choice["index"] for choice in choices}
    return indexes == {choice["index"] for choice in choices if choice["finish_reason"]}


@given(st.sampled_from(WHOLE), st.integers(0, 5000), st.binary(min_size=1, max_size=20))
def test_rubbish_in_a_stream_raises_nothing_else(case: Recording, at: int, rubbish: bytes) -> None:
    replies = [[reply[: at % len(reply)] + rubbish + reply[at % len(reply) :]] for reply in case.replies]
    exchange = case.begin()
    relay(exchange, replies)
    assert isinstance(exchange.observed_text(), str)
