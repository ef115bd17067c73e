"""A response that runs in the background: its object in each state, and its events as they are kept.

Its id and time of creation are those of the moment it was queued, whatever the attempt that answers
says; its events are numbered over all attempts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from writingmate.dialects.responses_echo import Echo
from writingmate.errors import ApiError, UpstreamBroken
from writingmate.wire import sse
from writingmate.wire.document import Document

FINAL: Final = frozenset(
    (b"response.completed", b"response.incomplete", b"response.failed", b"response.cancelled")
)
"""Names of events that end a stream."""

_ENDINGS: Final = ("completed", "incomplete", "failed", "cancelled")
_RATE_LIMITED: Final = 429
_LASTING: Final = ("id", "created_at", "background", "store")
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Resource:
    """One response object, made from the bytes of any state of it."""

    def __init__(self, body: bytes) -> None:
        self._members: dict[str, Any] = dict(_MEMBERS.decode(body))
        self.status = str(msgspec.json.decode(self._members["status"]))

    @classmethod
    def queued(cls, request: Document, *, slug: str, identity: str) -> Resource:
        """What a request is answered at once, if its grammar allows it. Ids are made from ``identity``."""
        return cls(msgspec.json.encode(Echo(request, slug=slug, request_id=identity).queued()))

    @property
    def response_id(self) -> str:
        """Its id."""
        return str(msgspec.json.decode(self._members["id"]))

    @property
    def created_at(self) -> int:
        """UNIX seconds."""
        return int(msgspec.json.decode(self._members["created_at"]))

    def state(self, status: str) -> bytes:
        """The object before it has output, or as it was cancelled."""
        return self._with(status=status)

    def failed(self, error: ApiError) -> bytes:
        """The object that an error ended."""
        code = "rate_limit_exceeded" if error.status == _RATE_LIMITED else "server_error"
        return self._with(status="failed", error={"code": code, "message": error.message})

    def ended(self, body: bytes) -> tuple[str, bytes]:
        """Status and object of an answer. Raises UpstreamBroken if it is none that has ended."""
        members = self._aligned(body)
        status = msgspec.json.decode(members.get("status", msgspec.Raw(b"null")))
        if status not in _ENDINGS:
            raise UpstreamBroken("a response came that has not ended")
        return status, msgspec.json.encode(members)

    def _aligned(self, body: bytes | msgspec.Raw) -> dict[str, Any]:
        try:
            members: dict[str, Any] = dict(_MEMBERS.decode(body))
        except (msgspec.DecodeError, RecursionError) as error:
            raise UpstreamBroken("a response is not a JSON object") from error
        return members | {name: self._members[name] for name in _LASTING}

    def _with(self, **members: object) -> bytes:
        return msgspec.json.encode(self._members | members)

    def renumbered(self, data: bytes, number: int) -> bytes:
        """An event's data with its number and, where it holds the response, what lasts of that."""
        try:
            members: dict[str, Any] = dict(_MEMBERS.decode(data))
        except (msgspec.DecodeError, RecursionError) as error:
            raise UpstreamBroken("a frame is not a JSON object") from error
        members["sequence_number"] = number
        if "response" in members:
            members["response"] = self._aligned(members["response"])
        return msgspec.json.encode(members)


class Numbering:
    """Frames of the kept stream. ``number`` is that of the next; each that is made uses one."""

    def __init__(self, resource: Resource, number: int) -> None:
        self.number = number
        self._resource = resource
        self._splitter = sse.Splitter()

    def opening(self) -> list[bytes]:
        """The first events; of a further attempt only that it is queued again."""
        names = ("response.queued",) if self.number else ("response.created", "response.queued")
        return [self._made(name, {"response": msgspec.Raw(self._resource.state("queued"))}) for name in names]

    def take(self, frames: bytes) -> Iterator[bytes]:
        """Whole events of an exchange: without its first, comments and the mark of the end."""
        for frame in self._splitter.feed(frames):
            name = sse.name(frame)
            if name and name != b"response.created":
                data = self._resource.renumbered(sse.data(frame), self.number)
                self.number += 1
                yield sse.event(data, name)

    def failure(self, error: ApiError) -> list[bytes]:
        """An error in both of its published forms, then ``response.failed``."""
        told = {"code": error.code, "message": error.message, "param": error.param}
        return [
            self._made("error", told | {"error": {"type": error.type, **told}}),
            self._made("response.failed", {"response": msgspec.Raw(self._resource.failed(error))}),
        ]

    def _made(self, name: str, members: dict[str, Any]) -> bytes:
        frame = made(name, self.number, members)
        self.number += 1
        return frame


def made(name: str, number: int, members: dict[str, Any]) -> bytes:
    """An event of ours."""
    data = {"type": name, "sequence_number": number, **members}
    return sse.event(msgspec.json.encode(data), name.encode())


def ending(status: str, number: int, response: bytes) -> bytes:
    """The last event of a response that has ended, made from the object."""
    return made(f"response.{status}", number, {"response": msgspec.Raw(response)})
