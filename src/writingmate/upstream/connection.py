"""One socket to a provider: a request out in one write, httptools' callbacks in, one answer at a time."""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import Protocol, cast

import httptools

from writingmate.errors import UpstreamBroken, UpstreamError, UpstreamUnreachable
from writingmate.upstream.answer import Answer

HEAD_LIMIT = 64 * 1024

# Above this a request's head and body are not joined first, which would copy the body.
_JOINED = 64 * 1024

_SWITCHING = 101
_FIRST_FINAL = 200


class Home(Protocol):
    """Where a connection belongs; told of its beginning, of its rest after each answer, and of its end."""

    idle_seconds: float

    def made(self, connection: Connection) -> None:
        """It is connected."""

    def rested(self, connection: Connection) -> None:
        """It can carry another call."""

    def lost(self, connection: Connection) -> None:
        """It is closed."""


class _Unconnected(asyncio.Transport):
    """What a connection writes to before it is one."""

    def is_closing(self) -> bool:
        return True

    def abort(self) -> None:
        return


_UNCONNECTED = _Unconnected()


class Connection(asyncio.Protocol):
    """An HTTP/1.1 connection, seen from the client. ``answer`` is None while it rests."""

    def __init__(self, home: Home) -> None:
        self.answer: Answer | None = None
        self._home = home
        self._transport: asyncio.Transport = _UNCONNECTED
        self._heard = False
        self._framed = False
        self._reusable = False
        self._paused = False
        self._left = False
        self._unused = 0  # bytes since anything came of them: of a head, a trailer, a chunk's extension
        self._rests_since = 0.0
        self._raw: dict[bytes, bytes] = {}
        # The parser's callback for a header. A function of ours, called for each, would be a sixth
        # of what a request costs. Of a header that is repeated the last is kept.
        self.on_header = self._raw.__setitem__
        self._parser = httptools.HttpResponseParser(self)

    @property
    def is_open(self) -> bool:
        """Can bytes be written?"""
        return not self._transport.is_closing()

    @property
    def limit(self) -> float:
        """Seconds that it may wait for what it waits for now."""
        return self._home.idle_seconds if self.answer is None else self.answer.limit

    # What the caller does.

    def send(self, answer: Answer, head: bytes, body: bytes) -> None:
        """Write one request; what comes back goes to ``answer``."""
        self.answer = answer
        self._unused = 0
        self._heard = self._reusable = False
        if len(body) > _JOINED:
            self._transport.writelines((head, body))
        else:
            self._transport.write(head + body)

    def release(self) -> None:
        """The caller is done: rest if the answer was complete and all is in order, else close."""
        answer, self.answer = self.answer, None
        if answer is None:
            return
        if answer.complete and self._can_rest():
            self._raw.clear()
            self._rests_since = 0.0
            self._home.rested(self)
        else:
            self.abort()
            answer.fail(UpstreamBroken("the call was left before its answer was complete"))

    def fail(self, error: UpstreamError) -> None:
        """End the call under way, and the connection."""
        if self.answer is not None:
            self.answer.fail(error)
        self.abort()

    def abort(self) -> None:
        """Close now, without sending what is still to be sent."""
        self._transport.abort()

    def discard(self) -> None:
        """Nobody waits for it any more, though it may just be connecting.

        uvloop closes a socket whose dialling is cancelled without a word to its protocol.
        """
        self.abort()
        self._leave()

    def tick(self, now: float) -> None:
        """The sweep passes."""
        if self.answer is not None:
            self.answer.tick(now)
        elif self._rests_since == 0.0:
            self._rests_since = now
        elif now - self._rests_since >= self._home.idle_seconds:
            self.abort()

    def pause(self) -> None:
        """Stop reading."""
        if not self._paused and self.is_open:
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on, if reading was stopped."""
        if self._paused:
            self._paused = False
            if self.is_open:
                self._transport.resume_reading()

    def _can_rest(self) -> bool:
        """Nothing may be under way in either direction: not even the rest of a request."""
        return (
            self._reusable
            and not self._paused
            and self.is_open
            and self._transport.get_write_buffer_size() == 0
        )

    # What the transport tells.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected, TLS included."""
        self._transport = cast("asyncio.Transport", transport)
        if self._left:
            self.abort()
        else:
            self._home.made(self)

    def data_received(self, data: bytes) -> None:
        """Bytes; without a call, or behind its answer, they are nobody's and the connection is spoilt."""
        answer = self.answer
        if answer is None or answer.complete:
            self._unasked()
            return
        self._heard = True
        if answer.renews:
            answer.since = 0.0
        self._unused += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._spoilt(error)
        else:
            if self._unused > HEAD_LIMIT:
                self.fail(UpstreamBroken(f"a head or a trailer is longer than {HEAD_LIMIT >> 10} KiB"))

    def eof_received(self) -> None:
        """The provider has closed its side; the transport closes ours."""
        self._over(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._over(exc)
        self._leave()

    def _leave(self) -> None:
        if not self._left:
            self._left = True
            self._home.lost(self)

    def _unasked(self) -> None:
        self._reusable = False
        if self.answer is None:
            self.abort()

    def _spoilt(self, error: Exception) -> None:
        """The parser refused, or one of our own callbacks did."""
        cause = error.__context__
        broken = UpstreamBroken("the answer is not HTTP/1.1 as it should be")
        self.fail(cause if isinstance(cause, UpstreamError) else broken)

    def _over(self, exc: Exception | None) -> None:
        answer = self.answer
        self._reusable = False
        if answer is None or answer.complete:
            return
        if not self._heard:
            answer.fail(UpstreamUnreachable("the connection was closed before an answer"))
        elif answer.status == 0:
            answer.fail(UpstreamBroken("the connection was closed inside the answer's head"))
        elif self._framed or exc is not None:
            answer.fail(UpstreamBroken("the connection was closed inside the answer's body"))
        else:
            answer.end(framed=False)

    # What the parser tells.

    def on_message_begin(self) -> None:
        """A status line begins."""
        if self.answer is None or self.answer.complete:
            raise UpstreamBroken("a second answer followed the first")

    def on_headers_complete(self) -> None:
        """A head is complete; one of 1xx only announces another."""
        status = self._parser.get_status_code()
        raw = self._raw
        if status >= _FIRST_FINAL and self.answer is not None:
            if self._unused > HEAD_LIMIT and _size(raw) > HEAD_LIMIT:
                raise UpstreamBroken(f"the answer's head is longer than {HEAD_LIMIT >> 10} KiB")
            headers = {_header_name(name): value.decode("latin-1") for name, value in raw.items()}
            self._unused = 0
            self._framed = _is_framed(headers)
            self.answer.head(status, headers)
        elif status == _SWITCHING:
            raise UpstreamBroken("the provider switched protocols")
        raw.clear()

    def on_body(self, body: bytes) -> None:
        """Bytes of the body."""
        self._unused = 0
        if self.answer is not None:
            self.answer.add(body)

    def on_message_complete(self) -> None:
        """The end of an answer, or of an interim one."""
        if self._parser.get_status_code() >= _FIRST_FINAL and self.answer is not None:
            self._reusable = self._parser.should_keep_alive()
            self.answer.end(framed=True)


def _is_framed(headers: dict[str, str]) -> bool:
    """Does the body end by itself, or with the connection? (RFC 9112 §6.3)."""
    encoding = headers.get("transfer-encoding")
    if encoding is None:
        return "content-length" in headers
    if encoding.lower() != "chunked":
        raise UpstreamBroken("the body has a transfer encoding other than chunked")
    return True


@lru_cache(maxsize=512)
def _header_name(name: bytes) -> str:
    return name.decode("latin-1").lower()


def _size(raw: dict[bytes, bytes]) -> int:
    return sum(len(name) + len(value) + len(": \r\n") for name, value in raw.items())
