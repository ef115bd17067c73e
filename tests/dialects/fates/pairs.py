"""Every dialect that a client may speak, every one that a provider may, and which of them meet.

A new dialect is one entry in `CLIENTS` or `PROVIDERS`, and its reasons in `reasons`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from anthropic.types import message_create_params as messages
from openai.types import completion_create_params as completions
from openai.types.chat import completion_create_params as chat
from openai.types.responses import response_create_params as responses

from tests.dialects.fates import examples
from tests.dialects.fates.published import Around, Row, Walker
from tests.fakes import (
    anthropic_answers,
    anthropic_judge,
    gemini_answers,
    gemini_judge,
    openai_answers,
    openai_judge,
    openai_responses,
)
from tests.fakes.openai_answers import Answer
from tests.fakes.openai_choices import Wish
from writingmate.types import DialectName

Json = dict[str, Any]


@dataclass(frozen=True)
class Client:
    """A dialect of clients.

    ``type`` is the vendor's type of a request, ``base`` the least request, ``values`` and ``around``
    what `Walker` is told, ``beside`` what must be in a request beside a field, by the beginning of its
    label. Labels that begin with ``never``, a regular expression, are allowed by the type alone.
    Whose answer is looked at has asked for all there is: ``asking``, and ``streaming`` of a stream.
    """

    dialect: DialectName
    type: Any
    base: Json
    values: Mapping[str, Any] = field(default_factory=dict)
    beside: Mapping[str, Json] = field(default_factory=dict)
    around: Around | None = None
    never: str = "(?!)"
    asking: Json = field(default_factory=dict)
    streaming: Json = field(default_factory=lambda: {"stream": True})

    def rows(self) -> list[tuple[str, Json, Json]]:
        """Label, a request with the field, and the same request without it."""
        rows = Walker(self.values, self.around).rows(self.type)
        return [self._requests(row) for row in rows if not re.match(self.never, row.label)]

    def _requests(self, row: Row) -> tuple[str, Json, Json]:
        name = row.label.partition(".")[0].partition("[")[0].partition("=")[0]
        starts = [start for start in self.beside if row.label.startswith(start)]
        beside = {**self.base, **(self.beside[max(starts, key=len)] if starts else {})}
        without = {key: value for key, value in beside.items() if key != name}
        compared = {**without, name: row.other[name]} if name in row.other else without
        if name in self.base and row.label == name:
            compared = beside
        return row.label, {**without, name: row.value[name]}, compared


@dataclass(frozen=True)
class Provider:
    """A dialect of providers.

    ``fault`` is what its vendor's types have against a request, ``answer`` what its fake answers one
    with; ``least`` is the request that stands for all of them, ``done`` whether a stream ends in [DONE].
    """

    dialect: DialectName
    model: str
    fault: Callable[[Json], object]
    answer: Callable[[Json, str, Wish], Answer]
    least: Json
    done: bool = True


def _judged(dialect: DialectName) -> Callable[[Json], object]:
    return lambda request: openai_judge.fault(dialect, request)


CLIENTS = {
    client.dialect: client
    for client in (
        Client("chat", chat.CompletionCreateParamsStreaming, **examples.CHAT),
        Client("completions", completions.CompletionCreateParamsStreaming, **examples.COMPLETIONS),
        Client("responses", responses.ResponseCreateParamsStreaming, **examples.RESPONSES),
        Client("messages", messages.MessageCreateParamsStreaming, **examples.MESSAGES),
    )
}

_GEMINI = "gemini-2.5-flash"
_SAID = {"role": "user", "content": [{"type": "text", "text": "hi"}]}
PROVIDERS = {
    provider.dialect: provider
    for provider in (
        Provider("chat", "gpt-4.1", _judged("chat"), openai_answers.chat, {"messages": [_SAID]}),
        Provider(
            "completions", "davinci", _judged("completions"), openai_answers.completion, {"prompt": "hi"}
        ),
        Provider("responses", "gpt-5", _judged("responses"), openai_responses.responses, {"input": "hi"}),
        Provider(
            "messages",
            "claude-haiku-4-5",
            anthropic_judge.fault,
            anthropic_answers.message,
            {"messages": [_SAID], "max_tokens": 99},
            done=False,
        ),
        Provider(
            "gemini",
            _GEMINI,
            lambda request: gemini_judge.fault(gemini_judge.spelt(request), _GEMINI),
            lambda request, name, wish: gemini_answers.content(request, _GEMINI, name, wish),
            {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]},
            done=False,
        ),
    )
}
