"""Threads, rests between starts, progress, rows."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path

import pytest

from tests.local.wheels import model
from writingmate.errors import UpstreamNotReady
from writingmate.local import rows
from writingmate.local.child import Rests
from writingmate.local.cores import MOST, threads
from writingmate.local.progress import Bar, Lines, shown
from writingmate.settings import Settings


def test_a_core_is_left_for_the_gateway() -> None:
    cores = len(os.sched_getaffinity(0))
    assert threads(Path("/none")) == max(1, min(cores - 1, MOST))


@pytest.mark.parametrize(("quota", "most"), [("100000 100000", 1), ("50000 100000", 1), ("max 100000", MOST)])
def test_a_containers_quota_counts(tmp_path: Path, quota: str, most: int) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(quota + "\n", encoding="ascii")
    assert 1 <= threads(file) <= most


async def test_starts_are_tried_less_and_less_often() -> None:
    rests = Rests()
    rests.failed(1)
    began = time.monotonic()
    await rests.over()
    assert time.monotonic() - began < 0.5, "the first time at once"
    for _ in range(4):
        rests.failed(1)
    with pytest.raises(UpstreamNotReady, match="stopped 5 times in a row") as caught:
        await rests.over()
    assert caught.value.retry_after in {8, 9}
    rests.failed(3600)
    await rests.over()
    assert rests.failures == 1


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


def test_rows_of_the_catalog() -> None:
    first, second = rows.models(Settings())
    assert (first.slug, second.slug) == ("local/qwen2.5-coder-0.5b", "local/smollm2-135m")
    assert (first.owned_by, first.tier, first.context_length) == ("local", "basic", 4096)
    assert first.pricing is not None
    assert (first.pricing.input, first.pricing.output) == ("0", "0")
    assert (first.routes[0].provider.name, first.routes[0].model) == ("local", "qwen2.5-coder-0.5b")


def test_no_rows_if_switched_off_or_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert rows.models(Settings(local=False)) == []
    monkeypatch.setattr(rows, "RUNTIME", "a_runtime_that_nobody_has")
    assert rows.models(Settings()) == []
