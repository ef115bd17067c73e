"""A chat stream as a stream of completions, one prompt's choices after another's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from writingmate.dialects import choices, logprobs, watch
from writingmate.dialects.base import Chunked
from writingmate.dialects.text_completion import Answer, Choice, finish_reason, message_text
from writingmate.dialects.watch import Watch
from writingmate.errors import UpstreamBroken
from writingmate.wire import sse


class CompletionsStream(Chunked):
    """One leg. Chunks without text, such as the role's or the reasoning's, have no counterpart.

    Args:
        answer: what the chunks of all legs say alike.
        watches: of all legs; the last leg's end sums up their usage.
        leg: which of them this is.
        n: how many choices each leg has.
        echoed: what each choice begins with.
        alternatives: how many alternatives to each token were asked for.
    """

    def __init__(
        self,
        answer: Answer,
        watches: Sequence[Watch],
        leg: int,
        *,
        n: int,
        echoed: str,
        alternatives: int | None,
    ) -> None:
        self._answer = answer
        self._watches = watches
        self._leg = leg
        self._n = n
        self._first = leg * n
        self._echoed = echoed
        self._alternatives = alternatives
        self._offsets: dict[int, int] = {}
        self._finished: set[int] = set()

    def feed(self, frames: Sequence[bytes]) -> bytes:
        """The chunks that the frames make."""
        watched = self._watches[self._leg]
        chunks: list[bytes] = []
        try:
            for frame in watched.passing(frames):
                chunks += self._chunks(sse.data(frame))
        except UpstreamBroken as broken:
            watched.fail(broken, after=chunks)
        return b"".join(chunks)

    def end(self) -> bytes:
        """A finish for each choice that had none; after the last leg the usage of all, if asked for."""
        self._watches[self._leg].finish()
        if not self._offsets:
            raise UpstreamBroken("the stream ended without a choice")
        ends = [
            self._answer.chunk(Choice("", self._first + place, finish_reason="stop"))
            for place in self._offsets
            if place not in self._finished
        ]
        if self._leg == len(self._watches) - 1:
            ends.append(self._answer.usage_chunk(watch.summed(self._watches)))
        return b"".join(ends)

    def _chunks(self, data: bytes) -> Iterator[bytes]:
        said = choices.members(data)
        if not said:
            raise UpstreamBroken("a frame is not a JSON object")
        self._answer.began(said)
        for choice in choices.listed(said):
            piece = self._piece(self._place(choice), choice)
            if piece.text or piece.finish_reason or piece.logprobs:
                yield self._answer.chunk(piece)

    def _place(self, choice: dict[str, Any]) -> int:
        place = choices.place(choice)
        if not 0 <= place < self._n:
            raise UpstreamBroken(f"a choice of index {place} came, of {self._n} asked for")
        return place

    def _piece(self, place: int, choice: dict[str, Any]) -> Choice:
        delta = choice.get("delta")
        text = message_text(delta) if isinstance(delta, dict) else ""
        if place not in self._offsets:
            self._offsets[place] = 0
            text = self._echoed + text
        said = logprobs.legacy(choice.get("logprobs"), self._alternatives, self._offsets[place])
        self._offsets[place] += logprobs.length(said)
        reason = finish_reason(choice.get("finish_reason"))
        if reason:
            self._finished.add(place)
        return Choice(text, self._first + place, said, reason)
