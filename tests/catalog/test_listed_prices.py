"""Prices in lists: which count, and in what unit."""

from __future__ import annotations

from typing import Any

import pytest

from writingmate.catalog.listed_prices import pricing
from writingmate.types import Pricing

CHEAP = {"prompt": "0.00000014", "completion": "0.00000021"}
DEAR = {"prompt": "0.00000028", "completion": "0.00000042"}
NIGHT = {"utc_start": 1630, "utc_end": 30}
MONDAY = {"utc_days": ["monday"]}
DAY = {"utc_start": 30, "utc_end": 1630}


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        ({"prompt": "0.000003", "completion": "0.000015"}, ("3", "15")),
        ({"prompt": "0", "completion": "0"}, ("0", "0")),
        ({"prompt": "0.0", "completion": 0, "request": "0", "image": "0"}, ("0", "0")),
        ({"prompt": "0", "completion": "0", "web_search": "0.01"}, ("0", "0")),
        ({"prompt": "0.000003", "completion": "0.000015", "request": "0.005"}, ("3", "15")),
        ({"input": 0.88, "output": 0.88, "hourly": 3}, ("0.88", "0.88")),
        (CHEAP | {"overrides": [NIGHT | CHEAP, DAY | DEAR]}, ("0.28", "0.42")),
        (DEAR | {"overrides": [NIGHT | CHEAP, DAY | DEAR]}, ("0.28", "0.42")),
        (
            CHEAP | {"overrides": [MONDAY | DEAR, {"utc_days": ["sunday"]}]},
            ("0.28", "0.42"),
        ),
        (CHEAP | {"overrides": [{"min_prompt_tokens": 200_000} | DEAR]}, ("0.14", "0.21")),
        (CHEAP | {"overrides": [{"min_prompt_tokens": 1} | NIGHT | DEAR, DEAR, 3, None]}, ("0.14", "0.21")),
        (CHEAP | {"overrides": [NIGHT | {"prompt": "-1", "completion": []}]}, ("0.14", "0.21")),
        (CHEAP | {"overrides": {"prompt": "1"}}, ("0.14", "0.21")),
    ],
)
def test_dollars_a_million_tokens(prices: dict[str, Any], expected: tuple[str, str]) -> None:
    assert pricing(prices) == Pricing(*expected)


@pytest.mark.parametrize(
    "prices",
    [
        {},
        {"prompt": "-1", "completion": "-1"},
        {"prompt": "0", "completion": "0", "request": "0.005"},
        {"prompt": "0", "completion": "0", "image": "0.04"},
        {"prompt": "2000000", "completion": "0"},
        {"prompt": "1.000001", "completion": "0"},
        {"prompt": "much", "completion": True},
        {"prompt": "NaN", "completion": "Infinity"},
    ],
)
def test_what_has_no_price_of_tokens_is_not_free(prices: dict[str, Any]) -> None:
    assert pricing(prices) is None
