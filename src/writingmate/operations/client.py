"""The seam between operations and whoever asked: no web framework is known behind it."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from writingmate.metering.commands import Claim


class Keeping(Protocol):
    """What a request that named an Idempotency-Key wants done with its hold and its settlement."""

    @property
    def claim(self) -> Claim:
        """To be taken with the hold."""

    async def kept(self, headers: Mapping[str, str], last: bytes) -> bytes | None:
        """What is to be settled with: the answer as it will have been sent, None if it cannot be kept.

        ``headers`` are the answer's but for what the receipt tells; ``last`` is its body, or what ends
        its stream.
        """


@dataclass(frozen=True, slots=True)
class Request:
    """One API request, read whole. ``headers`` have lower-case names; ``started`` is a monotonic time.

    ``facts`` is what its one log line says besides status and duration: an operation adds ids,
    counts and names to it, never content. ``keeping`` is set where its answer is to be kept.
    """

    id: str
    body: bytes = field(repr=False)
    headers: Mapping[bytes, bytes] = field(repr=False)
    started: float = 0.0
    facts: dict[str, str | int | float | None] = field(default_factory=dict)
    keeping: Keeping | None = None

    @property
    def claim(self) -> Claim | None:
        """The idempotency key that its hold takes, if it named one."""
        return None if self.keeping is None else self.keeping.claim


class Client(Protocol):
    """Answers one request, once: either `reply`, or `start`, `send` any number of times, `finish`.

    The implementation adds what every response carries (request id, processing time, CORS).
    Sending to a client that has left is not an error: it does nothing.
    """

    async def reply(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """A whole answer of known length."""

    async def start(self, headers: Mapping[str, str]) -> None:
        """Begin a 200 event stream; from now on it is kept alive with comments while silent."""

    async def send(self, frames: bytes) -> None:
        """Pass on whole SSE events, flushed now; waits while the client reads slower."""

    def ready(self) -> bool:
        """Whether a stream is open and takes more without waiting: then `push` may be called."""

    def push(self, frames: bytes) -> None:
        """`send` at once, where `ready` has just said so."""

    async def finish(self, frames: bytes = b"") -> None:
        """The last events, then the end of the stream."""

    async def while_connected(self, work: Awaitable[None]) -> None:
        """Run ``work``; cancel it when the client leaves, and then raise ClientLeft."""
