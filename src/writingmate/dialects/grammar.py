"""Checks a document's top-level fields before anybody is asked to serve it (WIRE §2.3).

A grammar is a table: one rule for each field that the dialect names, the fields it requires, and those
that can contradict each other. Most rules are one typed decode of the field's own bytes; only a refusal
looks closer, to say what OpenAI would say. Fields the table does not name pass: they are
extensions of some provider, whose business they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec

from writingmate.dialects import faults
from writingmate.errors import InvalidRequest
from writingmate.wire import document
from writingmate.wire.document import Document

#: Raises anything in ``REFUSED`` unless the field may have these bytes.
Accept: TypeAlias = Callable[[msgspec.Raw], object]

#: Says what is wrong with a value that was not accepted.
Explain: TypeAlias = Callable[[str, Any], InvalidRequest]

#: Looks at fields together; raises InvalidRequest.
Contradiction: TypeAlias = Callable[[Document], None]

REFUSED = (msgspec.DecodeError, ValueError, RecursionError)


@dataclass(frozen=True, slots=True)
class Rule:
    """What one field may be. ``accept`` is quick; only what it refuses is read to be explained."""

    accept: Accept
    explain: Explain


class Grammar:
    """What a dialect allows at the top level of a request.

    Args:
        rules: for every field that the dialect names.
        required: fields that must be there.
        contradictions: each looked at if the field that it stands under is there.
    """

    def __init__(
        self,
        rules: Mapping[str, Rule],
        *,
        required: tuple[str, ...],
        contradictions: Mapping[str, Contradiction],
    ) -> None:
        self.rules = rules
        self.required = required
        self.contradictions = contradictions
        self._accepts = {param: rule.accept for param, rule in rules.items()}

    def check(self, request: Document) -> None:
        """Raise InvalidRequest, naming the field, if the request is not well-formed."""
        for param in self.required:
            if param not in request:
                raise faults.missing(param)
        accepts = self._accepts
        for param, raw in request.items():
            accept = accepts.get(param)
            if accept is not None:
                try:
                    accept(raw)
                except REFUSED:
                    raise self.rules[param].explain(param, _readable(param, raw)) from None
        for param, contradiction in self.contradictions.items():
            if param in request:
                contradiction(request)


def _readable(param: str, raw: msgspec.Raw) -> Any:  # noqa: ANN401  # any JSON value
    try:
        return document.value(raw)
    except InvalidRequest:
        raise InvalidRequest(
            f"Invalid value for '{param}': it holds a number out of every range, or is nested too deeply.",
            param=param,
            code="invalid_value",
        ) from None


def given(request: Document, param: str) -> bool:
    """Whether the field is there and is not null."""
    raw = request.get(param)
    return raw is not None and memoryview(raw)[0] != _NULL


def on(request: Document, param: str) -> bool:
    """Whether the field is ``true``."""
    raw = request.get(param)
    return raw is not None and _BOOLEAN(raw) is True


_NULL = ord("n")
_BOOLEAN = msgspec.json.Decoder(bool | None).decode
