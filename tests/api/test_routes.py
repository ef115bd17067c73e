from __future__ import annotations

import pytest

from tests.api.raw import ask
from tests.api.served import BEARER, CHAT, KEY, MODELS, PREFIX, WAYS, Served, Way

JSON = "application/json"


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    """Everything here holds however requests reach the data plane."""
    way: Way = request.param
    return way


async def test_a_model_is_found_with_raw_and_encoded_slashes(api: Served) -> None:
    for slug in ("google/gemini-2.5-flash", "google%2Fgemini-2.5-flash", "google%2fgemini-2.5-flash"):
        answer = await ask(api.port, "GET", f"{MODELS}/{slug}", authorization=BEARER)
        assert answer.json()["id"] == "google/gemini-2.5-flash"


@pytest.mark.parametrize(
    ("sent", "slug"),
    [
        ("a%252Fb", "a%2Fb"),
        ("caf%C3%A9", "café"),
        ("a%00b", "a\0b"),
        ("%ff", "\N{REPLACEMENT CHARACTER}"),
        ("..%2F..", "../.."),
        ("a//b/", "a//b/"),
        ("a%zz", "a%zz"),
        ("x:free", "x:free"),
    ],
)
async def test_ids_are_decoded_once(api: Served, sent: str, slug: str) -> None:
    answer = await ask(api.port, "GET", f"{MODELS}/{sent}?q=1", authorization=BEARER)
    assert answer.json()["id"] == slug


async def test_the_list_of_models(api: Served) -> None:
    answer = await ask(api.port, "GET", MODELS, authorization=BEARER)
    assert answer.status == 200
    assert answer.headers["content-type"] == JSON
    assert api.directory.asked == [(KEY, None, True)]


@pytest.mark.parametrize(
    "path",
    ["/", "/nowhere", PREFIX, f"{PREFIX}/", f"{MODELS}/", f"{CHAT}/", f"{PREFIX}/chat%2Fcompletions",
     f"{PREFIX}//models", f"{PREFIX}/docs/../models", "/healthz/", "/v1/models", f"{PREFIX}/docs/index.html"],
)  # fmt: skip
async def test_an_unknown_path_is_an_envelope(api: Served, path: str) -> None:
    answer = await ask(api.port, "GET", path, authorization=BEARER)
    assert answer.status == 404
    assert answer.error["code"] == "unknown_url"
    assert path in answer.error["message"]


async def test_the_query_of_an_unknown_path_is_not_repeated(api: Served) -> None:
    answer = await ask(api.port, "GET", "/nowhere?key=secret")
    assert "secret" not in answer.error["message"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", CHAT, "POST, OPTIONS"),
        ("HEAD", CHAT, "POST, OPTIONS"),
        ("DELETE", MODELS, "GET, HEAD, OPTIONS"),
        ("POST", f"{MODELS}/a/b", "GET, HEAD, OPTIONS"),
        ("PROPFIND", MODELS, "GET, HEAD, OPTIONS"),
        ("POST", "/healthz", "GET, HEAD"),
        ("OPTIONS", "/metrics", "GET, HEAD"),
    ],
)
async def test_a_wrong_method_names_the_right_ones(api: Served, method: str, path: str, allowed: str) -> None:
    answer = await ask(api.port, method, path)
    assert answer.status == 405
    assert answer.headers["allow"] == allowed
    if method != "HEAD":
        assert answer.error["code"] == "method_not_supported"


async def test_head_is_get_without_a_body(api: Served) -> None:
    whole = await ask(api.port, "GET", MODELS, authorization=BEARER)
    head = await ask(api.port, "HEAD", MODELS, authorization=BEARER)
    assert head.status == 200
    assert head.headers["content-length"] == str(len(whole.body))


async def test_a_preflight_allows_what_it_asks_for(api: Served) -> None:
    answer = await ask(
        api.port,
        "OPTIONS",
        CHAT,
        origin="https://page.example",
        access_control_request_method="POST",
        access_control_request_headers="authorization, x-stainless-lang",
    )
    assert answer.status == 204
    assert "content-length" not in answer.headers
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-allow-methods"] == "POST"
    assert answer.headers["access-control-allow-headers"] == "authorization, x-stainless-lang"
    assert answer.headers["access-control-max-age"] == "86400"


async def test_options_without_an_origin_says_what_is_allowed(api: Served) -> None:
    answer = await ask(api.port, "OPTIONS", MODELS)
    assert (answer.status, answer.headers["allow"]) == (204, "GET, HEAD, OPTIONS")
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_web_pages_may_read_answers_and_errors_of_the_api_only(api: Served) -> None:
    page = "https://page.example"
    good = await ask(api.port, "GET", MODELS, authorization=BEARER, origin=page)
    bad = await ask(api.port, "GET", MODELS, origin=page)
    for answer in (good, bad):
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "x-request-id" in answer.headers["access-control-expose-headers"]
    probe = await ask(api.port, "GET", "/metrics", origin=page)
    assert "access-control-allow-origin" not in probe.headers
    plain = await ask(api.port, "GET", MODELS, authorization=BEARER)
    assert "access-control-allow-origin" not in plain.headers
