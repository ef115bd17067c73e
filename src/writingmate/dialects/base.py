"""What joins a client's dialect to a provider's: a codec for the request and the reply, a stream codec."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from writingmate.dialects.watch import Watch
from writingmate.errors import ApiError
from writingmate.types import DialectName, Usage
from writingmate.wire import sse
from writingmate.wire.document import Document


@dataclass(slots=True, eq=False)
class Leg:
    """One call to the provider; ``index`` is its place among the exchange's legs.

    ``place`` follows the dialect's path, for dialects whose URLs say more than where they are.
    """

    dialect: DialectName
    body: bytes = field(repr=False)
    index: int = 0
    place: str = ""


class StreamCodec(Protocol):
    """One leg's stream: the provider's frames in, the client's out."""

    def feed(self, frames: Sequence[bytes]) -> bytes:
        """Frames for the client, b"" if none. Raises UpstreamBroken on an error frame."""

    def end(self) -> bytes:
        """The last frames. Raises UpstreamBroken if the stream stopped before its answer did."""

    def closing(self) -> bytes:
        """What ends the client's stream, once the request is settled."""

    def failure(self, error: ApiError) -> bytes:
        """An error after the stream began (WIRE §2.4), to the end of the client's stream."""


class Chunked:
    """The end of a stream of chunks, as chat and completions have it."""

    __slots__ = ()

    def closing(self) -> bytes:
        """``[DONE]``."""
        return sse.DONE

    def failure(self, error: ApiError) -> bytes:
        """The envelope, and nothing after it."""
        return sse.event(error.envelope())


class Codec(Protocol):
    """From the client's dialect to ``target``, which the provider speaks, and back."""

    target: DialectName

    def requests(self) -> list[Document]:
        """What to send, one document a leg. Raises UnsupportedParameter: refused by name."""

    def reply(self, bodies: Sequence[bytes], watches: Sequence[Watch]) -> bytes:
        """The client's body from the provider's, one a leg, each of them seen by its watch."""

    def stream(self, leg: int, watches: Sequence[Watch]) -> StreamCodec:
        """The state of one leg's stream."""


class SpokeStream(Protocol):
    """One leg's stream: the provider's frames in, chat's out."""

    @property
    def usage(self) -> Usage | None:
        """What it took so far, of a stream that may stop before it says so in a frame; None if unknown."""

    def feed(self, frames: Sequence[bytes]) -> list[bytes]:
        """Chat's frames. What is an error becomes an error frame, the end becomes [DONE]."""

    def end(self) -> list[bytes]:
        """The provider's stream is over: chat's last frames, if it took its end to know them."""


class Spoke(Protocol):
    """From the hub, chat completions, to ``dialect``, which a provider speaks, and back."""

    dialect: DialectName

    def request(self, chat: Document) -> Document:
        """The provider's document. Raises UnsupportedParameter: refused by name."""

    def place(self, model: str, *, streaming: bool) -> str:
        """What follows the dialect's path in the URL."""

    def reply(self, body: bytes) -> bytes:
        """A chat completion. Raises UpstreamBroken if the body is no answer."""

    def stream(self, *, reports: bool) -> SpokeStream:
        """The state of one leg's stream; ``reports``: its client wants the usage."""
