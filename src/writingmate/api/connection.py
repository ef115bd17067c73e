"""Reading a request: its headers, and its body within a size and at a pace."""

from __future__ import annotations

from collections.abc import Awaitable
from time import monotonic

from writingmate.api.channel import Channel
from writingmate.api.clock import Clock
from writingmate.api.interruption import Interruption
from writingmate.errors import BodyTooLarge, ClientLeft, RequestTimeout, UnsupportedMediaType

PACE = 1024
"""Bytes of a body that must arrive in every ``seconds``, so that a trickle is no way to stay."""
SMALL = 65536
"""Bytes of a body that is read to its end before it is refused, so that the connection can be kept."""
LINGER_BYTES = 64 << 20
LINGER_SECONDS = 2.0
"""How much is still taken in after an answer that came before the body's end: a client that only
reads once it has sent everything would never see it otherwise."""

_JSON = b"application/json"
_LENIENT = frozenset({b"", _JSON, b"text/json", b"text/plain"})


class Connection:
    """One request's way in. ``headers`` have lower-case names; of repeated ones the last counts.

    Args:
        channel: the request.
        clock: ends waiting for a body that stalls.
        limit: bytes of the largest body.
        seconds: in which a body must make progress.
    """

    __slots__ = ("_clock", "_length", "_limit", "_seconds", "channel", "headers", "stalled", "unread")

    def __init__(self, channel: Channel, clock: Clock, *, limit: int, seconds: float) -> None:
        self.channel = channel
        self.headers = channel.headers
        self.stalled = False
        self._clock = clock
        self._limit = limit
        self._seconds = seconds
        self._length = _length(self.headers)
        self.unread = self._length != 0

    async def json(self) -> bytes:
        """The whole body, said to be JSON, or not said to be anything else.

        Raises:
            UnsupportedMediaType: it is a form, compressed, or something else.
            BodyTooLarge, RequestTimeout, ClientLeft: as `body`.
        """
        kind = self.headers.get(b"content-type", b"")
        if kind != _JSON and not _is_json(kind):
            raise UnsupportedMediaType(
                f"Unsupported content type: '{_shown(kind)}'. Send JSON as `Content-Type: application/json`.",
                code="unsupported_content_type",
            )
        if self.headers.get(b"content-encoding", b"identity") != b"identity":
            raise UnsupportedMediaType(
                "Compressed request bodies are not read. Send the body without Content-Encoding.",
                code="unsupported_content_encoding",
            )
        return await self.body()

    async def body(self) -> bytes:
        """The whole body.

        Raises:
            BodyTooLarge: it is longer than the limit; known from Content-Length before a byte is read.
            RequestTimeout: it does not get on.
            ClientLeft: the client hung up before its end.
        """
        if not self.unread:
            return b""
        if self._length is not None and self._length > self._limit:
            raise self._too_large()
        body = self.channel.at_once()
        if body is not None:
            self.unread = False
            if len(body) > self._limit:
                raise self._too_large()
            return body
        reading = _Reading(self._seconds)
        return await self._watched(reading, self._collect(reading))

    async def settle(self) -> None:
        """Before an answer that does not need the body: take a small one in, if it comes at once."""
        asks_first = b"expect" in self.headers
        if self._length is not None and self._length <= SMALL and not asks_first and not self.stalled:
            await self.linger()

    async def linger(self) -> None:
        """Take in what still comes, for a short time, and drop it."""
        if self.stalled:
            return
        reading = _Reading(LINGER_SECONDS, final=True)
        try:
            await self._watched(reading, self._drop(reading))
        except (RequestTimeout, ClientLeft):
            self.stalled = True

    async def _watched(self, reading: _Reading, work: Awaitable[bytes]) -> bytes:
        self._clock.watch(reading)
        try:
            return await work
        except BaseException as error:
            if reading.interruption.explains(error):
                self.stalled = True
                raise self._too_slow() from error
            raise
        finally:
            self._clock.forget(reading)

    async def _collect(self, reading: _Reading) -> bytes:
        body = await self._piece()
        if not self.unread and len(body) <= self._limit:
            return body
        pieces = [body]
        reading.received = len(body)
        while self.unread and reading.received <= self._limit:
            pieces.append(await self._piece())
            reading.received += len(pieces[-1])
        if reading.received > self._limit:
            raise self._too_large()
        return b"".join(pieces)

    async def _drop(self, reading: _Reading) -> bytes:
        while self.unread and reading.received < LINGER_BYTES:
            reading.received += len(await self._piece())
        return b""

    async def _piece(self) -> bytes:
        piece, self.unread = await self.channel.receive()
        return piece

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(
            f"The request's body is larger than this server's limit of {self._limit} bytes. Send less.",
            code="request_too_large",
        )

    def _too_slow(self) -> RequestTimeout:
        return RequestTimeout(
            f"The request's body did not arrive: less than {PACE} bytes came in {self._seconds:g} seconds. "
            "Try again.",
            code="request_timeout",
        )


class _Reading:
    """A body that is being read, as the clock sees it."""

    __slots__ = ("_final", "_mark", "_seconds", "_since", "interruption", "received")

    def __init__(self, seconds: float, *, final: bool = False) -> None:
        self.interruption = Interruption()
        self.received = 0
        self._final = final
        self._mark = 0
        self._seconds = seconds
        self._since = monotonic()

    def tick(self, now: float) -> None:
        """Interrupt what stalls; ``final`` reading must be done by now, however much comes."""
        if now - self._since < self._seconds:
            return
        if self._final or self.received - self._mark < PACE:
            self.interruption.strike()
        else:
            self._mark = self.received
            self._since = now


def _length(headers: dict[bytes, bytes]) -> int | None:
    """How long the body is: 0 where there is none, None where only its end will tell."""
    if b"transfer-encoding" in headers:
        return None
    text = headers.get(b"content-length", b"0")
    return int(text) if text.isdigit() else None


def _is_json(kind: bytes) -> bool:
    essence = kind.partition(b";")[0].strip().lower()
    return essence in _LENIENT or essence.endswith(b"+json")


def _shown(kind: bytes) -> str:
    return kind[:100].decode("ascii", "replace")
