"""Anthropic's own names of models, as slugs of the catalog may have them.

Its clients name models as Anthropic does, with dashes and often a date: ``claude-sonnet-4-5-20250929`` is
``anthropic/claude-sonnet-4.5``. Which of the candidates exists is the catalog's to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_OWNER = "anthropic/"
#: The end of a name that says no more than which edition, or how much of it is to be read.
_EDITION = re.compile(r"(?:[-@]\d{8}|-latest|\[1m\])+$")
_NUMBERED = re.compile(r"^(claude-[a-z]+-\d+)-(\d{1,2})$")
_NUMBERED_FIRST = re.compile(r"^(claude-\d+)-(\d{1,2})(-[a-z]+)$")


def candidates(name: str) -> Iterator[str]:
    """Slugs that a name can stand for, itself first.

    >>> list(candidates("claude-haiku-4-5-20251001"))[-1]
    'anthropic/claude-haiku-4.5'
    """
    yield name
    bare = name.removeprefix(_OWNER)
    if not bare.startswith("claude-"):
        return
    plain = _EDITION.sub("", bare)
    dotted = _NUMBERED_FIRST.sub(r"\1.\2\3", _NUMBERED.sub(r"\1.\2", plain))
    for each in dict.fromkeys((bare, plain, dotted)):
        yield _OWNER + each
