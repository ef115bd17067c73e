"""The only changes made to a document on its way: the model's name, asking for usage, a lower limit."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import msgspec

from writingmate.dialects.chat import PLAINLY_ASKED
from writingmate.dialects.grammar import given
from writingmate.types import DialectName
from writingmate.wire import document
from writingmate.wire.document import Document

_TRUE = msgspec.Raw(b"true")
_ASKED = msgspec.Raw(PLAINLY_ASKED)

#: What a completions model writes at most if it is not told (WIRE §6).
_COMPLETIONS_DEFAULT = 16


@lru_cache(maxsize=4096)
def text(value: str) -> msgspec.Raw:
    """A string's JSON, kept: there are only so many models."""
    return document.raw(value)


def ask_for_usage(outgoing: Document, how: Literal["option", "always"]) -> None:
    """Have the stream report its usage; every other option stays as it is.

    A provider that reports it ``always`` refuses to be asked.
    """
    raw = outgoing.get("stream_options")
    if raw is None:
        if how == "option":
            outgoing["stream_options"] = _ASKED
        return
    if how == "option" and bytes(raw) == PLAINLY_ASKED:
        return
    options = document.members(raw)
    if how == "option":
        options["include_usage"] = _TRUE
    else:
        options.pop("include_usage", None)
    if options:
        outgoing["stream_options"] = document.raw(options)
    else:
        del outgoing["stream_options"]


def clamp(outgoing: Document, dialect: DialectName, most: int) -> None:
    """Lower the limit on output tokens to ``most``, in the field that the client used."""
    for name in ("max_output_tokens", "max_completion_tokens", "max_tokens"):
        if given(outgoing, name) and (name == "max_output_tokens") == (dialect == "responses"):
            outgoing[name] = document.raw(min(most, document.value(outgoing[name])))
            return
    if dialect == "responses":
        outgoing["max_output_tokens"] = document.raw(most)
    elif dialect == "chat":
        outgoing["max_completion_tokens"] = document.raw(most)
    else:
        outgoing["max_tokens"] = document.raw(min(most, _COMPLETIONS_DEFAULT))
