from __future__ import annotations

import io

from tests.local.wheels import model
from writingmate.local.progress import Bar, Lines, shown


def test_plain_lines_at_every_tenth() -> None:
    stream = io.StringIO()
    lines = shown(stream)
    assert isinstance(lines, Lines)
    lines.begin(model(b"x" * 5_000_000), "somewhere")
    for hundredth in range(100):
        lines.advance(hundredth / 100)
    lines.end()
    assert stream.getvalue().splitlines() == [
        "local/tiny: downloading 5 MB from somewhere",
        *(f"{tenth}0%" for tenth in range(1, 10)),
    ]


def test_a_bar_on_a_terminal() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    bar = shown(stream)
    assert isinstance(bar, Bar)
    bar.begin(model(b"x"), "one place")
    bar.advance(0.5)
    bar.begin(model(b"x"), "another place")
    bar.end()
    assert "local/tiny" in stream.getvalue()
