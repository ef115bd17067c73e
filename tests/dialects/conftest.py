"""One moment for all recordings: answers say when they were completed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from writingmate.dialects import responses_echo

NOW = 1_764_968_000


class _Stopped:
    @staticmethod
    def time() -> float:
        return float(NOW)


@contextmanager
def stopped() -> Iterator[None]:
    """All answers are completed at one moment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(responses_echo, "time", _Stopped)
        yield


@pytest.fixture(autouse=True, scope="session")
def stopped_clock() -> Iterator[None]:
    with stopped():
        yield
