"""What differs between the models that speak Gemini's generateContent: data, told apart by their names.

Sources: Google's pages "Thinking", "Thought signatures" and "OpenAI compatibility", and what the models
were seen to refuse, November 2026. A model that no row knows is taken for one of the newest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Tokens of thinking for models that want a number.
_BUDGETS = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24_576, "xhigh": 24_576, "max": 24_576}
_PRO_BUDGETS = _BUDGETS | {"xhigh": 32_768, "max": 32_768}

_LEVELS = {
    "minimal": "LOW", "low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "HIGH", "max": "HIGH",
}  # fmt: skip
_FLASH = _LEVELS | {"minimal": "MINIMAL"}
_FIRST_PRO = _LEVELS | {"medium": "HIGH"}


@dataclass(frozen=True, slots=True)
class Family:
    """Models alike.

    ``budgets`` or ``levels`` translate reasoning_effort, neither for models that do not think. ``stops``
    says whether thinking can be turned off. With ``signs`` a call without a thought signature is refused;
    results that hold pictures, and tools together with answers in JSON, came with the same generation.
    """

    names: str
    budgets: Mapping[str, int] | None = None
    levels: Mapping[str, str] | None = None
    stops: bool = False
    signs: bool = True

    def thinking(self, effort: str) -> dict[str, Any]:
        """The ``thinkingConfig`` of an effort that it has."""
        if self.budgets is not None:
            return {"thinkingBudget": self.budgets[effort], "includeThoughts": True}
        levels = self.levels or {}
        return {"thinkingLevel": levels[effort], "includeThoughts": True}


_FAMILIES = (
    Family(r"gemini-(1|2\.0)|gemma|learnlm", signs=False),
    Family(r"gemini-2\.5-pro", budgets=_PRO_BUDGETS, signs=False),
    Family(r"gemini-2\.5", budgets=_BUDGETS, stops=True, signs=False),
    Family(r"gemini-3-pro", levels=_FIRST_PRO),
    Family(r"gemini-3\.[78]-flash(?!-lite)", levels=_LEVELS),
    Family(r"gemini-3(\.\d+)?-flash", levels=_FLASH),
)
_UNKNOWN = Family("", levels=_LEVELS)


def family(model: str) -> Family:
    """The row of a model, by the provider's name of it."""
    name = model.removeprefix("models/")
    return next((row for row in _FAMILIES if re.match(row.names, name)), _UNKNOWN)
