"""Messages for providers that only chat: the request as a chat document, the answer as a message."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from writingmate.dialects import anthropic_errors, anthropic_usage, choices, watch
from writingmate.dialects.anthropic_content import Content, Event
from writingmate.dialects.anthropic_native import STOP
from writingmate.dialects.anthropic_request import translated
from writingmate.dialects.grammar import given
from writingmate.dialects.watch import Watch
from writingmate.errors import ApiError, UpstreamBroken
from writingmate.types import DialectName, Usage
from writingmate.wire import document, sse
from writingmate.wire.document import Document

_STOPS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}


class AnthropicOverChat:
    """One message request as one call of chat. Raises InvalidRequest when made.

    ``chat`` is the document that is sent, without the model's name there.
    """

    target: DialectName = "chat"

    def __init__(self, request: Document, *, model: str, slug: str, request_id: str) -> None:
        self.chat = translated(request, model)
        self._request = request
        self._model = model
        self._slug = slug
        self._request_id = request_id

    def requests(self) -> list[Document]:
        """One chat request."""
        return [dict(self.chat)]

    def reply(self, bodies: Sequence[bytes], watches: Sequence[Watch]) -> bytes:
        """The message."""
        watches[0].body(bodies[0])
        listed = choices.listed(choices.members(bodies[0]))
        if len(listed) != 1 or not isinstance(listed[0].get("message"), dict):
            raise UpstreamBroken(f"{len(listed)} choices came, of 1 asked for")
        answer = self._answer()
        for _ in (*answer.take(listed[0], listed[0]["message"]), *answer.content.end()):
            pass  # nobody hears the events of an answer in one piece
        return msgspec.json.encode(answer.message(watch.summed(watches)))

    def stream(self, leg: int, watches: Sequence[Watch]) -> AnthropicStream:
        """The events of the message."""
        return AnthropicStream(self._answer(), watches[leg], self._request_id)

    def _answer(self) -> Answer:
        thinking = document.value(self._request["thinking"]) if given(self._request, "thinking") else {}
        stops = (
            document.value(self._request["stop_sequences"]) if given(self._request, "stop_sequences") else []
        )
        own = self._request_id.removeprefix("req_")
        content = Content(own, self._model, shows=thinking.get("display") != "omitted")
        return Answer(own, self._slug, content, stops)


class Answer:
    """One message, as far as it has come.

    Args:
        own: its id is made from it.
        slug: what the client called the model.
        content: its blocks.
        stops: the sequences that were to end it; a few providers say which of them did.
    """

    def __init__(self, own: str, slug: str, content: Content, stops: list[str]) -> None:
        self.content = content
        self._own = own
        self._slug = slug
        self._stops = stops
        self._reason: object = None
        self._stopped_by: str | None = None

    def take(self, choice: dict[str, Any], said: object) -> Iterator[Event]:
        """What a choice adds, with the message or delta that is in it."""
        if isinstance(said, dict):
            yield from self.content.take(said)
        self._reason = choice.get("finish_reason") or self._reason
        by = choice.get("stop_reason")
        if isinstance(by, str) and by in self._stops:
            self._stopped_by = by

    def opening(self) -> Event:
        """``message_start``; how long the prompt was is only known at the end."""
        return "message_start", {"message": self._shown([], None, None, Usage())}

    def ending(self, usage: Usage | None) -> Event:
        """``message_delta`` with everything that is known by now."""
        reason, by = self._ended()
        delta = {"stop_reason": reason, "stop_sequence": by}
        return "message_delta", {"delta": delta, "usage": anthropic_usage.shown(usage)}

    def message(self, usage: Usage | None) -> dict[str, Any]:
        """The whole of it."""
        return self._shown(self.content.blocks(), *self._ended(), usage)

    def _ended(self) -> tuple[str, str | None]:
        if self._stopped_by is not None:
            return "stop_sequence", self._stopped_by
        reason = _STOPS.get(str(self._reason), "end_turn")
        return ("tool_use" if reason == "end_turn" and self.content.calls else reason), None

    def _shown(
        self, blocks: list[dict[str, Any]], reason: str | None, by: str | None, usage: Usage | None
    ) -> dict[str, Any]:
        return {
            "id": f"msg_{self._own}",
            "type": "message",
            "role": "assistant",
            "model": self._slug,
            "content": blocks,
            "stop_reason": reason,
            "stop_sequence": by,
            "usage": anthropic_usage.shown(usage),
        }


class AnthropicStream:
    """The one leg of a streamed message. Its last event waits in `closing` until the request is settled."""

    def __init__(self, answer: Answer, watched: Watch, request_id: str) -> None:
        self._answer = answer
        self._watch = watched
        self._request_id = request_id
        self._begun = False

    def feed(self, frames: Sequence[bytes]) -> bytes:
        """The events that the frames make."""
        events: list[bytes] = []
        try:
            for frame in self._watch.passing(frames):
                events += _framed(self._events(sse.data(frame)))
        except UpstreamBroken as broken:
            self._watch.fail(broken, after=events)
        return b"".join(events)

    def end(self) -> bytes:
        """The end of what was being said, why it ended, and what it took."""
        self._watch.finish()
        return b"".join(_framed((*self._answer.content.end(), self._answer.ending(self._watch.usage))))

    def closing(self) -> bytes:
        """``message_stop``."""
        return STOP

    def failure(self, error: ApiError) -> bytes:
        """An ``error`` event, and nothing after it."""
        return anthropic_errors.event(error, self._request_id)

    def _events(self, data: bytes) -> Iterator[Event]:
        said = choices.members(data)
        if not said:
            raise UpstreamBroken("a frame is not a JSON object")
        if not self._begun:
            self._begun = True
            yield self._answer.opening()
        for choice in choices.listed(said):
            if choices.place(choice):
                raise UpstreamBroken(f"a choice of index {choices.place(choice)} came, of 1 asked for")
            yield from self._answer.take(choice, choice.get("delta"))


def _framed(events: Iterable[Event]) -> Iterator[bytes]:
    for name, members in events:
        yield sse.event(msgspec.json.encode({"type": name, **members}), name.encode())
