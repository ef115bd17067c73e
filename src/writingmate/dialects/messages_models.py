"""What differs between the models that speak Anthropic's Messages: data, told apart by their names.

Sources: Anthropic's pages "Thinking", "Effort" and the migration guides of each model, November 2026.
A model that no row knows is sent what the client asked for, and its provider judges.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ADAPTIVE: Mapping[str, Any] = {"type": "adaptive", "display": "summarized"}

#: Tokens of thinking for models that want a number.
_BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 24_576, "xhigh": 32_000, "max": 48_000}
LEAST_BUDGET = 1024

_FOUR = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "max"}
_FIVE = _FOUR | {"xhigh": "xhigh"}


@dataclass(frozen=True, slots=True)
class Family:
    """Models alike.

    ``budgets`` or ``efforts`` translate reasoning_effort. ``off`` is the ``thinking`` that turns it off,
    empty where it is off unless asked for, None where it cannot be. ``samples`` says whether temperature
    and top_p are accepted, ``forces`` whether a call of a tool can be forced (never while it thinks).
    """

    names: str
    budgets: Mapping[str, int] | None = None
    efforts: Mapping[str, str] = field(default_factory=lambda: _FIVE)
    off: Mapping[str, Any] | None = field(default_factory=dict)
    samples: bool = True
    forces: bool = True


_OFF = {"type": "disabled"}
FAMILIES = (
    Family(r"claude-(3|(haiku|sonnet|opus)-4(-[015])?(-\d{8})?$)", budgets=_BUDGETS),
    Family(r"claude-(sonnet|opus)-4-6", efforts=_FOUR),
    Family(r"claude-opus-4-[78]", samples=False),
    Family(r"claude-sonnet-5-5", off={"type": "between_tools"}, samples=False, forces=False),
    Family(r"claude-haiku-5-5|claude-(sonnet|opus)-5(?!-\d\b)", off=_OFF, samples=False),
    Family(r"claude-(opus-5-5|fable|mythos)", off=None, samples=False, forces=False),
)
_UNKNOWN = Family("")


def family(model: str) -> Family:
    """The row of a model, by the provider's name of it."""
    return next((row for row in FAMILIES if re.match(row.names, model)), _UNKNOWN)
