"""The seam between operations and whoever asked: no web framework is known behind it."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from writingmate.metering.commands import Claim, Ending, Task


class Keeping(Protocol):
    """What is to be done with a request's hold and settlement, by an Idempotency-Key or in the background."""

    @property
    def claim(self) -> Claim | Task:
        """To be taken with the hold."""

    async def kept(
        self, headers: Mapping[str, str], last: bytes, answered: bytes | None
    ) -> bytes | Ending | None:
        """What is to be settled with: the answer as it will have been sent, None if it cannot be kept.

        ``headers`` are the answer's but for what the receipt tells; ``last`` is its body, or what ends
        its stream; ``answered`` is the response object, where it is one.
        """


@dataclass(frozen=True, slots=True)
class Request:
    """One API request, read whole. ``headers`` have lower-case names; ``started`` is a monotonic time.

    ``facts`` is what its one log line says besides status and duration: an operation adds ids,
    counts and names to it, never content. ``keeping`` is set where its answer is to be kept.
    ``identity`` is what ids in its answer are made from, where that is not its own.
    """

    id: str
    body: bytes = field(repr=False)
    headers: Mapping[bytes, bytes] = field(repr=False)
    started: float = 0.0
    facts: dict[str, str | int | float | None] = field(default_factory=dict)
    keeping: Keeping | None = None
    identity: str = ""

    @property
    def claim(self) -> Claim | Task | None:
        """What its hold takes with it."""
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
