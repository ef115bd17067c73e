"""No codec: the provider speaks the client's dialect, and every byte of every value is passed on."""

from __future__ import annotations

from collections.abc import Sequence

from writingmate.dialects.base import Chunked
from writingmate.dialects.watch import Watch
from writingmate.types import DialectName
from writingmate.wire.document import Document


class PassThrough:
    """The codec from a dialect to itself."""

    def __init__(self, dialect: DialectName, request: Document) -> None:
        self.target: DialectName = dialect
        self._request = request

    def requests(self) -> list[Document]:
        """One leg: the request as it came."""
        return [dict(self._request)]

    def reply(self, bodies: Sequence[bytes], watches: Sequence[Watch]) -> bytes:
        """The very body."""
        watches[0].body(bodies[0])
        return bodies[0]

    def stream(self, leg: int, watches: Sequence[Watch]) -> Relay:
        """The very frames."""
        return Relay(watches[leg])


class Relay(Chunked):
    """Passes frames on, but for the end, comments, and usage that nobody asked for."""

    __slots__ = ("_watch",)

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def feed(self, frames: Sequence[bytes]) -> bytes:
        """The frames that are for the client, as they came."""
        kept = self._watch.passing(frames)
        return kept[0] if len(kept) == 1 else b"".join(kept)

    def end(self) -> bytes:
        """Nothing; raises UpstreamBroken if the answer is not complete."""
        self._watch.finish()
        return b""
