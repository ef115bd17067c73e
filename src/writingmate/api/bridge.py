"""Any ASGI application on a server of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote

import httptools

from writingmate.api.asgi import Application, Message, Scope
from writingmate.api.presence import Line
from writingmate.api.turn import Turn
from writingmate.errors import ClientLeft

_ASGI: Final = {"version": "3.0", "spec_version": "2.3"}


class Bridge:
    """Gives each turn to ``application`` as a scope, `receive` and `send`."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def serve(self, turn: Turn) -> None:
        """Answer one request; raises what the application raises."""
        call = _Call(turn)
        await self._application(_scope(turn), call.receive, call.send)


class _Call:
    """One request's two channels."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._unread = True

    async def receive(self) -> Message:
        """The body's next piece; after its end the client's leaving, however long that takes."""
        turn = self._turn
        if self._unread and not turn.complete:
            try:
                body, self._unread = await turn.receive()
            except ClientLeft:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": body, "more_body": self._unread}
        if not turn.complete:
            await _departure(turn.line)
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """The head, or a piece of the body."""
        turn = self._turn
        if message["type"] == "http.response.start":
            headers = [pair for pair in message.get("headers", ()) if pair[0] != b"connection"]
            turn.keep_alive &= len(headers) == len(
                message.get("headers", ())
            )  # all it ever says is ``close``
            sized = any(name == b"content-length" for name, _ in headers)
            await turn.begin(message["status"], _lines(headers), sized=sized)
        elif not message.get("more_body", False):
            await turn.end(message.get("body", b""))
        elif message["body"]:
            await turn.piece(message["body"])


def _scope(turn: Turn) -> Scope:
    path = turn.path.decode("ascii")
    return {
        "type": "http",
        "asgi": _ASGI,
        "http_version": "1.0" if turn.old else "1.1",
        "method": turn.method,
        "scheme": "http",
        "path": unquote(path) if "%" in path else path,
        "raw_path": turn.path,
        "query_string": httptools.parse_url(turn.target).query or b"",
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in turn.pairs],
        "state": dict(turn.state),
    }


def _lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    lines = [b"%b: %b\r\n" % pair for pair in headers]
    head = b"".join(lines)
    if head.count(b"\n") != len(lines) or head.count(b"\r") != len(lines):
        raise ValueError("a header holds the end of a line")
    return head


async def _departure(line: Line) -> None:
    if line.left:
        return
    gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    line.on_leave = lambda: None if gone.done() else gone.set_result(None)
    try:
        await gone
    finally:
        line.on_leave = None
