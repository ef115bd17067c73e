"""What dead nodes held is settled by those that live, by the written rule (PRODUCT §4).

A hold belongs to the node that made it; a node proves that it lives by its heartbeat. A hold whose node
is unknown, or whose lease is over, is charged its prompt part, at least one message.
"""

from __future__ import annotations

from typing import Final

from writingmate.metering.commands import Closing, HoldRow, limits_of
from writingmate.types import Usage

# Holds settled in one transaction, so that a sweep never keeps requests waiting.
PAGE: Final = 256

FLAGS: Final = frozenset({"interrupted", "estimated"})


def interrupted(row: HoldRow) -> Closing:
    """The settlement of a hold whose node is gone: the prompt's bound, and nothing of the answer."""
    return Closing(
        row,
        Usage(prompt_tokens=row.prompt_tokens),
        FLAGS,
        limits=limits_of(row),
    )
