"""``GET /docs``: the description as a page to try things on, from files that are installed with us.

Swagger UI 4, which the bundle carries, renders OpenAPI 3.0 only, so the page is given the same
document in 3.0's words; what the API publishes stays 3.1.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import cached_property
from typing import Any, Final

import msgspec
from swagger_ui_bundle import swagger_ui_path

from writingmate.api.connection import Connection
from writingmate.api.openapi import ANTHROPIC, PATH, Description
from writingmate.api.responder import Responder

POLICY: Final = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_COMMON: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
_PAGE: Final = b"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>writingmate API</title>
<link rel="icon" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<main id="swagger-ui"></main>
<noscript>This page needs JavaScript. The same is in <a href="openapi.yaml">openapi.yaml</a>.</noscript>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/initializer.js"></script>
</body>
</html>
"""
_INITIALIZER: Final = b"""SwaggerUIBundle({
  url: "docs/definition.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
"""
_SCRIPT: Final = "text/javascript; charset=utf-8"
_INSTALLED: Final = {
    b"swagger-ui.css": "text/css; charset=utf-8",
    b"swagger-ui-bundle.js": _SCRIPT,
    b"favicon-32x32.png": "image/png",
}


class Docs:
    """The page and the files it loads, kept in memory from their first use."""

    names: Final = (*_INSTALLED, b"initializer.js", b"definition.json")

    def __init__(self, description: Description) -> None:
        self._description = description
        self._files: dict[bytes, bytes] = {b"initializer.js": _INITIALIZER}

    async def page(self, _: Connection, client: Responder) -> None:
        """``GET /docs``."""
        await client.reply(200, {**_COMMON, "content-type": "text/html; charset=utf-8"}, _PAGE)

    def file(self, name: bytes) -> Callable[[Connection, Responder], Awaitable[None]]:
        """The endpoint of ``GET /docs/{name}``."""
        kind = _INSTALLED.get(name, _SCRIPT if name.endswith(b".js") else "application/json")
        age = "no-cache" if name == b"definition.json" else "public, max-age=86400"
        headers = {**_COMMON, "content-type": kind, "cache-control": age}

        async def endpoint(_: Connection, client: Responder) -> None:
            if name not in self._files:
                self._files[name] = await asyncio.to_thread(self._read, name)
            await client.reply(200, headers, self._files[name])

        return endpoint

    @cached_property
    def definition(self) -> dict[str, Any]:
        """The description in the words of OpenAPI 3.0, asking the server that the page came from."""
        document: dict[str, Any] = older(self._description.document)
        document["openapi"] = "3.0.3"
        document["info"].pop("summary", None)
        document["servers"] = [{"url": PATH}]
        for item in document["paths"].values():
            if "servers" in item:
                item["servers"] = [{"url": ANTHROPIC}]
        return document

    def _read(self, name: bytes) -> bytes:
        if name == b"definition.json":
            return msgspec.json.encode(self.definition)
        installed: bytes = (swagger_ui_path / name.decode()).read_bytes()
        return installed


def older(node: Any) -> Any:  # noqa: ANN401  any part of a JSON document
    """A part of an OpenAPI 3.1 document as 3.0 says it: ``null`` and ``const`` had no words of their own."""
    if isinstance(node, list):
        return [older(item) for item in node]
    if not isinstance(node, dict):
        return node
    changed = {key: older(value) for key, value in node.items() if not key.startswith("x-event")}
    if "const" in changed:
        changed["enum"] = [changed.pop("const")]
    kinds = changed.get("type")
    if isinstance(kinds, list):
        changed["type"] = next(kind for kind in kinds if kind != "null")
        changed["nullable"] = True
    choices = changed.get("anyOf")
    if isinstance(choices, list) and {"type": "null"} in choices:
        changed["anyOf"] = [choice for choice in choices if choice != {"type": "null"}]
        changed["nullable"] = True
    return changed
