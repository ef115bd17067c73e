"""Google on loopback: ``:generateContent``, ``:streamGenerateContent`` and ``GET /models`` of v1beta.

What is sent to it must pass `gemini_judge`, that is Google's own types and client.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from tests.fakes import gemini_judge
from tests.fakes.gemini_answers import content, key_refused, listed, refusal
from tests.fakes.http_connection import ServedConnection
from tests.fakes.openai_answers import Chunk
from tests.fakes.openai_choices import Json
from tests.fakes.openai_response import Response
from tests.fakes.openai_script import Fault, RecordedCall
from tests.fakes.openai_upstream import FakeOpenAI

_NOT_THEIRS = re.compile(rb"\r\n(?:x-request-id|openai-[a-z-]+):[^\r]*")
_LIST = re.compile(r"/v1(?:beta)?/models(?:\?.*)?")  # the newest of its clients speaks v1
_PATH = re.compile(r"/v1(?:beta)?/models/([^/:?]+):(generateContent|streamGenerateContent\?alt=sse)")


class FakeGemini(FakeOpenAI):
    """The server; ``host`` is what Google's own clients are pointed at."""

    def __init__(
        self,
        *,
        key: str,
        models: Sequence[str] = ("gemini-2.5-flash", "gemini-2.5-pro", "gemini-3.8-flash"),
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
        asked = _PATH.fullmatch(call.path)
        if refused is not None:
            await response.document(*refused)
        elif fault.status != 200 or fault.body is not None:
            await response.document(fault.status, {})
        elif asked is not None and call.method == "POST":
            answer = content(
                gemini_judge.spelt(call.document), asked[1], call.request_id, fault.wish, usage=fault.usage
            )
            if asked[2] == "generateContent":
                call.produced, call.produced_tokens = answer.text, answer.usage["completion_tokens"]
                await response.document(200, answer.whole)
            else:
                await response.stream(answer.chunks)
        else:
            await response.document(*self._looked_up(call))

    def _refused(self, call: RecordedCall) -> tuple[int, Json] | None:
        if "key=" in call.path or call.headers.get("x-goog-api-key") != self._key:
            return 400, key_refused()
        asked = _PATH.fullmatch(call.path)
        if call.method != "POST" or asked is None:
            return None
        if asked[1] not in self.models:
            text = f"models/{asked[1]} is not found for API version v1beta."
            return 404, refusal(404, "NOT_FOUND", text)
        fault = gemini_judge.fault(gemini_judge.spelt(call.document), asked[1])
        return None if fault is None else (400, refusal(400, "INVALID_ARGUMENT", fault))

    def _looked_up(self, call: RecordedCall) -> tuple[int, Json]:
        if call.method == "GET" and _LIST.fullmatch(call.path):
            return 200, listed(self.models)
        return 404, refusal(404, "NOT_FOUND", "Requested entity was not found.")


class _Events(Response):
    """One response; no event of a stream has a name, and none says [DONE]."""

    async def stream(self, chunks: Sequence[Chunk]) -> None:
        await self._begin(200, "text/event-stream", None)
        for place, chunk in enumerate(chunks):
            if self._fault.error_after == place:
                error = refusal(503, "UNAVAILABLE", "The model is overloaded.")
                await self._body(f"data: {json.dumps(error)}\r\n\r\n".encode())
                break
            if self._fault.stall == place:
                await self._released.wait()
            self._call.produced += chunk.text
            self._call.produced_tokens += chunk.tokens
            await self._body(f"data: {json.dumps(chunk.document)}\r\n\r\n".encode())
        await self._end()

    async def _write(self, data: bytes) -> None:
        """None of OpenAI's headers is Google's, and it has none with an id."""
        await super()._write(_NOT_THEIRS.sub(b"", data))


def refusing(document: Json) -> Fault:
    """Answer with an error of Google's."""
    return Fault(
        status=document["error"]["code"],
        body=json.dumps(document).encode(),
        content_type="application/json; charset=UTF-8",
    )
