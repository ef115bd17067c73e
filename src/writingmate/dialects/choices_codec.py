"""Several choices of a chat from a provider that gives one a call: a call for each (WIRE §5.3).

The choices come one after the other, each with its own index; what every chunk says alike is what the
first one said, and the usage is the sum.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from writingmate.dialects import chat, choices, watch
from writingmate.dialects.base import Chunked
from writingmate.dialects.chat_completion import usage_object
from writingmate.dialects.completions import choices_asked
from writingmate.dialects.grammar import given
from writingmate.dialects.watch import Watch
from writingmate.errors import UpstreamBroken
from writingmate.types import DialectName
from writingmate.wire import document, sse
from writingmate.wire.document import Document

#: Members that all chunks of a stream have in common.
_ALIKE = ("id", "created", "model", "system_fingerprint")


def single(request: Document, choice: int) -> Document:
    """The request for one of its choices.

    A seed is another for each: with the same one a provider would say the same again.
    """
    sent = {name: raw for name, raw in request.items() if name != "n"}
    if choice and given(request, "seed"):
        sent["seed"] = document.raw(document.value(request["seed"]) + choice)
    return sent


class ChoicesOverChat:
    """One chat request as one call a choice."""

    target: DialectName = "chat"

    def __init__(self, request: Document) -> None:
        self._request = request
        self._n = choices_asked(request)
        self.usage_asked = chat.usage_asked(request)
        self.alike: dict[str, Any] = {}

    def requests(self) -> list[Document]:
        """One chat request a choice."""
        return [single(self._request, choice) for choice in range(self._n)]

    def reply(self, bodies: Sequence[bytes], watches: Sequence[Watch]) -> bytes:
        """The first body, with the choices of all."""
        answered = []
        for index, (body, seen) in enumerate(zip(bodies, watches, strict=True)):
            seen.body(body)
            listed = choices.listed(choices.members(body))
            if len(listed) != 1:
                raise UpstreamBroken(f"{len(listed)} choices came, of 1 asked for")
            answered.append({**listed[0], "index": index})
        said = {**choices.members(bodies[0]), "choices": answered}
        usage = watch.summed(watches)
        said.pop("usage", None)
        return msgspec.json.encode(said if usage is None else {**said, "usage": usage_object(usage)})

    def stream(self, leg: int, watches: Sequence[Watch]) -> ChoicesStream:
        """The chunks of one choice."""
        return ChoicesStream(self, leg, watches)


class ChoicesStream(Chunked):
    """One leg: its only choice gets the leg's index."""

    def __init__(self, answer: ChoicesOverChat, leg: int, watches: Sequence[Watch]) -> None:
        self._answer = answer
        self._leg = leg
        self._watches = watches

    def feed(self, frames: Sequence[bytes]) -> bytes:
        """The chunks of the choice; of all other frames only those of the first leg."""
        kept = self._watches[self._leg].passing(frames)
        return b"".join(self._chunk(choices.members(sse.data(frame)), frame) for frame in kept)

    def end(self) -> bytes:
        """After the last leg the usage of all, if it was asked for and is known."""
        self._watches[self._leg].finish()
        if self._leg + 1 < len(self._watches) or not self._answer.usage_asked:
            return b""
        usage = watch.summed(self._watches)
        if usage is None:
            return b""
        said = {"object": "chat.completion.chunk", **self._answer.alike, "choices": []}
        return sse.event(msgspec.json.encode({**said, "usage": usage_object(usage)}))

    def _chunk(self, said: dict[str, Any], frame: bytes) -> bytes:
        listed = choices.listed(said)
        if not listed:
            return b"" if self._leg else frame
        if len(listed) > 1 or choices.place(listed[0]):
            raise UpstreamBroken(f"{len(listed)} choices came, of 1 asked for")
        if not self._answer.alike:
            self._answer.alike = {name: said[name] for name in _ALIKE if name in said}
        said = {**said, **self._answer.alike, "choices": [{**listed[0], "index": self._leg}]}
        said.pop("usage", None)
        return sse.event(msgspec.json.encode(said))
