"""Files found and pulled, with a repository on loopback as the only source."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import pytest

from tests.local.file_server import Repository, serving
from tests.local.wheels import model
from writingmate.errors import ConfigurationError
from writingmate.local.official import Official
from writingmate.local.weights import Weights, WeightsUnavailable

CONTENT = bytes(range(256)) * 16384  # 4 MiB
ROOT = Path(__file__).parents[2]


def store(folder: Path, named: Path | None = None) -> Weights:
    return Weights(folder, named=named, sources=(Official(),))


def pulling(folder: Path, address: str) -> subprocess.Popen[bytes]:
    """Another process that pulls the same file."""
    code = (
        "import sys; from pathlib import Path; from tests.local.test_weights import CONTENT, model, store\n"
        "store(Path(sys.argv[1])).pull(model(CONTENT, official=sys.argv[2])); print('here')"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])}
    return subprocess.Popen(
        [sys.executable, "-c", code, str(folder), address], env=environment, stdout=subprocess.PIPE
    )


def test_the_file_is_pulled_once_and_then_found(tmp_path: Path) -> None:
    with serving(Repository(CONTENT)) as repository:
        wanted = model(CONTENT, official=repository.address)
        path = store(tmp_path).pull(wanted)
        assert path.read_bytes() == CONTENT
        assert store(tmp_path).pull(wanted) == store(tmp_path).find(wanted) == path
        assert repository.ranges == [None]


def test_a_broken_connection_is_continued(tmp_path: Path) -> None:
    with serving(Repository(CONTENT, breaks_at=3 << 20)) as repository:
        path = store(tmp_path).pull(model(CONTENT, official=repository.address))
    assert path.read_bytes() == CONTENT
    assert repository.ranges == [None, f"bytes={3 << 20}-"]


def test_the_digest_is_taken_once(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    path.write_bytes(CONTENT)
    assert store(tmp_path).find(model(CONTENT)) == path
    seen = path.stat()
    path.write_bytes(CONTENT[::-1])
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns))
    assert store(tmp_path).find(model(CONTENT)) == path, "same size and time: not read again"
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns + 1))
    assert store(tmp_path).find(model(CONTENT)) is None, "changed since: read, and found wrong"


@pytest.mark.parametrize("content", [CONTENT[:-1], b"!" + CONTENT[1:]], ids=["truncated", "corrupted"])
def test_a_damaged_file_is_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tiny.gguf").write_bytes(content)
    with serving(Repository(CONTENT)) as repository:
        wanted = model(CONTENT, official=repository.address)
        assert store(tmp_path).find(wanted) is None
        assert store(tmp_path).pull(wanted).read_bytes() == CONTENT


def test_a_wrong_file_is_not_kept(tmp_path: Path) -> None:
    with serving(Repository(CONTENT[::-1])) as repository:
        with pytest.raises(WeightsUnavailable, match="not the official file"):
            store(tmp_path).pull(model(CONTENT, official=repository.address))
        assert not (tmp_path / "tiny.gguf").exists()
        repository.content = CONTENT
        path = store(tmp_path).pull(model(CONTENT, official=repository.address))
        assert path.read_bytes() == CONTENT


def test_a_repository_that_refuses_is_named(tmp_path: Path) -> None:
    refusal = pytest.raises(WeightsUnavailable, match="the official repository: it answered 404")
    with serving(Repository(CONTENT, status=404)) as repository, refusal:
        store(tmp_path).pull(model(CONTENT, official=repository.address))


def test_no_network_is_said_at_once_with_what_to_do(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(ConfigurationError) as caught:
        store(tmp_path).pull(model(CONTENT))
    assert time.monotonic() - began < 5
    assert "it cannot be reached: Connection refused" in str(caught.value)
    assert f"put the file tiny.gguf (sha256 {model(CONTENT).sha256}) into {tmp_path}" in str(caught.value)


def test_the_operators_file_is_used_in_place(tmp_path: Path) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(CONTENT)
    weights = store(tmp_path / "models", named=own)
    assert weights.find(model(CONTENT)) == weights.pull(model(CONTENT)) == own


def test_the_operators_file_has_to_be_the_right_one(tmp_path: Path) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes(CONTENT[::-1])
    with pytest.raises(WeightsUnavailable, match=r"own\.gguf: not the official file of this model"):
        store(tmp_path / "models", named=own).pull(model(CONTENT))


def test_a_full_disk_is_said(tmp_path: Path) -> None:
    work = tmp_path / "tiny.gguf.pull"
    work.mkdir()
    (work / "official.part").symlink_to("/dev/full")
    full = pytest.raises(WeightsUnavailable, match=f"the disk of {tmp_path} is full; free 13[0-9] MB")
    with serving(Repository(CONTENT)) as repository, full:
        store(tmp_path).pull(model(CONTENT, official=repository.address))


def test_too_little_room_is_said_before_anything_is_sent(tmp_path: Path) -> None:
    huge = msgspec.structs.replace(model(CONTENT), size=1 << 60)
    with serving(Repository(CONTENT)) as repository:
        with pytest.raises(WeightsUnavailable, match="is full; free"):
            store(tmp_path).pull(huge)
        assert repository.ranges == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WeightsUnavailable, match="must be writable"):
        store(tmp_path / "file" / "models").pull(model(CONTENT))


def test_two_processes_pull_once(tmp_path: Path) -> None:
    with serving(Repository(CONTENT, gate=threading.Event())) as repository:
        first = pulling(tmp_path, repository.address)
        assert repository.half_sent.wait(20)
        second = pulling(tmp_path, repository.address)
        other = store(tmp_path)
        while not 0 < other.fraction(model(CONTENT)) < 1:
            assert first.poll() is None
        assert repository.gate is not None
        repository.gate.set()
        assert first.communicate(timeout=20)[0] == second.communicate(timeout=20)[0] == b"here\n"
        assert repository.ranges == [None]


def test_a_killed_pull_is_carried_on_with(tmp_path: Path) -> None:
    with serving(Repository(CONTENT, gate=threading.Event())) as repository:
        process = pulling(tmp_path, repository.address)
        assert repository.half_sent.wait(20)
        wanted = model(CONTENT, official=repository.address)
        while not store(tmp_path).fraction(wanted):
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
        come = (tmp_path / "tiny.gguf.pull" / "official.part").stat().st_size
        repository.gate = None
        assert store(tmp_path).pull(wanted).read_bytes() == CONTENT
        assert repository.ranges == [None, f"bytes={come}-"]
