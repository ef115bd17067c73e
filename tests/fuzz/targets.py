"""All targets."""

from __future__ import annotations

from tests.fuzz import answers, asking, octets, recorded
from tests.fuzz.target import Target


def everything() -> list[Target]:
    """In the order that they are run in."""
    return [*asking.targets(), *answers.targets(), *recorded.targets(), *octets.targets()]
