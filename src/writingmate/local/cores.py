"""How many threads a model may use."""

from __future__ import annotations

import os
from pathlib import Path

MOST = 8
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def threads(quota: Path = _QUOTA) -> int:
    """All usable cores but one, at least one.

    The runtime's threads spin while they wait for each other: one more than there are free cores
    makes it several times slower, and the gateway needs a core too. Small models gain nothing from many.
    """
    return max(1, min(_usable(quota) - 1, MOST))


def _usable(quota: Path) -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, _allotted(quota) or cores)


def _allotted(quota: Path) -> int | None:
    """Whole cores that the container may use, None if it is not limited."""
    try:
        allotted, period = quota.read_text(encoding="ascii").split()
        return max(1, int(allotted) // int(period))
    except (OSError, ValueError):
        return None
