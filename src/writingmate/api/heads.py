"""Heads as bytes: what every answer begins with, and the two that the server itself writes."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

from writingmate.api.request_id import new_request_id
from writingmate.errors import ApiError

_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})


class Heads:
    """The status line and the server's own headers, made once for as long as those stay the same."""

    def __init__(self) -> None:
        self._common: Sequence[tuple[bytes, bytes]] | None = None
        self._made: dict[int, bytes] = {}

    def prefix(self, status: int, common: Sequence[tuple[bytes, bytes]]) -> bytes:
        """For an answer with ``status``; ``common`` is another list whenever the date is another."""
        if common is not self._common:
            self._common = common
            self._made.clear()
        prefix = self._made.get(status)
        if prefix is None:
            lines = b"".join([b"%b: %b\r\n" % pair for pair in common])
            prefix = self._made[status] = status_line(status) + lines
        return prefix


def status_line(status: int) -> bytes:
    r"""The first line of an answer.

    >>> status_line(404)
    b'HTTP/1.1 404 Not Found\r\n'
    """
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return f"HTTP/1.1 {status} {phrase}\r\n".encode("ascii")


def refusal(error: ApiError) -> bytes:
    """A whole answer to what is no request, after which the connection ends."""
    body = error.envelope()
    return b"".join([
        status_line(error.status),
        b"x-request-id: ", new_request_id().encode(), b"\r\n",
        b"openai-processing-ms: 0\r\nopenai-version: 2020-10-01\r\n",
        b"content-type: application/json\r\ncontent-length: %d\r\n" % len(body),
        b"connection: close\r\n\r\n",
        body,
    ])  # fmt: skip


def framing_again(pairs: Sequence[tuple[bytes, bytes]]) -> bytes:
    """A head that says of its body what that of ``pairs`` says, and nothing else."""
    framing = [pair for pair in pairs if pair[0].lower() in _FRAMING]
    return b"".join([b"POST / HTTP/1.1\r\n", *(b"%b: %b\r\n" % pair for pair in framing), b"\r\n"])
