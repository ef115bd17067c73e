from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from writingmate.wire import sse
from writingmate.wire.sse import Splitter

LINE_ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
LINES = st.sampled_from(
    [b"data: {}", b"data:x", b"data", b": comment", b"event: e", b"id: 1", b"data: \xc3\xa9", b"retry: 5"]
)


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    pieces: list[bytes] = []
    for _ in range(draw(st.integers(0, 6))):
        for line in draw(st.lists(LINES, min_size=1, max_size=3)):
            pieces += [line, draw(LINE_ENDS)]
        pieces.append(draw(LINE_ENDS) * draw(st.integers(1, 3)))
    return b"".join(pieces) + draw(st.sampled_from([b"", b"data: unfinished", b"data: x\n", b"\r"]))


def cut(stream: bytes, at: list[int]) -> list[bytes]:
    places = sorted({0, len(stream), *(place % (len(stream) + 1) for place in at)})
    return [stream[left:right] for left, right in itertools.pairwise(places)]


def split(chunks: list[bytes]) -> tuple[list[bytes], bytes]:
    splitter = Splitter()
    frames = [frame for chunk in chunks for frame in splitter.feed(chunk)]
    return frames, splitter.rest()


@given(streams(), st.lists(st.integers(0, 200), max_size=12))
def test_any_chunking_gives_the_same_frames(stream: bytes, at: list[int]) -> None:
    whole = split([stream])
    assert split(cut(stream, at)) == whole
    assert split([bytes([byte]) for byte in stream]) == whole


@given(streams())
def test_no_byte_is_lost_or_changed(stream: bytes) -> None:
    frames, rest = split([stream])
    assert b"".join(frames) + rest == stream


@given(streams())
def test_a_frame_ends_with_its_blank_line_and_holds_no_other(stream: bytes) -> None:
    for frame in split([stream])[0]:
        lines = frame.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        assert lines.endswith(b"\n\n")
        assert b"\n\n" not in lines[:-2].lstrip(b"\n")


@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n", b"\n\r\n", b"\r\n\n"])
def test_a_frame_is_there_with_its_last_byte(end: bytes) -> None:
    assert Splitter().feed(b"data: 1" + end) == [b"data: 1" + end]


def test_carriage_returns_alone_wait_for_the_byte_that_could_join_them() -> None:
    splitter = Splitter()
    assert splitter.feed(b"data: 1\r\r") == []
    assert splitter.feed(b"data: 2\r") == [b"data: 1\r\r"]
    assert splitter.rest() == b"data: 2\r"


def test_whole_events_are_passed_as_the_chunk_itself() -> None:
    chunk = b"data: {}\n\n"
    assert Splitter().feed(chunk)[0] is chunk


def test_an_event_without_end_is_bounded() -> None:
    splitter = Splitter()
    chunk = b"x" * (1024 * 1024)
    for _ in range(16):
        splitter.feed(chunk)
    with pytest.raises(ValueError, match="larger than"):
        splitter.feed(b"x")


def test_a_large_event_in_many_chunks_is_searched_once() -> None:
    splitter = Splitter()
    for _ in range(20_000):
        assert splitter.feed(b"x" * 500) == []
    assert len(splitter.feed(b"\n\n")[0]) == 10_000_002


@pytest.mark.parametrize(
    ("frame", "data", "name"),
    [
        (b"data: {}\n\n", b"{}", b""),
        (b"data:{}\n\n", b"{}", b""),
        (b"data:  two\r\n\r\n", b" two", b""),
        (b"event: error\ndata: a\ndata: b\n\n", b"a\nb", b"error"),
        (b"data: a\r\rdata: ", b"a\n", b""),
        (b"data\n\n", b"", b""),
        (b"id: 3\nretry: 1\n\n", b"", b""),
        (b": comment\ndata: x\n\n", b"x", b""),
        (b"data: [DONE]\n\n", b"[DONE]", b""),
        (b"\n\n", b"", b""),
    ],
)
def test_data_and_name_of_a_frame(frame: bytes, data: bytes, name: bytes) -> None:
    assert (sse.data(frame), sse.name(frame)) == (data, name)


@pytest.mark.parametrize(
    ("frame", "comment"),
    [
        (b": OPENROUTER PROCESSING\n\n", True),
        (b":\r\n\r\n", True),
        (b": one\n: two\n\n", True),
        (b": one\ndata: x\n\n", False),
        (b"data: x\n\n", False),
        (b"\n\n", False),
    ],
)
def test_comments_are_told_from_events(frame: bytes, comment: bool) -> None:  # noqa: FBT001  # expected value
    assert sse.is_comment(frame) is comment


@given(st.binary(max_size=60).filter(lambda data: b"\r" not in data), st.none() | st.just(b"error"))
def test_our_events_are_read_as_they_were_meant(data: bytes, name: bytes | None) -> None:
    frame = sse.event(data, name)
    assert Splitter().feed(frame) == [frame]
    assert sse.data(frame) == data
    assert sse.name(frame) == (name or b"")


def test_our_comments_are_comments() -> None:
    assert sse.comment(b"keep-alive") == b": keep-alive\n\n"
    assert sse.is_comment(sse.comment(b"two\nlines"))
    assert sse.data(sse.comment(b"two\ndata: lines")) == b""
