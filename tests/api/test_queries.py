"""What stands behind the question mark of a URL."""

from __future__ import annotations

import pytest

from writingmate.api.queries import asked_stream, included, listing
from writingmate.dialects.responses_reasoning import ENCRYPTED
from writingmate.errors import InvalidRequest
from writingmate.operations.kept_responses import Listing


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


@pytest.mark.parametrize(
    "query",
    [
        b"include=reasoning.encrypted_content",
        b"include[]=reasoning.encrypted_content",
        b"include%5B%5D=reasoning.encrypted_content&stream=false",
        b"include[0]=reasoning.encrypted_content",
    ],
)
def test_what_is_to_be_included_is_written_in_every_way(query: bytes) -> None:
    assert included(query) == {ENCRYPTED}
    assert included(query + b"&include[]=message.output_text.logprobs") > {ENCRYPTED}
    assert included(b"includes=x&exclude=y") == frozenset()


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        (b"", Listing()),
        (b"limit=1&order=asc&after=msg_1", Listing(1, "asc", "msg_1")),
        (b"limit=100&after=&order=desc", Listing(100)),
        (b"include[]=reasoning.encrypted_content", Listing(include=frozenset((ENCRYPTED,)))),
    ],
)
def test_a_page_of_a_list_is_asked_for(query: bytes, asked: Listing) -> None:
    assert listing(query) == asked


@pytest.mark.parametrize(
    ("query", "param"),
    [
        (b"limit=0", "limit"),
        (b"limit=101", "limit"),
        (b"limit=", "limit"),
        (b"limit=-1", "limit"),
        (b"limit=1.5", "limit"),
        (b"order=", "order"),
        (b"order=ASC", "order"),
        (b"include[]=everything", "include"),
    ],
)
def test_any_other_page_is_refused_by_name(query: bytes, param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        listing(query)
    assert refused.value.param == param
