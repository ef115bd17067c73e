from __future__ import annotations

import threading

import pytest

from writingmate.telemetry import sink
from writingmate.telemetry.sink import Sink

FOREVER = 3600.0


def test_lines_are_written_together_after_a_moment() -> None:
    written: list[bytes] = []
    done = threading.Event()

    def write(lines: bytes) -> None:
        written.append(lines)
        done.set()

    with_pause = Sink(write, linger=0.05)
    with_pause.put(b"a\n")
    with_pause.put(b"b\n")
    assert done.wait(5)
    with_pause.close()
    assert b"".join(written) == b"a\nb\n"


def test_an_urgent_line_takes_the_waiting_ones_with_it() -> None:
    written: list[bytes] = []
    done = threading.Event()

    def write(lines: bytes) -> None:
        written.append(lines)
        if b"now" in lines:
            done.set()

    slow = Sink(write, linger=FOREVER)
    slow.put(b"a\n")
    slow.put(b"now\n", urgent=True)
    assert done.wait(5)
    assert b"".join(written) == b"a\nnow\n"
    slow.put(b"rest\n")
    slow.close()
    assert b"".join(written) == b"a\nnow\nrest\n"


def test_a_reader_that_stops_reading_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sink, "MOST_LINES", 10)
    stuck, let_go = threading.Event(), threading.Event()

    def write(_: bytes) -> None:
        stuck.set()
        assert let_go.wait(5)

    blocked = Sink(write, linger=0)
    blocked.put(b"first\n", urgent=True)
    assert stuck.wait(5)
    for _ in range(15):
        blocked.put(b"next\n")
    assert blocked.dropped == 5
    let_go.set()
    blocked.close()


@pytest.mark.parametrize("error", [BrokenPipeError(), ValueError("closed file")])
def test_a_reader_that_left_is_counted(error: Exception) -> None:
    def write(_: bytes) -> None:
        raise error

    broken = Sink(write, linger=FOREVER)
    broken.put(b"a\n")
    broken.flush()
    assert broken.dropped == 1
    broken.close()
