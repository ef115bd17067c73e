"""Completions for providers that only chat: each prompt is one user message (WIRE §6).

What chat cannot do is refused by name: text after the gap, picking the best of several, prompts of
token ids. Everything else is carried, including what this codec has never heard of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from writingmate.dialects import chat, choices, faults, logprobs, watch
from writingmate.dialects.choices_codec import single
from writingmate.dialects.completions import choices_asked
from writingmate.dialects.completions_stream import CompletionsStream
from writingmate.dialects.grammar import given, on
from writingmate.dialects.text_completion import Answer, Choice, finish_reason, message_text
from writingmate.dialects.watch import Watch
from writingmate.errors import UnsupportedParameter, UpstreamBroken
from writingmate.types import DialectName
from writingmate.wire import document
from writingmate.wire.document import Document

#: Fields that become something else on the way, or that have had their effect before it.
TRANSLATED = frozenset(("prompt", "best_of", "echo", "logprobs", "stream_options", "suffix"))

#: Fields of chat with no meaning in a completion; carried, they would change what kind of answer comes.
FOREIGN = (
    "messages", "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call",
    "modalities", "audio", "top_logprobs",
)  # fmt: skip

#: Prompts in one request, each of them a call to the provider.
MOST_PROMPTS = 128

_TEXT = ord('"')
_ARRAY = ord("[")


class CompletionsOverChat:
    """One completions request as calls of chat, one a prompt; with ``one_choice`` one a choice of each.

    Raises UnsupportedParameter when made.
    """

    target: DialectName = "chat"

    def __init__(self, request: Document, *, slug: str, request_id: str, one_choice: bool = False) -> None:
        _refuse(request)
        self._request = request
        self._prompts = _prompts(request["prompt"])
        self._n = choices_asked(request)
        self._calls = self._n if one_choice else 1  # for each prompt
        if one_choice:
            self._prompts = [prompt for prompt in self._prompts for _ in range(self._n)]
            self._n = 1
        self._echo = on(request, "echo")
        self._alternatives = _alternatives(request)
        self._answer = Answer(
            reply_id=f"cmpl-{request_id}", model=slug, usage_asked=chat.usage_asked(request)
        )

    def requests(self) -> list[Document]:
        """One chat request a leg."""
        carried = {name: raw for name, raw in self._request.items() if name not in TRANSLATED}
        if self._alternatives is not None:
            carried["logprobs"] = document.raw(value=True)
            carried["top_logprobs"] = document.raw(self._alternatives)
        each = [carried] if self._calls == 1 else [single(carried, at) for at in range(self._calls)]
        return [
            {**each[leg % self._calls], "messages": _user_message(prompt)}
            for leg, prompt in enumerate(self._prompts)
        ]

    def reply(self, bodies: Sequence[bytes], watches: Sequence[Watch]) -> bytes:
        """One body with the choices of every prompt, those of the first prompt first."""
        answered: list[Choice] = []
        for leg, (body, seen) in enumerate(zip(bodies, watches, strict=True)):
            seen.body(body)
            said = choices.members(body)
            self._answer.began(said)
            answered += self._choices(leg, sorted(choices.listed(said), key=choices.place))
        return self._answer.whole(answered, watch.summed(watches))

    def stream(self, leg: int, watches: Sequence[Watch]) -> CompletionsStream:
        """The chunks of one prompt's choices."""
        return CompletionsStream(
            self._answer,
            watches,
            leg,
            n=self._n,
            echoed=self._echoed(leg),
            alternatives=self._alternatives,
        )

    def _echoed(self, leg: int) -> str:
        return str(document.value(self._prompts[leg])) if self._echo else ""

    def _choices(self, leg: int, said: list[dict[str, Any]]) -> Iterator[Choice]:
        if len(said) > self._n:
            raise UpstreamBroken(f"{len(said)} choices came, of {self._n} asked for")
        prompt = self._echoed(leg)
        for at, choice in enumerate(said):
            message = choice.get("message")
            if not isinstance(message, dict):
                raise UpstreamBroken("a choice has no message")
            yield Choice(
                text=prompt + message_text(message),
                index=leg * self._n + at,
                logprobs=logprobs.legacy(choice.get("logprobs"), self._alternatives),
                finish_reason=finish_reason(choice.get("finish_reason")) or "stop",
            )


def _refuse(request: Document) -> None:
    if given(request, "suffix") and document.value(request["suffix"]):
        raise _unsupported("suffix")
    if given(request, "max_tokens") and document.value(request["max_tokens"]) == 0:
        raise _unsupported("max_tokens", "of 0")
    if on(request, "echo") and given(request, "logprobs"):
        raise _unsupported("echo", "together with 'logprobs'")
    _refuse_best_of(request)
    for name in FOREIGN:
        if name in request:
            raise _unsupported(name, "in a completion")


def _refuse_best_of(request: Document) -> None:
    best_of = document.value(request["best_of"]) if given(request, "best_of") else None
    if best_of is not None and best_of != choices_asked(request):
        raise _unsupported("best_of", "greater than 'n'")


def _unsupported(param: str, when: str = "") -> UnsupportedParameter:
    what = f"'{param}' {when}".rstrip()
    return UnsupportedParameter(
        f"Unsupported parameter: {what} is not supported with this model, which only chats.", param=param
    )


def _alternatives(request: Document) -> int | None:
    return int(document.value(request["logprobs"])) if given(request, "logprobs") else None


def _prompts(prompt: msgspec.Raw) -> list[msgspec.Raw]:
    first = memoryview(prompt)[0]
    prompts = document.elements(prompt) if first == _ARRAY else [prompt]
    if len(prompts) > MOST_PROMPTS:
        raise faults.long_array("prompt", MOST_PROMPTS, len(prompts))
    if any(memoryview(each)[0] != _TEXT for each in prompts):
        raise _unsupported("prompt", "of tokens, or without text,")
    return prompts


def _user_message(prompt: msgspec.Raw) -> msgspec.Raw:
    return msgspec.Raw(b'[{"role":"user","content":' + bytes(prompt) + b"}]")
