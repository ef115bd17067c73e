"""How much a request asks for, so that what it may cost can be held before it is sent."""

from __future__ import annotations

import msgspec

from writingmate.dialects.completions import choices_asked
from writingmate.dialects.grammar import given
from writingmate.wire import document
from writingmate.wire.document import Document

_ARRAY = ord("[")
_NESTED = frozenset(b'"[')


def tokens(request: Document) -> int | None:
    """The most that each choice may take, as the client says; None if it does not."""
    for name in ("max_completion_tokens", "max_tokens"):
        if given(request, name):
            return int(document.value(request[name]))
    return None


def choices(request: Document) -> int:
    """How many choices are generated: those of every prompt, and those that ``best_of`` drops."""
    each = choices_asked(request)
    if given(request, "best_of"):
        each = max(each, int(document.value(request["best_of"])))
    return each * _prompts(request.get("prompt"))


def _prompts(prompt: msgspec.Raw | None) -> int:
    if prompt is None or memoryview(prompt)[0] != _ARRAY:
        return 1
    found = document.elements(prompt)
    return len(found) if memoryview(found[0])[0] in _NESTED else 1
