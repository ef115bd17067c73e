"""What stands behind the question mark of a URL."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl

from writingmate.dialects import faults
from writingmate.dialects.responses import INCLUDES
from writingmate.errors import InvalidRequest
from writingmate.operations.anthropic_models import Page
from writingmate.operations.kept_responses import Listing

_BOOLEANS: Final = {"true": True, "false": False}
MOST_MODELS: Final = 1000
_NUMBER: Final = re.compile(r"[0-9]{1,15}")
_ORDERS: Final = ("asc", "desc")
_INCLUDE: Final = re.compile(r"include(?:\[[0-9]*\])?")
MOST_LISTED: Final = 100


def asked_stream(query: bytes) -> int | None:
    """The number that a stream is asked to start behind, -1 for all of it; None if none is asked for.

    Of ``stream=true&starting_after=N``. Raises InvalidRequest.
    """
    given = dict(_pairs(query))
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


def included(query: bytes) -> frozenset[str]:
    """What ``include`` names, said once for each or with brackets. Raises InvalidRequest."""
    names = [value for name, value in _pairs(query) if _INCLUDE.fullmatch(name)]
    for name in names:
        if name not in INCLUDES:
            raise faults.invalid_value("include", name, INCLUDES)
    return frozenset(names)


def listing(query: bytes) -> Listing:
    """``limit``, ``order``, ``after`` and ``include``. Raises InvalidRequest."""
    given = dict(_pairs(query))
    limit, order = given.get("limit", "20"), given.get("order", "desc")
    if not _NUMBER.fullmatch(limit):
        raise InvalidRequest(
            "Invalid type for 'limit': expected an integer.", param="limit", code="invalid_type"
        )
    if int(limit) < 1:
        raise faults.below_minimum("limit", int(limit), 1, "integer")
    if int(limit) > MOST_LISTED:
        raise faults.above_maximum("limit", int(limit), MOST_LISTED, "integer")
    if order not in _ORDERS:
        raise faults.invalid_value("order", order, _ORDERS)
    return Listing(
        int(limit), "asc" if order == "asc" else "desc", given.get("after") or None, included(query)
    )


def _pairs(query: bytes) -> list[tuple[str, str]]:
    return parse_qsl(query.decode("latin-1"), keep_blank_values=True)
