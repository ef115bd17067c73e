"""What is written to the wire, and what never is."""

from __future__ import annotations

import pytest

from tests.upstream.calls import KEY, post
from writingmate import __version__
from writingmate.errors import UpstreamUnreachable
from writingmate.upstream import request
from writingmate.upstream.base import Call
from writingmate.upstream.client import HttpClient
from writingmate.upstream.request import Origin


def _head(url: str, **headers: str) -> list[str]:
    call = Call(url, headers, b"{}", streaming=False)
    return request.head(request.target("POST", url, None), call).decode("latin-1").split("\r\n")


def test_the_head() -> None:
    assert _head("https://api.example.com/v1/chat?api-version=1#part", authorization="Bearer x") == [
        "POST /v1/chat?api-version=1 HTTP/1.1",
        "host: api.example.com",
        f"user-agent: writingmate/{__version__}",
        "accept: application/json",
        "accept-encoding: identity",
        "content-type: application/json",
        "content-length: 2",
        "authorization: Bearer x",
        "",
        "",
    ]


@pytest.mark.parametrize(
    ("url", "origin", "host"),
    [
        ("http://a", Origin("http", "a", 80), "a"),
        ("http://A.b:80/x", Origin("http", "a.b", 80), "a.b"),
        ("https://a:8443", Origin("https", "a", 8443), "a:8443"),
        ("http://[::1]:99/x", Origin("http", "::1", 99), "[::1]:99"),
        ("https://[::1]", Origin("https", "::1", 443), "[::1]"),
    ],
)
def test_origin_and_host(url: str, origin: Origin, host: str) -> None:
    assert request.target("POST", url, None).origin == origin
    assert f"host: {host}" in _head(url)


def test_origins_are_named_without_path_and_query() -> None:
    assert str(request.target("POST", "http://[::1]:99/secret?key=secret", None).origin) == "http://[::1]:99"
    assert str(request.target("POST", "http://x/secret", "/run/model.sock").origin) == "/run/model.sock"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://a/x",
        "//a/x",
        "http://",
        "http://a:99999",
        "http://a:0",
        "http://a:x",
        "http://[::1",
        "http://a/b c",
        "http://a/b\r\nhost: b",
        "http://a\n.b/",
        "http://a/\0",
        "http://a/\u00e9",
        "http://user:secret@a/",
    ],
)
async def test_urls_that_nothing_is_sent_to(client: HttpClient, url: str) -> None:
    with pytest.raises(UpstreamUnreachable) as caught:
        await client.open(post(url)).__aenter__()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["authorization", "x-other"])
@pytest.mark.parametrize(
    "value", [f"{KEY}\r\nx: y", f"{KEY}\n", f"{KEY}\r", f"\0{KEY}", f"{KEY}\u20ac", f"{KEY}\n\r"]
)
def test_header_values_that_are_refused(name: str, value: str) -> None:
    with pytest.raises(UpstreamUnreachable) as caught:
        _head("http://a", **{"x-a": "b", name: value})
    assert KEY not in repr(caught.value)


@pytest.mark.parametrize(
    "name", ["", "a b", "a:", "a\r\nb", "a\nb", "a\0", "\u00e9", " a", "Host", "content-length", "Connection"]
)
def test_header_names_that_are_refused(name: str) -> None:
    with pytest.raises(UpstreamUnreachable) as caught:
        _head("http://a", **{name: KEY})
    assert KEY not in repr(caught.value)


def test_the_body_is_not_copied_into_the_log() -> None:
    call = post("http://a", KEY.encode())
    assert KEY not in repr(call)
