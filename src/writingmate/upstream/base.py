"""The seam between operations and sockets: a call goes out, a reply's bytes come back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

# Takes events as they arrive, in the callback of the socket they came from; False leaves them to
# the reader. It must not wait. An UpstreamError that it raises is the reader's.
Past: TypeAlias = Callable[[list[bytes]], bool]


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect, until the first byte (or frame) of the answer, and between two reads."""

    connect: float = 10.0
    first: float = 600.0
    idle: float = 300.0


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a provider. ``socket`` is a unix socket's path instead of the URL's host."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    streaming: bool
    timeouts: Timeouts = Timeouts()
    socket: str | None = None
    method: Literal["GET", "POST"] = "POST"


class Reply(Protocol):
    """A provider's 2xx answer. Read it once, whole or as frames, inside the ``async with``."""

    headers: Mapping[str, str]

    async def body(self) -> bytes:
        """The whole body. Raises UpstreamBroken if it stops short, UpstreamTimeout if it stalls."""

    def frames(self, past: Past | None = None) -> AsyncIterator[list[bytes]]:
        """Complete SSE events as they arrive, those of one read together, comments left out.

        Events may go ``past`` the reader while it waits for some, which spares waking it.

        The iterator ends when the provider ends the body properly; a body that stops short
        raises UpstreamBroken, one that stalls UpstreamTimeout.
        """


class Upstream(Protocol):
    """Where calls go: an HTTP client, the embedded model, a fake."""

    def open(self, call: Call) -> AbstractAsyncContextManager[Reply]:
        """Send the call; enter when its answer has begun.

        Entering raises UpstreamError (PRODUCT §1): UpstreamRefused for any status but 2xx,
        UpstreamUnreachable, UpstreamTimeout, or UpstreamBroken; for a streaming call it returns
        only once the first frame is in hand. Leaving early aborts the call: the provider sees its
        connection close.
        """

    async def close(self) -> None:
        """Close what is idle; calls under way end with UpstreamBroken."""
