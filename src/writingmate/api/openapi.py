"""The API's description: hand-written in ``openapi.yaml``, served with this server's own address."""

from __future__ import annotations

import asyncio
from functools import cached_property
from importlib.resources import files
from typing import Any, Final

import msgspec
import yaml

from writingmate.api.connection import Connection
from writingmate.api.responder import Responder

PATH: Final = "/api/openai/v1"
ANTHROPIC: Final = "/api/anthropic"
"""Where the paths are that begin with a version of their own."""
WRITTEN_FOR: Final = f"http://127.0.0.1:8000{PATH}"
"""The address in the file, where the public one goes."""
ANTHROPIC_WRITTEN_FOR: Final = f"http://127.0.0.1:8000{ANTHROPIC}"


class Description:
    """The OpenAPI 3.1 document of a server at ``public_url``, read on first use."""

    def __init__(self, public_url: str) -> None:
        self._public = public_url.rstrip("/")

    @cached_property
    def text(self) -> bytes:
        """As YAML, comments and order as written."""
        written = files("writingmate.api").joinpath("openapi.yaml").read_text("utf-8")
        for address, path in ((WRITTEN_FOR, PATH), (ANTHROPIC_WRITTEN_FOR, ANTHROPIC)):
            written = written.replace(f"url: {address}\n", f"url: {self._public}{path}\n")
        return written.encode()

    @cached_property
    def document(self) -> dict[str, Any]:
        """As it parses."""
        parsed: dict[str, Any] = yaml.load(self.text, _Loader)  # noqa: S506  a safe loader, in C where there is one
        return parsed

    @cached_property
    def encoded(self) -> bytes:
        """As JSON."""
        return msgspec.json.encode(self.document)

    async def yaml(self, _: Connection, client: Responder) -> None:
        """``GET /openapi.yaml``."""
        await client.reply(200, {"content-type": "application/yaml"}, self.text)

    async def json(self, _: Connection, client: Responder) -> None:
        """``GET /openapi.json``; parsed beside the event loop, for it takes some 30 ms."""
        body = await asyncio.to_thread(lambda: self.encoded)
        await client.reply(200, {}, body)


_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
