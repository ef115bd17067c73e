"""The repository of a model's makers."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from pathlib import Path
from typing import BinaryIO

from writingmate.local.manifest import LocalModel
from writingmate.local.sources import BLOCK, SourceFailed, Tick, part, size

SILENCE_SECONDS = 8.0
"""How long the repository may take to connect, and between two reads."""

_ATTEMPTS = 4


class Official:
    """One file over HTTP; a connection that breaks on the way is continued with a range."""

    name = "the official repository"

    def fetch(self, model: LocalModel, work: Path, tick: Tick) -> Path:
        """Read until the file has its size, or the repository gives nothing more."""
        target, reason = part(work, "official"), ""
        for _ in range(_ATTEMPTS):
            before = size(target)
            try:
                with _answer(model.official, before) as reply:
                    _receive(reply, target, tick)
                reason = "it sent less than the whole file"
            except _Silent as failure:
                reason = str(failure)
            if size(target) >= model.size:
                return target
            if size(target) <= before:
                break
        raise SourceFailed(reason)


class _Silent(Exception):
    """The repository gave nothing (more): told apart from this machine's disk failing to write."""


def _answer(address: str, start: int) -> http.client.HTTPResponse:
    headers = {"range": f"bytes={start}-"} if start else {}
    request = urllib.request.Request(address, headers=headers)  # noqa: S310 # from the manifest, not from a caller
    try:
        reply: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=SILENCE_SECONDS)  # noqa: S310 # as above
    except urllib.error.HTTPError as error:
        error.close()
        raise _Silent(f"it answered {error.code}") from None
    except (OSError, http.client.HTTPException) as error:
        raise _Silent(f"it cannot be reached: {_reason(error)}") from None
    return reply


def _receive(reply: http.client.HTTPResponse, target: Path, tick: Tick) -> None:
    continued = reply.status == http.client.PARTIAL_CONTENT
    with target.open("ab" if continued else "wb") as out:
        _copy(reply, out, tick)


def _copy(reply: http.client.HTTPResponse, out: BinaryIO, tick: Tick) -> None:
    while block := _read(reply):
        out.write(block)
        tick()


def _read(reply: http.client.HTTPResponse) -> bytes:
    try:
        return reply.read(BLOCK)
    except (OSError, http.client.HTTPException) as error:
        raise _Silent(f"the connection broke: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """The innermost words; an URLError wraps what really happened."""
    inner = getattr(error, "reason", error)
    return getattr(inner, "strerror", None) or str(inner) or type(inner).__name__
