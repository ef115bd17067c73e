from __future__ import annotations

import time

import pytest

from writingmate.errors import UpstreamNotReady
from writingmate.local.child import Rests


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
