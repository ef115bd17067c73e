"""The pairs of dialects that there are: what a client speaks, and what its provider does."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from tests.dialects.recordings import Recording, recordings
from writingmate.dialects.exchange import GRAMMARS, Exchange
from writingmate.types import DialectName
from writingmate.wire import document

Json = dict[str, Any]

_PARAMETERS = {"type": "object", "properties": {}}
_NAMES = ("look", "now", "a-b_9")
_TURNS = [{"role": "user", "content": "Hi"}]

#: A request of each dialect of clients, with tools where it has any.
OPENINGS: dict[str, Json] = {
    "chat": {
        "messages": _TURNS,
        "tools": [
            {"type": "function", "function": {"name": name, "parameters": _PARAMETERS}} for name in _NAMES
        ],
    },
    "completions": {"prompt": "Once"},
    "responses": {
        "input": "Hi",
        "tools": [{"type": "function", "name": name, "parameters": _PARAMETERS} for name in _NAMES],
    },
    "messages": {
        "max_tokens": 100,
        "messages": _TURNS,
        "tools": [{"name": name, "input_schema": _PARAMETERS} for name in _NAMES],
    },
}

#: Dialects of clients that are told the usage of a stream only if they ask.
ASKING = ("chat", "completions")


@dataclass(frozen=True)
class Pair:
    """What joins a client's dialect to a provider that speaks these, called as its folder of cases."""

    name: str
    dialect: DialectName
    spoken: tuple[DialectName, ...]

    @property
    def translated(self) -> bool:
        """Whether the provider does not speak the client's dialect."""
        return self.dialect not in self.spoken

    @cached_property
    def cases(self) -> list[Recording]:
        """What was recorded of it."""
        return [case for case in recordings() if case.codec == self.name]

    @property
    def opens(self) -> bool:
        """Whether requests can be made for it."""
        return self.dialect in OPENINGS

    def begin(self, request: Json) -> Exchange:
        """The exchange of a request of the client's. Raises InvalidRequest."""
        asked = document.parse(msgspec.json.encode({"model": "a/b", **request}))
        GRAMMARS[self.dialect].check(asked)
        return Exchange.begin(
            self.dialect,
            asked,
            self.spoken,
            model=self.models[0],
            slug="a/b",
            request_id="req1",
            created=1_770_000_000,
        )

    def opened(self, *, stream: bool) -> Exchange:
        """The exchange of a simple request."""
        options = {"stream_options": {"include_usage": True}} if stream and self.dialect in ASKING else {}
        return self.begin({**OPENINGS[self.dialect], **options, "stream": stream})

    @cached_property
    def models(self) -> list[str]:
        """The provider's names of the models that were recorded."""
        return sorted({str(case.facts["model"]) for case in self.cases})


def pairs() -> list[Pair]:
    """One for each folder of cases, with what most of the providers speak there."""
    found = []
    for codec, cases in itertools.groupby(recordings(), key=lambda case: case.codec):
        facts = [case.facts for case in cases]
        spoken = Counter(tuple(each["spoken"]) for each in facts).most_common(1)[0][0]
        found.append(Pair(codec, facts[0]["dialect"], spoken))
    return found


PAIRS = pairs()
