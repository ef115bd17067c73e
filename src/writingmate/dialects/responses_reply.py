"""A chat completion's choice as the items of a response."""

from __future__ import annotations

from collections import deque
from typing import Any

from writingmate.dialects.responses_echo import status_of
from writingmate.dialects.responses_items import Items
from writingmate.errors import UpstreamBroken


def fill(made: Items, choice: dict[str, Any]) -> object:
    """Take all of a choice; its finish_reason. Raises UpstreamBroken if there is no message."""
    message = choice.get("message")
    if not isinstance(message, dict):
        raise UpstreamBroken("a choice has no message")
    reason = choice.get("finish_reason")
    # Nobody hears the events of an answer in one piece.
    deque(made.take(message, choice.get("logprobs")), maxlen=0)
    deque(made.close(status_of(reason)), maxlen=0)
    return reason
