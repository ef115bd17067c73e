"""What has come of one response so far, and the one task that waits for more of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from writingmate.errors import UpstreamBroken, UpstreamError, UpstreamRefused, UpstreamTimeout
from writingmate.upstream.base import Past, Timeouts

REFUSAL_LIMIT = 64 * 1024


class Flow(Protocol):
    """The reading side of a connection, which can be held back."""

    def pause(self) -> None:
        """Stop reading until `resume`."""

    def resume(self) -> None:
        """Read on, if reading was stopped."""


class Answer:
    """One response; a `Reply` once `begun` has returned.

    The connection tells it what arrives (`head`, `add`, `end`, `fail`), the sweep how time passes
    (`tick`). ``since`` is when the present wait began, 0.0 meaning "at the next tick"; ``renews``
    says if arriving bytes begin it anew.
    """

    # Defaults of the class, so that making an instance, once per request, sets few attributes.
    status = 0
    complete = False
    error: UpstreamError | None = None
    since = 0.0
    renews = False
    _begun = False  # there is enough of a 2xx to go on with
    _refusal: bytearray | None = None
    _waiter: asyncio.Future[None] | None = None

    def __init__(self, flow: Flow, timeouts: Timeouts, loop: asyncio.AbstractEventLoop) -> None:
        self.headers: Mapping[str, str] = {}
        self.limit = timeouts.first
        self._idle = timeouts.idle
        self._flow = flow
        self._loop = loop

    def head(self, status: int, headers: dict[str, str]) -> None:
        """The final status and headers have come. Raises UpstreamBroken if nothing can follow them."""
        self.status = status
        self.headers = headers
        if not 200 <= status < 300:  # noqa: PLR2004  # HTTP's class of success
            self._refusal = bytearray()
            self._next_wait(renews=False)
            return
        if not self._is_plain():
            raise UpstreamBroken("the body is compressed, though identity was asked for")
        self._accept(headers)

    def add(self, data: bytes) -> None:
        """Bytes of the body. Raises UpstreamBroken if they are too many."""
        if self._refusal is None:
            self._take(data)
        else:
            self._refusal += data[: REFUSAL_LIMIT - len(self._refusal)]
            if len(self._refusal) == REFUSAL_LIMIT:
                self._wake()

    def end(self, *, framed: bool) -> None:
        """The body is over: by its framing, or because the connection was closed."""
        if self.error is None:
            self.complete = True
            if self._refusal is None:
                self._finish(framed=framed)
            self._wake()

    def fail(self, error: UpstreamError) -> None:
        """Nothing more will come. The first reason stands."""
        if self.error is None and not self.complete:
            self.error = error
            self._wake()

    def tick(self, now: float) -> None:
        """Fail if the task has waited too long; while it does not wait, no time passes."""
        if self.since == 0.0 or self._waiter is None or self._waiter.done():
            self.since = now
        elif now - self.since >= self.limit:
            what = "the answer stalled" if self._begun else "no answer began"
            self.fail(UpstreamTimeout(f"{what} for {self.limit:g} s"))

    async def begun(self) -> None:
        """Wait until the answer can be used. Raises UpstreamError if it cannot."""
        while not self._is_ready():
            await self._news()
        if self._refusal is not None:
            body = bytes(self._refusal) if self._is_plain() else b""
            raise UpstreamRefused(self.status, dict(self.headers), body)
        if self.error is not None and not self._begun:
            raise self.error

    async def body(self) -> bytes:
        """`Reply.body`, of a call that does not stream."""
        raise TypeError("the reply to a streaming call is read as frames")

    def frames(self, past: Past | None = None) -> AsyncIterator[list[bytes]]:
        """`Reply.frames`, of a call that streams."""
        del past
        raise TypeError("the reply to a call that does not stream is read whole")

    def _accept(self, headers: dict[str, str]) -> None:
        """Judge the head of a 2xx."""
        raise NotImplementedError

    def _take(self, data: bytes) -> None:
        """Keep bytes of a 2xx's body."""
        raise NotImplementedError

    def _finish(self, *, framed: bool) -> None:
        """The body of a 2xx is over."""

    def _is_ready(self) -> bool:
        if self.complete or self.error is not None:
            return True
        if self._refusal is not None:
            return len(self._refusal) == REFUSAL_LIMIT
        return self._begun

    def _is_plain(self) -> bool:
        return self.headers.get("content-encoding", "identity").lower() == "identity"

    def _news(self) -> asyncio.Future[None]:
        """What the task awaits; done as soon as there is any reason to look again."""
        self._waiter = waiter = self._loop.create_future()
        return waiter

    def _is_awaited(self) -> bool:
        return self._waiter is not None and not self._waiter.done()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _begin(self) -> None:
        self._begun = True
        self._next_wait(renews=True)

    def _next_wait(self, *, renews: bool) -> None:
        self.limit = self._idle
        self.since = 0.0
        self.renews = renews
