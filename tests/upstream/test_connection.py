"""What a connection makes of bytes: any chunking, cut anywhere, and everything HTTP allows or forbids."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.http_connection import response_head
from tests.fakes.openai_answers import chat
from tests.fakes.openai_choices import Wish
from tests.upstream.calls import PROMPT
from tests.upstream.line import Line, Waits, done
from tests.upstream.raw_server import chunked, whole
from writingmate.errors import UpstreamBroken, UpstreamError, UpstreamRefused, UpstreamUnreachable
from writingmate.upstream import connection, replies
from writingmate.wire import sse

ANSWER = chat(
    {"model": "m", "messages": [{"content": PROMPT}], "stream_options": {"include_usage": True}}, "1", Wish()
)
BODY = json.dumps(ANSWER.whole).encode()
EVENTS = [sse.event(json.dumps(chunk.document).encode()) for chunk in ANSWER.chunks] + [sse.DONE]
WHOLE = whole(BODY, b"content-type: application/json", b"x-request-id: 1")
STREAM = chunked(*EVENTS)
UNFRAMED_HEAD = response_head(200, {"content-type": "text/event-stream", "connection": "close"})


@st.composite
def chunkings(draw: st.DrawFn, data: bytes) -> list[bytes]:
    cuts = sorted(draw(st.sets(st.integers(1, len(data) - 1), max_size=30)))
    return [data[a:b] for a, b in itertools.pairwise([0, *cuts, len(data)])]


@given(chunkings(WHOLE))
def test_any_chunking_of_a_whole_reply(pieces: list[bytes]) -> None:
    line = Line()
    line.arrive(*pieces)
    assert line.body() == BODY


@given(chunkings(STREAM))
def test_any_chunking_of_a_stream(pieces: list[bytes]) -> None:
    line = Line(stream=True)
    line.arrive(*pieces)
    assert line.frames() == (EVENTS, None)


@pytest.mark.parametrize("exc", [None, ConnectionResetError()])
def test_a_whole_reply_cut_at_every_byte(exc: Exception | None) -> None:
    for cut in range(len(WHOLE)):
        line = Line()
        line.arrive(WHOLE[:cut])
        line.break_off(exc)
        with pytest.raises(UpstreamUnreachable if cut == 0 else UpstreamBroken):
            line.body()
        assert line.gone == 1


@pytest.mark.parametrize("exc", [None, ConnectionResetError()])
def test_a_stream_cut_at_every_byte(exc: Exception | None) -> None:
    for cut in range(len(STREAM)):
        line = Line(stream=True)
        line.arrive(STREAM[:cut])
        line.break_off(exc)
        got, error = line.frames()
        assert got == EVENTS[: len(got)]
        assert len(got) == sum(event in STREAM[:cut] for event in EVENTS)
        assert isinstance(error, UpstreamUnreachable if cut == 0 else UpstreamBroken)


def test_an_unframed_stream_cut_at_every_byte() -> None:
    """Between two events nothing tells the cut from the end; inside one it shows."""
    stream = UNFRAMED_HEAD + b"".join(EVENTS)
    ends = {len(UNFRAMED_HEAD) + sum(map(len, EVENTS[: i + 1])) for i in range(len(EVENTS))}
    ends.add(len(stream) - 1)
    ends.add(len(stream) - 2)
    for cut in range(len(UNFRAMED_HEAD), len(stream) + 1):
        line = Line(stream=True)
        line.arrive(stream[:cut])
        line.break_off()
        got, error = line.frames()
        assert got == EVENTS[: len(got)]
        assert (error is None) == (cut in ends)
        assert error is None or isinstance(error, UpstreamBroken)


def test_a_stream_that_a_proxy_cut_and_framed_well() -> None:
    """A chunked body may end by its framing inside an event: that event is none."""
    last = b'data: {"said":"' + b"x" * 5 + b'"}'
    for cut in range(1, len(last) + 1):
        line = Line(stream=True)
        line.arrive(chunked(EVENTS[0], last[:cut]))
        got, error = line.frames()
        whole = cut == len(last)
        assert got == ([EVENTS[0], last + b"\n\n"] if whole else [EVENTS[0]])
        assert (error is None) == whole
        assert error is None or isinstance(error, UpstreamBroken)


@pytest.mark.parametrize("end", [b"\r\r", b"\n\r"])
def test_an_unframed_stream_whose_last_line_end_could_go_on(end: bytes) -> None:
    line = Line(stream=True)
    line.arrive(UNFRAMED_HEAD, b"data: 1", end)
    line.break_off()
    assert line.frames() == ([b"data: 1\n\n"], None)


def test_the_first_reason_stands() -> None:
    line = Line()
    line.connection.fail(UpstreamBroken("first"))
    line.break_off(ConnectionResetError())
    with pytest.raises(UpstreamBroken, match="first"):
        line.body()


def test_a_complete_answer_cannot_fail_any_more() -> None:
    line = Line()
    line.arrive(whole(b"x"))
    line.connection.fail(UpstreamBroken("late"))
    assert line.body() == b"x"
    line = Line(stream=True)
    line.arrive(STREAM)
    line.connection.fail(UpstreamBroken("late"))
    assert line.frames() == (EVENTS, None)


def test_an_unframed_reply_ends_with_its_connection() -> None:
    line = Line()
    line.arrive(b"HTTP/1.0 200 OK\r\n\r\n", b"one", b"two")
    line.break_off()
    assert line.body() == b"onetwo"
    line = Line()
    line.arrive(b"HTTP/1.0 200 OK\r\n\r\n", b"one")
    line.break_off(ConnectionResetError())
    with pytest.raises(UpstreamBroken):
        line.body()


@given(st.binary(max_size=300), st.booleans(), st.booleans())
def test_garbage_is_refused_or_waited_for(data: bytes, headed: bool, stream: bool) -> None:  # noqa: FBT001  # drawn
    line = Line(stream=stream)
    line.arrive((b"HTTP/1.1 200 OK\r\n" if headed else b"") + data)
    line.break_off()
    try:
        done(line.answer.begun())
    except UpstreamError:
        assert line.wire.closing
    assert line.gone == 1


@pytest.mark.parametrize(
    ("stream", "answer", "detail"),
    [
        (False, b"SSH-2.0-OpenSSH_9.6\r\n", "not HTTP"),
        (False, b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", "switched"),
        (False, whole(b"x", b"content-encoding: gzip"), "compressed"),
        (False, whole(b"x", b"transfer-encoding: gzip"), "HTTP"),
        (False, b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nx", "transfer encoding"),
        (False, whole(b"x", b"content-length: 2"), "HTTP"),
        (False, b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n", "longer than 64 MiB"),
        (False, whole(b"x", b"a: " + b"y" * 66_000), "head is longer"),
        (False, b"HTTP/1.1 200 OK\r\na: " + b"y" * 66_000, "head or a trailer"),
        (False, chunked(b"x")[:-2] + b"a: " + b"y" * 66_000, "stall"),
        (True, whole(b"{}", b"content-type: application/json"), "other than an event stream"),
        (True, whole(b"data: 1\n\n"), "other than an event stream"),
        (True, chunked(), "before its first event"),
        (True, chunked(b": nothing\n\n"), "before its first event"),
    ],
)
def test_unusable_answers(stream: bool, answer: bytes, detail: str) -> None:  # noqa: FBT001  # a case
    line = Line(stream=stream)
    line.arrive(answer)
    if detail == "stall":
        line.arrive(b"y" * 66_000)
        detail = "trailer"
        with pytest.raises(UpstreamBroken, match=detail):
            line.body()
    else:
        with pytest.raises(UpstreamBroken, match=detail):
            done(line.answer.begun())
    line.connection.release()
    assert (line.wire.closing, line.resting) == (True, 0)


def test_an_endless_chunk_extension_is_cut_off() -> None:
    line = Line()
    line.arrive(chunked(b"x")[:-5], b"1;", *[b"e" * 1000] * 70)
    with pytest.raises(UpstreamBroken, match="longer than 64 KiB"):
        line.body()


def test_the_body_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replies, "BODY_LIMIT", 1000)
    line = Line()
    line.arrive(chunked(b"x" * 600, b"x" * 400, kind=b"application/json"))
    assert line.body() == b"x" * 1000
    line = Line()
    line.arrive(chunked(b"x" * 600, b"x" * 401, kind=b"application/json"))
    with pytest.raises(UpstreamBroken, match="longer"):
        line.body()


def test_an_event_is_bounded() -> None:
    line = Line(stream=True)
    line.arrive(*_endless_event())
    got, error = line.frames()
    assert got == []
    assert isinstance(error, UpstreamBroken)
    assert error.detail == "an event of the stream is too long"


def _endless_event() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: "
    for _ in range(17):
        yield b"x" * (1 << 20)


@pytest.mark.parametrize("status", [b"301 Moved", b"400 Bad Request", b"429 Too Many", b"502 Bad Gateway"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_refusal_carries_status_headers_and_body(status: bytes, stream: bool) -> None:  # noqa: FBT001  # a case
    line = Line(stream=stream)
    line.arrive(whole(b"no", b"Retry-After: 7", b"location: http://other", status=status))
    with pytest.raises(UpstreamRefused) as caught:
        done(line.answer.begun())
    assert (caught.value.status, caught.value.body) == (int(status[:3]), b"no")
    assert caught.value.headers == {
        "content-length": "2",
        "retry-after": "7",
        "location": "http://other",
    }
    line.connection.release()
    assert line.resting == 1


def test_a_refusal_is_believed_though_its_body_stops_short() -> None:
    line = Line()
    line.arrive(whole(b"x" * 50, status=b"500 Oops")[:-10])
    with pytest.raises(Waits):
        done(line.answer.begun())
    line.break_off()
    with pytest.raises(UpstreamRefused) as caught:
        done(line.answer.begun())
    assert (caught.value.status, caught.value.body) == (500, b"x" * 40)


def test_a_refusal_keeps_64_kib() -> None:
    line = Line()
    line.arrive(whole(b"x" * 1_000_000, status=b"500 Oops")[:200_000])
    with pytest.raises(UpstreamRefused) as caught:
        done(line.answer.begun())
    assert len(caught.value.body) == 64 * 1024
    line.connection.release()
    assert (line.wire.closing, line.resting) == (True, 0)


def test_a_compressed_refusal_has_no_body() -> None:
    line = Line()
    line.arrive(whole(b"\x1f\x8b", b"content-encoding: gzip", status=b"429 Slow Down"))
    with pytest.raises(UpstreamRefused) as caught:
        done(line.answer.begun())
    assert (caught.value.status, caught.value.body) == (429, b"")


def test_a_status_without_a_body() -> None:
    line = Line()
    line.arrive(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert line.body() == b""
    line.connection.release()
    assert line.resting == 1


@pytest.mark.parametrize(
    "answer",
    [
        whole(b"x", b"connection: close"),
        b"HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\nx",
        whole(b"x") + b"y",
        whole(b"x") + whole(b"y"),
    ],
)
def test_spoilt_connections_are_not_used_again(answer: bytes) -> None:
    line = Line()
    line.arrive(answer)
    assert line.body() == b"x"
    line.connection.release()
    assert (line.wire.closing, line.resting) == (True, 0)


def test_bytes_behind_an_answer_spoil_the_connection() -> None:
    line = Line()
    line.arrive(whole(b"x"), b"y")
    assert line.body() == b"x"
    line.connection.release()
    assert line.wire.closing
    line = Line()
    line.arrive(whole(b"x"))
    line.connection.release()
    assert not line.wire.closing
    line.arrive(b"y")
    assert line.wire.closing


def test_an_answer_before_the_whole_request_was_sent() -> None:
    line = Line()
    line.wire.unsent = 1000
    line.arrive(whole(b"x"))
    assert line.body() == b"x"
    line.connection.release()
    assert (line.wire.closing, line.resting) == (True, 0)


def test_what_is_left_early_is_closed_and_ends() -> None:
    line = Line(stream=True)
    line.arrive(STREAM[:-50])
    done(line.answer.begun())
    line.connection.release()
    assert (line.wire.closing, line.resting) == (True, 0)
    got, error = line.frames()
    assert EVENTS[: len(got)] == got
    assert isinstance(error, UpstreamBroken)


def test_the_next_answer_begins_clean() -> None:
    line = Line()
    line.arrive(chunked(b"x", kind=b"text/plain")[:-2] + b"trailer: t\r\n\r\n")
    assert line.body() == b"x"
    line.connection.release()
    line.ask()
    line.arrive(whole(b"y"))
    assert line.body() == b"y"
    assert line.answer.headers == {"content-length": "1"}


def test_a_long_trailer_is_not_held_against_the_next_head() -> None:
    line = Line()
    line.arrive(chunked(b"x", kind=b"text/plain")[:-2], b"a: %b\r\n\r\n" % (b"y" * 40_000))
    assert line.body() == b"x"
    line.connection.release()
    line.ask()
    line.arrive(b"HTTP/1.1 200 OK\r\na: " + b"y" * 40_000, b"\r\ncontent-length: 1\r\n\r\nz")
    assert line.body() == b"z"


def test_reading_stops_while_nobody_takes_events() -> None:
    line = Line(stream=True)
    event = sse.event(b"x" * 10_000)
    line.arrive(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n", event)
    done(line.answer.begun())
    count = 1
    while line.wire.reading:
        line.arrive(event)
        count += 1
    assert count == replies.BUFFER_LIMIT // len(event) + 1
    got = done(_take(line))
    assert (len(got), line.wire.reading) == (count, True)
    line.arrive(event)
    assert line.wire.reading


async def _take(line: Line) -> list[bytes]:
    return await anext(line.answer.frames())


def test_one_event_larger_than_the_buffer_is_read_on() -> None:
    line = Line(stream=True)
    line.arrive(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: ")
    line.arrive(*[b"x" * 100_000] * 10)
    assert line.wire.reading
    line.arrive(b"\n\n")
    assert not line.wire.reading
    assert len(done(_take(line))[0]) == 1_000_008
    assert line.wire.reading


def test_a_paused_connection_is_not_used_again() -> None:
    line = Line(stream=True)
    line.arrive(chunked(sse.event(b"x" * 300_000)))
    assert not line.wire.reading
    line.connection.release()
    assert (line.wire.closing, line.resting) == (True, 0)


def test_head_limit_is_64_kib() -> None:
    line = Line()
    line.arrive(whole(b"x" * 100_000, b"a: " + b"y" * 60_000))
    assert len(line.body()) == 100_000
    assert connection.HEAD_LIMIT == 64 * 1024
