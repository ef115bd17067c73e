from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
import yaml
from openapi_spec_validator import OpenAPIV30SpecValidator, OpenAPIV31SpecValidator

from tests.api.raw import ask
from tests.api.served import CHAT, MODELS, Served
from tests.openapi_check import Answer, Rules
from writingmate.api.docs import Docs, older
from writingmate.api.openapi import ANTHROPIC, PATH, Description
from writingmate.api.routes import MODELS as MODELS_PREFIX
from writingmate.api.routes import Routes

PUBLIC = "https://gateway.example/"
DESCRIPTION = Description(PUBLIC)
COMMON = {"x-request-id": "req_" + "0" * 24, "openai-processing-ms": "1", "openai-version": "2020-10-01"}


def test_the_document_is_valid() -> None:
    OpenAPIV31SpecValidator(DESCRIPTION.document).validate()


def test_the_page_gets_a_valid_older_document() -> None:
    definition = Docs(DESCRIPTION).definition
    OpenAPIV30SpecValidator(definition).validate()
    assert definition["servers"] == [{"url": PATH}]
    assert set(definition["paths"]) == set(DESCRIPTION.document["paths"])
    assert DESCRIPTION.document["openapi"] == "3.1.0"


def test_null_and_const_in_older_words() -> None:
    assert older({"type": ["string", "null"], "const": "x"}) == {
        "type": "string",
        "nullable": True,
        "enum": ["x"],
    }
    assert older({"anyOf": [{"type": "integer"}, {"type": "null"}]}) == {
        "anyOf": [{"type": "integer"}],
        "nullable": True,
    }


def test_the_server_is_where_it_says() -> None:
    assert DESCRIPTION.document["servers"][0]["url"] == "https://gateway.example/api/openai/v1"


def address(path: str) -> str:
    """Paths of Anthropic's dialect have the version in them, and a server of their own."""
    return (ANTHROPIC if path.startswith("/v1/") else PATH) + path


def test_paths_of_anthropics_dialect_have_their_server() -> None:
    for path, item in DESCRIPTION.document["paths"].items():
        servers = [server["url"] for server in item.get("servers", ())]
        assert servers == (["https://gateway.example/api/anthropic"] if path.startswith("/v1/") else [])
    shown = Docs(DESCRIPTION).definition["paths"]["/v1/messages"]["servers"]
    assert shown == [{"url": ANTHROPIC}]


def test_every_path_of_the_table_is_described(api: Served) -> None:
    assert api.plane is not None
    routes: Routes = api.plane._routes
    described = {address(path) for path in DESCRIPTION.document["paths"]}
    table = {path.decode() for path, route in routes._table.items() if route.public}
    undescribed = {path for path in table if path not in described}
    assert all("/docs" in path for path in undescribed)
    for path, methods in DESCRIPTION.document["paths"].items():
        route = routes.find(address(path).replace("{id}", "x").encode())
        assert route is not None
        assert {method.upper() for method in methods if method != "servers"} <= set(route.methods)
    assert MODELS_PREFIX.startswith(PATH.encode())


def _contents(node: Any) -> Iterator[dict[str, Any]]:
    """Every ``content`` of a request or response."""
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key == "content" and all("/" in kind for kind in value):
            yield value
        else:
            yield from _contents(value)


def test_every_example_is_as_described() -> None:
    rules = Rules(DESCRIPTION.document)
    seen = 0
    for content in _contents({"paths": DESCRIPTION.document["paths"], **DESCRIPTION.document["components"]}):
        described = content.get("application/json", {})
        for name, example in described.get("examples", {}).items():
            pointer = described["schema"]["$ref"].removeprefix("#")
            assert not [*rules._value(pointer, example["value"], name)]
            seen += 1
    assert seen >= 12


async def test_it_is_served_as_yaml_and_json_to_anybody(api: Served) -> None:
    text = await ask(api.port, "GET", f"{PATH}/openapi.yaml")
    assert text.headers["content-type"] == "application/yaml"
    encoded = await ask(api.port, "GET", f"{PATH}/openapi.json")
    assert yaml.safe_load(text.body) == encoded.json()


async def test_the_page_loads_only_what_is_served(api: Served) -> None:
    page = await ask(api.port, "GET", f"{PATH}/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "unsafe-inline" not in page.headers["content-security-policy"]
    assert "default-src 'self'" in page.headers["content-security-policy"]
    text = page.body.decode()
    assert "<script>" not in text
    assert "http:" not in text
    assert "https:" not in text
    for name in ("swagger-ui.css", "swagger-ui-bundle.js", "initializer.js", "favicon-32x32.png"):
        assert f"docs/{name}" in text
        reply = await ask(api.port, "GET", f"{PATH}/docs/{name}")
        assert reply.status == 200
        assert reply.body
        assert reply.headers["x-content-type-options"] == "nosniff"
    definition = await ask(api.port, "GET", f"{PATH}/docs/definition.json")
    assert definition.json()["openapi"] == "3.0.3"


def _problems(method: str, path: str, status: int, body: bytes, **headers: str) -> list[str]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = Answer(method, path, status, COMMON | named, bytearray(body), complete=True)
    return [*Rules(DESCRIPTION.document).problems(answer)]


ENVELOPE = b'{"error":{"message":"x","type":"invalid_request_error","param":null,"code":null}}'
STREAM = {"content_type": "text/event-stream; charset=utf-8", "x_writingmate_workspace": "w"}
CHUNK = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": []}
EVENT = b"data: " + msgspec.json.encode(CHUNK) + b"\n\n"


@pytest.mark.parametrize(
    ("path", "status", "body", "problem"),
    [
        (MODELS, 200, b'{"object":"list","data":[{"id":"x"}]}', "'created' is a required property"),
        (MODELS, 418, ENVELOPE, "not described"),
        (MODELS, 401, ENVELOPE, "is not one of ['invalid_api_key', 'provider_key_rejected']"),
        (MODELS, 400, b'{"error":"x"}', "is not of type 'object'"),
        (MODELS, 400, b'{"error":{"message":"x"}}', "'type' is a required property"),
        (MODELS, 400, ENVELOPE.replace(b"null}", b"7}"), "7 is not of type"),
        (MODELS, 400, b"<html>", "is not JSON"),
        ("/nowhere", 404, b"{}", "'error' is a required property"),
    ],
)
def test_the_checker_finds_wrong_bodies(path: str, status: int, body: bytes, problem: str) -> None:
    assert any(
        problem in found for found in _problems("GET", path, status, body, content_type="application/json")
    )


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (EVENT, "neither [DONE] nor an error"),
        (EVENT + b"data: [DONE]\n\n" + EVENT, "[DONE] is not the last"),
        (b"data: {}\n\ndata: [DONE]\n\n", "not valid under any"),
        (EVENT + b"data: [DONE]\n", "whole event"),
    ],
)
def test_the_checker_finds_wrong_streams(body: bytes, problem: str) -> None:
    found = _problems("POST", CHAT, 200, body, x_writingmate_route="a/b", **STREAM)
    assert any(problem in one for one in found)


def test_the_checker_finds_wrong_headers() -> None:
    found = _problems("POST", CHAT, 200, EVENT + b": x\n\ndata: [DONE]\n\n", x_other="1", **STREAM)
    assert found == ["header x-writingmate-route is missing", "header x-other is not described"]
    answer = Answer("GET", "/healthz", 200, {}, bytearray(b"{}"), complete=True)
    assert len([*Rules(DESCRIPTION.document).problems(answer)]) == 3
