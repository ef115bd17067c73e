from __future__ import annotations

import pytest

from writingmate.api.heads import Heads, framing_again, status_line


def test_what_every_answer_begins_with_is_made_anew_when_it_changes() -> None:
    heads = Heads()
    first, second = [(b"date", b"now")], [(b"date", b"later"), (b"server", b"x")]
    assert heads.prefix(200, first) == b"HTTP/1.1 200 OK\r\ndate: now\r\n"
    assert heads.prefix(200, first) is heads.prefix(200, first)
    assert heads.prefix(404, first) == b"HTTP/1.1 404 Not Found\r\ndate: now\r\n"
    assert heads.prefix(200, second) == b"HTTP/1.1 200 OK\r\ndate: later\r\nserver: x\r\n"


@pytest.mark.parametrize(("status", "line"), [(204, b"204 No Content"), (499, b"499 ")])
def test_a_status_without_a_phrase_of_its_own_has_none(status: int, line: bytes) -> None:
    assert status_line(status) == b"HTTP/1.1 " + line + b"\r\n"


def test_only_what_frames_a_body_is_said_again() -> None:
    pairs = [(b"Host", b"x"), (b"Content-Length", b"2"), (b"upgrade", b"h2c"), (b"transfer-encoding", b"y")]
    assert framing_again(pairs) == (b"POST / HTTP/1.1\r\nContent-Length: 2\r\ntransfer-encoding: y\r\n\r\n")
