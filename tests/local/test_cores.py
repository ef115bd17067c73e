from __future__ import annotations

import os
from pathlib import Path

import pytest

from writingmate.local.cores import MOST, threads


def test_a_core_is_left_for_the_gateway() -> None:
    cores = len(os.sched_getaffinity(0))
    assert threads(Path("/none")) == max(1, min(cores - 1, MOST))


@pytest.mark.parametrize(("quota", "most"), [("100000 100000", 1), ("50000 100000", 1), ("max 100000", MOST)])
def test_a_containers_quota_counts(tmp_path: Path, quota: str, most: int) -> None:
    file = tmp_path / "cpu.max"
    file.write_text(quota + "\n", encoding="ascii")
    assert 1 <= threads(file) <= most
