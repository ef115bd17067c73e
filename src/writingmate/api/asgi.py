"""ASGI 3.0 (spec version 2.3): its shapes, and one of its requests as a channel."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, TypeAlias

from writingmate.api.presence import Line, while_asked
from writingmate.errors import ClientLeft

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_CLOSE = (b"connection", b"close")


class AsgiChannel:
    """See `channel.Channel`. The client's leaving is only known by asking for it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.method: str = scope["method"]
        self.path: bytes = scope.get("raw_path") or scope["path"].encode()
        self.query: bytes = scope.get("query_string", b"")
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.state: Mapping[str, Any] = scope.get("state", {})
        self.keep_alive = True
        self.line: Line | None = None
        self._receive = receive
        self._send = send

    def at_once(self) -> None:
        """Nothing is known to have come before it is asked for."""
        return

    async def receive(self) -> tuple[bytes, bool]:
        """One message."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        return message.get("body", b""), message.get("more_body", False)

    async def whole(self, status: int, lines: bytes, body: bytes) -> None:
        """Two messages."""
        await self.begin(status, lines, sized=True)
        await self.end(body)

    async def begin(self, status: int, lines: bytes, *, sized: bool) -> None:
        """Headers are pairs here; the server frames what has no length."""
        del sized
        headers = [_pair(line) for line in lines.split(b"\r\n") if line]
        if not self.keep_alive:
            headers.append(_CLOSE)
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def piece(self, data: bytes) -> None:
        """One message."""
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self, data: bytes = b"") -> None:
        """One message."""
        await self._send({"type": "http.response.body", "body": data, "more_body": False})

    def push(self, data: bytes) -> None:
        """ASGI has no way to."""
        raise NotImplementedError

    async def while_present(self, work: Awaitable[None]) -> None:
        """By a task that asks beside the work."""
        await while_asked(work, self._receive)


def _pair(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b": ")
    return name, value
