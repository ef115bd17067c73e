"""Anthropic on loopback: ``POST /v1/messages``, whole and streamed, its tokens, and ``GET /v1/models``.

What is sent to it must pass `anthropic_judge`, that is Anthropic's own types.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from tests.fakes import anthropic_judge
from tests.fakes.anthropic_answers import counted, message, refusal
from tests.fakes.http_connection import ServedConnection
from tests.fakes.openai_answers import Chunk
from tests.fakes.openai_choices import Json
from tests.fakes.openai_response import Response
from tests.fakes.openai_script import Fault, RecordedCall
from tests.fakes.openai_upstream import FakeOpenAI

VERSIONS = ("2023-06-01", "2026-10-21")  # ours, and that of Anthropic's own client


class FakeAnthropic(FakeOpenAI):
    """The server; ``host`` is what Anthropic's own clients are pointed at."""

    def __init__(
        self, *, key: str, models: Sequence[str] = ("claude-haiku-4-5", "claude-opus-5", "claude-sonnet-5-5")
    ) -> None:
        super().__init__(key=key, models=models)

    @property
    def host(self) -> str:
        """The address without its version."""
        return self.base_url.removesuffix("/v1")

    async def _respond(self, served: ServedConnection, call: RecordedCall) -> None:
        fault = self._fault(call)
        response = _Events(served, call, fault, self._released)
        refused = self._refused(call)
        if refused is not None:
            await response.document(*refused)
        elif fault.status != 200 or fault.body is not None:
            await response.document(fault.status, {})
        elif (call.method, call.path) == ("POST", "/v1/messages"):
            answer = message(call.document, call.request_id, fault.wish)
            streaming = bool(call.document.get("stream"))
            await (response.stream(answer.chunks) if streaming else response.whole(answer))
        elif (call.method, call.path) == ("POST", "/v1/messages/count_tokens"):
            await response.document(200, counted(call.document))
        else:
            await response.document(*self._looked_up(call))

    def _refused(self, call: RecordedCall) -> tuple[int, Json] | None:
        bearer = call.headers.get("authorization", "").removeprefix("Bearer ")
        if call.headers.get("x-api-key", bearer) != self._key:
            return 401, refusal("authentication_error", "invalid x-api-key")
        if call.headers.get("anthropic-version") not in VERSIONS:
            return 400, refusal("invalid_request_error", "anthropic-version: header is required")
        if call.method != "POST":
            return None
        beta = "anthropic-beta" in call.headers
        asked = call.document if call.path == "/v1/messages" else {"max_tokens": 1, **call.document}
        fault = anthropic_judge.fault(asked, beta=beta)
        if fault is not None:
            return 400, refusal("invalid_request_error", fault)
        if call.model not in self.models:
            return 404, refusal("not_found_error", f"model: {call.model}")
        return None

    def _looked_up(self, call: RecordedCall) -> tuple[int, Json]:
        if (call.method, call.path) != ("GET", "/v1/models"):
            return 404, refusal("not_found_error", "Not Found")
        about = {"type": "model", "created_at": "2026-07-24T00:00:00Z"}
        listed = [{**about, "id": name, "display_name": name.title()} for name in self.models]
        return 200, {
            "data": listed,
            "has_more": False,
            "first_id": self.models[0],
            "last_id": self.models[-1],
        }


class _Events(Response):
    """One response; every event of a stream has its name, and none says [DONE]."""

    async def stream(self, chunks: Sequence[Chunk]) -> None:
        await self._begin(200, "text/event-stream; charset=utf-8", None)
        for place, chunk in enumerate(chunks):
            if self._fault.stall == place:
                await self._released.wait()
            if self._fault.error_after == place:
                await self._named(Chunk(refusal("overloaded_error", "Overloaded")))
                break
            await self._named(chunk)
        await self._end()

    async def _named(self, chunk: Chunk) -> None:
        data = json.dumps(chunk.document, separators=(",", ":"))
        self._call.produced += chunk.text
        self._call.produced_tokens += chunk.tokens
        await self._body(f"event: {chunk.document['type']}\ndata: {data}\n\n".encode())

    async def _write(self, data: bytes) -> None:
        """Its name of the header is another than OpenAI's."""
        await super()._write(data.replace(b"\r\nx-request-id:", b"\r\nrequest-id:", 1))


def refusing(status: int, kind: str, text: str) -> Fault:
    """Answer with an error of Anthropic's."""
    return Fault(
        status=status, body=json.dumps(refusal(kind, text)).encode(), content_type="application/json"
    )
