"""A target: what is drawn, and what has to hold of everything drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

#: Chance of our own: drawn once an example, it costs nothing however much is left to it.
SEEDS = st.integers(0, 2**32)


@dataclass
class Target:
    """``check`` raises for an example that shows a fault. ``ran`` counts the examples of all runs."""

    codec: str
    direction: str
    drawn: st.SearchStrategy[Any]
    check: Callable[[Any], None]
    ran: int = field(default=0, compare=False)

    @property
    def name(self) -> str:
        """As ``chat_over_messages, streams``."""
        return f"{self.codec}, {self.direction}"

    def run(self, examples: int) -> None:
        """Draw so many. Raises what `check` raised for the smallest example found, which is in its notes."""

        @settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
        )
        @given(self.drawn)
        def holds(example: Any) -> None:
            self.ran += 1
            self.check(example)

        holds()
