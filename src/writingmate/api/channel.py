"""The seam between a server and the data plane: one request, and the way its answer takes.

Our own server offers channels of its own (`turn.Turn`); any other ASGI server gets `asgi.AsgiChannel`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Mapping
from typing import Any, Protocol, runtime_checkable

from writingmate.api.presence import Line


class Channel(Protocol):
    """One request and its answer, which is either `whole`, or `begin`, `piece` any number of times, `end`.

    ``headers`` have lower-case names; of repeated ones the last counts. ``path`` and ``query`` are as they
    were sent, without the question mark between them. ``state`` is the lifespan's. ``line`` is None where
    the server does not tell when a client leaves. ``keep_alive`` set to False ends the connection after the
    answer.

    Sending to a client that has left is not an error: it does nothing.
    """

    method: str
    path: bytes
    query: bytes
    headers: dict[bytes, bytes]
    keep_alive: bool

    @property
    def state(self) -> Mapping[str, Any]:
        """What the server and the application's lifespan share with every request."""

    @property
    def line(self) -> Line | None:
        """The client's connection."""

    def at_once(self) -> bytes | None:
        """The whole body if all of it has come, which then has been read; None if it has not."""

    async def receive(self) -> tuple[bytes, bool]:
        """The next piece of the body, and whether more follow. Raises ClientLeft."""

    async def whole(self, status: int, lines: bytes, body: bytes) -> None:
        """The answer in one; ``lines`` are its headers, each with its line end, the length among them."""

    async def begin(self, status: int, lines: bytes, *, sized: bool) -> None:
        """The head of an answer that follows in pieces; ``sized``: ``lines`` say how long it is."""

    async def piece(self, data: bytes) -> None:
        """A piece of the body, not empty, sent at once; waits while the client reads slower."""

    async def end(self, data: bytes = b"") -> None:
        """The last piece, which may be empty."""

    def push(self, data: bytes) -> None:
        """`piece` for a client that is there and reads fast enough, as `line` says."""

    def while_present(self, work: Awaitable[None]) -> Coroutine[Any, Any, None]:
        """Await ``work``; cancel it when the client leaves, then raise ClientLeft."""


@runtime_checkable
class Serving(Protocol):
    """An application that our server hands its channels to, without ASGI in between."""

    def serve(self, channel: Channel) -> Awaitable[None]:
        """Answer one request; raises nothing but CancelledError."""
