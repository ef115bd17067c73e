"""An answer as it is kept: it opens as it was, and for nobody else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from writingmate.errors import Sealed
from writingmate.operations.kept import BATCH, LARGE, Kept, opened, sealed
from writingmate.vault.box import Box
from writingmate.vault.keys import Keyring

KEY = ("ws_one", "user_one", "once")
HEADERS = {"x-writingmate-workspace": "ws_one", "x-writingmate-route": "fake/m"}
WHOLE = Kept(200, streamed=False, headers=HEADERS, pieces=[], last=b'{"secret": "words"}')
STREAM = Kept(
    200, streamed=True, headers=HEADERS, pieces=[b"data: secret words\n\n"] * 9, last=b"data: [DONE]\n\n"
)
LONG = Kept(200, streamed=True, headers=HEADERS, pieces=[os.urandom(LARGE)] * 3, last=os.urandom(LARGE))


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(Keyring(tmp_path / "vault.keys"))


@pytest.mark.parametrize("answer", [WHOLE, STREAM, LONG], ids=["whole", "stream", "long"])
async def test_it_opens_as_it_was(box: Box, answer: Kept) -> None:
    stored = await sealed(answer, box, KEY)
    assert b"secret" not in stored
    assert b"fake/m" not in stored
    assert await opened(stored, box, KEY) == answer


@pytest.mark.parametrize("place", range(3))
async def test_it_opens_for_no_other_key(box: Box, place: int) -> None:
    stored = await sealed(WHOLE, box, KEY)
    other = [*KEY]
    other[place] += "x"
    with pytest.raises(Sealed):
        await opened(stored, box, (other[0], other[1], other[2]))


async def test_a_stream_is_small(box: Box) -> None:
    many = Kept(200, streamed=True, headers={}, pieces=STREAM.pieces * 1000, last=b"")
    assert len(await sealed(many, box, KEY)) < sum(map(len, many.pieces)) / 20


def test_events_are_sent_some_at_a_time() -> None:
    piece = b"x" * 1000
    batches = list(Kept(200, streamed=True, headers={}, pieces=[piece] * 200, last=b"").batches())
    assert b"".join(batches) == piece * 200
    assert len(batches) == -(-200_000 // (BATCH + 1000 - BATCH % 1000))
    assert all(len(batch) < BATCH + 1000 for batch in batches)
    assert list(Kept(200, streamed=True, headers={}, pieces=[], last=b"").batches()) == []
