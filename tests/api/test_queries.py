"""What stands behind the question mark of a URL."""

from __future__ import annotations

import pytest

from writingmate.api.queries import asked_stream
from writingmate.errors import InvalidRequest


@pytest.mark.parametrize(
    ("query", "after"),
    [
        (b"", None),
        (b"stream=false", None),
        (b"stream=true", -1),
        (b"stream=true&starting_after=0", 0),
        (b"starting_after=42&include_obfuscation=false&stream=true", 42),
    ],
)
def test_a_stream_is_asked_for_behind_an_event(query: bytes, after: int | None) -> None:
    assert asked_stream(query) == after


@pytest.mark.parametrize(
    ("query", "param"),
    [
        (b"stream=", "stream"),
        (b"stream=1", "stream"),
        (b"starting_after=1", "starting_after"),
        (b"stream=false&starting_after=1", "starting_after"),
        (b"stream=true&starting_after=", "starting_after"),
        (b"stream=true&starting_after=-1", "starting_after"),
        (b"stream=true&starting_after=1e3", "starting_after"),
        (b"stream=true&starting_after=9999999999999999", "starting_after"),
        (b"stream=true&starting_after=\xd9\xa1", "starting_after"),
    ],
)
def test_anything_else_is_refused_by_name(query: bytes, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        asked_stream(query)
    assert refused.value.param == param
