"""A chat stream as the events of a response, in OpenAI's order, numbered without a gap (WIRE §7.3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import msgspec

from writingmate.dialects import choices
from writingmate.dialects.responses_echo import Echo, status_of
from writingmate.dialects.responses_events import Event
from writingmate.dialects.responses_items import Items
from writingmate.dialects.watch import Watch
from writingmate.errors import ApiError, UpstreamBroken
from writingmate.wire import sse

_RATE_LIMITED = 429


class Whose(Protocol):
    """Whose stream it is."""

    def over(self, response: dict[str, Any], made: Items) -> bytes:
        """The bytes of a response that is over."""


class ResponsesStream:
    """The one leg of a streamed response. Its last event waits in `closing` until the request is settled."""

    def __init__(self, codec: Whose, echo: Echo, made: Items, watched: Watch) -> None:
        self._codec = codec
        self._echo = echo
        self._watch = watched
        self._items = made
        self._number = 0
        self._begun = False
        self._reason: object = None

    def feed(self, frames: Sequence[bytes]) -> bytes:
        """The events that the frames make."""
        events: list[bytes] = []
        try:
            for frame in self._watch.passing(frames):
                events += self._framed(self._events(sse.data(frame)))
        except UpstreamBroken as broken:
            self._watch.fail(broken, after=events)
        return b"".join(events)

    def end(self) -> bytes:
        """The end of what was being said."""
        self._watch.finish()
        return b"".join(self._framed(self._items.close(status_of(self._reason))))

    def closing(self) -> bytes:
        """``response.completed`` or ``response.incomplete``, with everything in it."""
        response = self._echo.over(self._items.output(), self._reason, self._watch.usage)
        told = msgspec.Raw(self._codec.over(response, self._items))
        return self._last([(f"response.{response['status']}", {"response": told})])

    def failure(self, error: ApiError) -> bytes:
        """An error in both of its published forms, then ``response.failed``."""
        code = "rate_limit_exceeded" if error.status == _RATE_LIMITED else "server_error"
        told = {"code": error.code, "message": error.message, "param": error.param}
        failed = self._echo.failed(self._items.output(), code, error.message)
        events: list[Event] = [
            *self._beginning(),
            ("error", told | {"error": {"type": error.type, **told}}),
            ("response.failed", {"response": msgspec.Raw(self._codec.over(failed, self._items))}),
        ]
        return self._last(events)

    def _events(self, data: bytes) -> Iterator[Event]:
        said = choices.members(data)
        if not said:
            raise UpstreamBroken("a frame is not a JSON object")
        self._echo.began(said)
        yield from self._beginning()
        for choice in choices.listed(said):
            if choices.place(choice):
                raise UpstreamBroken(f"a choice of index {choices.place(choice)} came, of 1 asked for")
            delta = choice.get("delta")
            if isinstance(delta, dict):
                yield from self._items.take(delta, choice.get("logprobs"))
            self._reason = choice.get("finish_reason") or self._reason

    def _beginning(self) -> Iterator[Event]:
        if not self._begun:
            self._begun = True
            for name in ("response.created", "response.in_progress"):
                yield name, {"response": self._echo.under_way()}

    def _last(self, events: Iterable[Event]) -> bytes:
        """The last frames. If settling fails they are not sent, so their numbers are not used up."""
        number = self._number
        last = b"".join(self._framed(events)) + sse.DONE
        self._number = number
        return last

    def _framed(self, events: Iterable[Event]) -> Iterator[bytes]:
        for name, members in events:
            numbered: dict[str, Any] = {"type": name, "sequence_number": self._number, **members}
            self._number += 1
            yield sse.event(msgspec.json.encode(numbered), name.encode())
