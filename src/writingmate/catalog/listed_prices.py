"""What a model in a provider's list costs.

Prices are dollars a token as text (OpenRouter), of which -1 means that it depends, or dollars a million
tokens as numbers (Together).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from writingmate.catalog.models import is_price
from writingmate.types import Pricing

_TOKENS = 1_000_000
#: What may cost something of a model whose tokens do not.
_BESIDE = ("request", "image", "image_output", "audio", "audio_output", "internal_reasoning")
_HOURS = frozenset(("utc_start", "utc_end", "utc_days"))


def pricing(prices: Mapping[str, Any]) -> Pricing | None:
    """Dollars a million tokens; None if they are not said, or what costs something is not the tokens."""
    a_token = _dearest(prices, "prompt"), _dearest(prices, "completion")
    a_million = _amount(prices.get("input"), 1), _amount(prices.get("output"), 1)
    for dollars_in, dollars_out in (a_token, a_million):
        if dollars_in is not None and dollars_out is not None:
            is_free = dollars_in == dollars_out == "0"
            return None if is_free and _costs_beside(prices) else Pricing(dollars_in, dollars_out)
    return None


def _dearest(prices: Mapping[str, Any], name: str) -> str | None:
    """Where the hour decides, the dearest: a tier must not change over the day."""
    usual = _amount(prices.get(name), _TOKENS)
    if usual is None:
        return None
    others = (_amount(hours.get(name), _TOKENS) for hours in _hourly(prices))
    return max([usual, *(other for other in others if other is not None)], key=Decimal)


def _hourly(prices: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """OpenRouter's ``overrides`` that hold at certain hours; those of long prompts do not count."""
    overrides = prices.get("overrides")
    for override in overrides if isinstance(overrides, list) else ():
        if isinstance(override, dict):
            conditions = {name for name, value in override.items() if not isinstance(value, str)}
            if conditions and conditions <= _HOURS:
                yield override


def _costs_beside(prices: Mapping[str, Any]) -> bool:
    return any(_amount(prices.get(name), 1) not in {None, "0"} for name in _BESIDE)


def _amount(value: object, times: int) -> str | None:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)) or not is_price(str(value)):
        return None
    text = f"{Decimal(str(value)) * times:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text if is_price(text) else None
