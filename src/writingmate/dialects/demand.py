"""How much a request asks for, so that what it may cost can be held before it is sent."""

from __future__ import annotations

from writingmate.dialects.completions import choices_asked
from writingmate.dialects.grammar import given
from writingmate.wire import document
from writingmate.wire.document import Document

_ARRAY = ord("[")
_NESTED = frozenset((b'"', b"["))
_ABSURD = 1_000_000_000
_ENOUGH = 64  # bytes, as in the grammar: no client writes more spaces before the first element


def tokens(request: Document) -> int | None:
    """The most that each choice may take, as the client says; None if it does not.

    Reasoning is part of it with every provider, whatever the field is called. More than any model
    writes is a billion: the books have no room for every number that JSON has.
    """
    for name in ("max_completion_tokens", "max_tokens"):
        if given(request, name):
            return min(_ABSURD, int(document.value(request[name])))
    return None


def choices(request: Document) -> int:
    """How many choices are generated: those of every prompt, and those that ``best_of`` drops."""
    each = choices_asked(request)
    if given(request, "best_of"):
        each = max(each, int(document.value(request["best_of"])))
    return each * prompts(request)


def prompts(request: Document) -> int:
    """How many prompts a completion has; 1 for anything else."""
    prompt = request.get("prompt")
    if prompt is None or memoryview(prompt)[0] != _ARRAY:
        return 1
    if bytes(memoryview(prompt)[1:_ENOUGH]).lstrip()[:1] not in _NESTED:
        return 1
    return len(document.elements(prompt))


def output(request: Document, cap: int) -> int:
    """Tokens that all choices together may take at most; ``cap`` is the model's, for each that asks for none.

    What is asked for counts even above the cap: the cap of a discovered model may be a guess, and a
    provider that knows better refuses, which costs nothing, or gives less, which is released. A
    prediction's tokens are counted as completion where the answer departs from it, beside the limit.
    """
    most = tokens(request)
    each = max(0, cap if most is None else most) + predicted(request)
    return each * choices(request)


def predicted(request: Document) -> int:
    """Tokens of a choice that a prediction may take beside its limit."""
    return len(memoryview(request["prediction"])) if given(request, "prediction") else 0
