"""What stands behind the question mark of a URL."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl

from writingmate.errors import InvalidRequest
from writingmate.operations.anthropic_models import Page

_BOOLEANS: Final = {"true": True, "false": False}
MOST_MODELS: Final = 1000
_NUMBER: Final = re.compile(r"[0-9]{1,15}")


def asked_stream(query: bytes) -> int | None:
    """The number that a stream is asked to start behind, -1 for all of it; None if none is asked for.

    Of ``stream=true&starting_after=N``. Raises InvalidRequest.
    """
    given = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    stream = given.get("stream", "false")
    if stream not in _BOOLEANS:
        raise InvalidRequest(
            f"Invalid value: '{stream[:50]}'. Supported values are: 'true' and 'false'.",
            param="stream",
            code="invalid_value",
        )
    after = given.get("starting_after")
    if not _BOOLEANS[stream]:
        if after is not None:
            raise InvalidRequest(
                "The 'starting_after' parameter is only allowed when 'stream' is true.",
                param="starting_after",
            )
        return None
    if after is None:
        return -1
    if not _NUMBER.fullmatch(after):
        raise InvalidRequest(
            "Invalid type for 'starting_after': expected the sequence number of an event, 0 or more.",
            param="starting_after",
            code="invalid_type",
        )
    return int(after)


def asked_page(query: bytes) -> Page:
    """The page of ``limit=N&after_id=ID&before_id=ID``, 20 models unless told. Raises InvalidRequest."""
    given = dict(parse_qsl(query.decode("latin-1"), encoding="utf-8"))
    limit = given.get("limit", "20")
    if not _NUMBER.fullmatch(limit) or not 1 <= int(limit) <= MOST_MODELS:
        raise InvalidRequest(
            f"Invalid 'limit': expected a number from 1 to {MOST_MODELS}.",
            param="limit",
            code="invalid_value",
        )
    return Page(int(limit), given.get("after_id"), given.get("before_id"))
