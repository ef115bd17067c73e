"""A call as bytes: where it goes, and the head that goes before its body."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import SplitResult, urlsplit

from writingmate import __version__
from writingmate.errors import UpstreamUnreachable
from writingmate.upstream.base import Call

PORTS = {"http": 80, "https": 443}

# Headers that say how bytes are framed, what they are and who asks: the client's own, never a caller's.
_OURS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "content-type",
        "expect",
        "host",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VISIBLE = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Origin:
    """What a connection is opened to. ``socket`` is a unix socket's path, used instead of host and port."""

    scheme: str
    host: str
    port: int
    socket: str | None = None

    def __str__(self) -> str:
        return f"{self.scheme}://{_bracketed(self.host)}:{self.port}" if self.socket is None else self.socket


@dataclass(frozen=True, slots=True)
class Target:
    """An address that calls go to: its origin, and the head up to the caller's own headers."""

    origin: Origin
    head: bytes
    has_body: bool


@lru_cache(maxsize=1024)
def target(method: str, url: str, socket: str | None) -> Target:
    """Where a call goes. Raises UpstreamUnreachable for a URL that nothing can be sent to."""
    parts = _split(url)
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    named = _bracketed(host) if port == PORTS[parts.scheme] else f"{_bracketed(host)}:{port}"
    lines = [
        f"{method} {path} HTTP/1.1",
        f"host: {named}",
        f"user-agent: writingmate/{__version__}",
        "accept: application/json",
        "accept-encoding: identity",
    ]
    has_body = method == "POST"
    if has_body:
        lines += ["content-type: application/json", "content-length: "]
    head = "\r\n".join(lines).encode("ascii")
    return Target(Origin(parts.scheme, host, port, socket), head, has_body)


def head(target: Target, call: Call) -> bytes:
    """The whole head of a call. Raises UpstreamUnreachable for a header that cannot be sent."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in call.headers.items()])
    count = len(call.headers)
    plain = lines.count("\n") == count and lines.count("\r") == count and "\0" not in lines
    if not (plain and _names_pass(tuple(call.headers))):
        raise UpstreamUnreachable(_fault_in(call.headers))
    try:
        encoded = lines.encode("latin-1")
    except UnicodeEncodeError:
        raise UpstreamUnreachable(_fault_in(call.headers)) from None
    if target.has_body:
        return b"%b%d\r\n%b\r\n" % (target.head, len(call.body), encoded)
    return b"%b\r\n%b\r\n" % (target.head, encoded)


@lru_cache(maxsize=256)
def _names_pass(names: tuple[str, ...]) -> bool:
    return all(_TOKEN.fullmatch(name) and name.lower() not in _OURS for name in names)


def _fault_in(headers: Mapping[str, str]) -> str:
    """Which header cannot be sent, without its value."""
    for name in headers:
        if not _TOKEN.fullmatch(name):
            return "a request header's name is not one word of letters, digits and dashes"
        if name.lower() in _OURS:
            return f"the request header {name.lower()!r} is set by the client itself"
    return "a request header's value holds a line break, a NUL or a character beyond latin-1"


def _split(url: str) -> SplitResult:
    parts = _parsed(url)
    if parts is None or not _VISIBLE.fullmatch(url):
        raise UpstreamUnreachable("the URL is not one of http or https with a host, in plain ASCII")
    if "@" in parts.netloc:
        raise UpstreamUnreachable("the URL holds credentials: give them as a header instead")
    return parts


def _parsed(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        known = parts.scheme in PORTS and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if known else None


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
