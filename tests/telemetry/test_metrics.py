from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from writingmate.telemetry import metrics


@pytest.fixture(autouse=True)
def numbers(monkeypatch: pytest.MonkeyPatch) -> metrics.Numbers:
    own = metrics.Numbers()
    monkeypatch.setattr(metrics, "_numbers", lambda: own)
    return own


def shown() -> dict[str, float]:
    lines = [line for line in metrics.render().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_requests_are_counted_and_timed() -> None:
    metrics.request("chat.completions", 200, 0.02)
    metrics.request("chat.completions", 200, 3.0)
    metrics.request("chat.completions", 429, 0.001)
    values = shown()
    assert values['writingmate_requests_total{endpoint="chat.completions",status="200"}'] == 2
    assert values['writingmate_requests_total{endpoint="chat.completions",status="429"}'] == 1
    assert values['writingmate_request_seconds_count{endpoint="chat.completions"}'] == 3
    assert values['writingmate_request_seconds_bucket{endpoint="chat.completions",le="0.025"}'] == 2


def test_everything_else_shows_too() -> None:
    metrics.first_frame("chat.completions", 0.3)
    metrics.upstream_failed("openai", "UpstreamTimeout")
    metrics.attempted("openai", "next")
    metrics.route_rests("openai")
    metrics.route_rests("openai")
    metrics.route_serves("openai")
    metrics.messages(3)
    metrics.held(5)
    metrics.held(-2)
    metrics.stream_opened()
    metrics.stream_opened()
    metrics.stream_closed()
    metrics.batch(7)
    values = shown()
    assert values['writingmate_first_frame_seconds_sum{endpoint="chat.completions"}'] == 0.3
    assert values['writingmate_upstream_failures_total{kind="UpstreamTimeout",provider="openai"}'] == 1
    assert values['writingmate_upstream_attempts_total{outcome="next",provider="openai"}'] == 1
    assert values['writingmate_resting_routes{provider="openai"}'] == 1
    assert values["writingmate_messages_total"] == 3
    assert values["writingmate_held_messages"] == 3
    assert values["writingmate_open_streams"] == 1
    assert values['writingmate_writer_batch_rows_bucket{le="10.0"}'] == 1
    assert values["process_resident_memory_bytes"] > 0


def test_the_number_of_children_is_bounded() -> None:
    for number in range(metrics.MOST_CHILDREN + 50):
        metrics.upstream_failed(f"p{number}", "x")
    values = shown()
    assert values['writingmate_upstream_failures_total{kind="other",provider="other"}'] == 50
    assert sum(name.startswith("writingmate_upstream_failures_total") for name in values) == 501


def test_children_are_kept(numbers: metrics.Numbers) -> None:
    metrics.request("models", 200, 0.0)
    kept = numbers.requests["models", "200"]
    metrics.request("models", 200, 0.0)
    assert numbers.requests["models", "200"] is kept


def test_a_child_that_is_not_kept_is_not_made() -> None:
    made: list[tuple[str, ...]] = []
    kept = metrics.Kept(lambda *labels: made.append(labels))
    _ = kept["a",], kept["a",]
    assert made == [("a",)]


ONE = """
import sys
from writingmate.telemetry import metrics
metrics.request("models", 200, 0.1)
metrics.held(int(sys.argv[1]))
sys.stdout.buffer.write(metrics.render())
"""


def test_processes_on_one_machine_show_their_sum(tmp_path: Path) -> None:
    """Counters of all add up; a gauge counts the living, and those that died are forgotten."""
    source = str(Path(metrics.__file__).parents[2])
    environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": source}

    def run(code: str, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], env=environ, capture_output=True, check=True, text=True
        )
        return done.stdout

    run(ONE, "2")
    both = run(ONE, "3")
    assert 'writingmate_requests_total{endpoint="models",status="200"} 2.0' in both
    assert "writingmate_held_messages 5.0" in both
    (dead, *_) = (file.stem.rpartition("_")[2] for file in tmp_path.glob("gauge_livesum_*.db"))
    left = run(
        f"from writingmate.telemetry import metrics; metrics.forget({dead}); print(metrics.render().decode())"
    )
    assert "writingmate_held_messages 5.0" not in left
    assert 'writingmate_requests_total{endpoint="models",status="200"} 2.0' in left


def test_importing_makes_no_file(tmp_path: Path) -> None:
    source = str(Path(metrics.__file__).parents[2])
    environ = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path), "PYTHONPATH": source}
    subprocess.run([sys.executable, "-c", "import writingmate.telemetry.metrics"], env=environ, check=True)
    assert list(tmp_path.iterdir()) == []
