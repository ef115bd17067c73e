"""One response of `FakeOpenAI`: framed, paced, cut, stalled or broken as its `Fault` says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from tests.fakes.http_connection import HungUp, ServedConnection, response_head
from tests.fakes.openai_answers import Answer, Chunk, refusal
from tests.fakes.openai_choices import Json
from tests.fakes.openai_script import Fault, RecordedCall

JSON = "application/json"
EVENTS = "text/event-stream; charset=utf-8"
DONE = b"data: [DONE]\n\n"


class Response:
    """Writes one answer and records in ``call`` what got through."""

    def __init__(
        self, served: ServedConnection, call: RecordedCall, fault: Fault, released: asyncio.Event
    ) -> None:
        self._served = served
        self._call = call
        self._fault = fault
        self._released = released
        self._framing = fault.framing

    async def document(self, status: int, document: Json) -> None:
        """Answer with a document, or with what the fault says instead."""
        fault = self._fault
        if fault.status != 200:
            status = fault.status
            document = refusal("The server had an error.", type_="server_error")
        body = fault.body if fault.body is not None else json.dumps(document).encode()
        if fault.malformed:
            body = body[: len(body) // 2]
        await self._begin(status, fault.content_type or JSON, len(body))
        if fault.stall is not None:
            await self._released.wait()
        await self._body(body)
        await self._end()

    async def whole(self, answer: Answer) -> None:
        """Answer with a whole reply."""
        self._call.produced = answer.text
        produced = answer.usage.get("completion_tokens", answer.usage.get("output_tokens"))
        self._call.produced_tokens = int(produced or 0)
        document = dict(answer.whole)
        if not self._fault.usage and document.get("object") == "response":
            document["usage"] = None  # this key is always there
        elif not self._fault.usage:
            del document["usage"]
        await self.document(200, document)
        self._call.usage = document.get("usage")

    async def stream(self, chunks: Sequence[Chunk]) -> None:
        """Answer with events, each written by itself."""
        fault = self._fault
        await self._begin(200, fault.content_type or EVENTS, None)
        kept = [chunk for chunk in chunks if fault.usage or not _usage(chunk)]
        for place, chunk in enumerate(kept):
            if not await self._may_go_on(place):
                return await self._end()
            await self._event(chunk)
        if await self._may_go_on(len(kept)) and fault.done and not _named(chunks[0]):
            await self._body(DONE)
        return await self._end()

    async def _may_go_on(self, place: int) -> bool:
        """Stall, pause or fail before the event at ``place``; False when the body ends here."""
        fault = self._fault
        if fault.stall == place:
            await self._released.wait()
        if fault.pace and place:
            await asyncio.sleep(fault.pace)
        if fault.error_after == place:
            error = fault.error or refusal("The server had an error.", type_="server_error")
            name = b""
            if self._call.path == "/v1/responses":
                error = {"type": "error", "sequence_number": place, **error}
                name = b"event: error\n"
            await self._body(name + b"data: " + json.dumps(error).encode() + b"\n\n")
            return False
        return True

    async def _event(self, chunk: Chunk) -> None:
        data = json.dumps(chunk.document, separators=(",", ":")).encode()
        if self._fault.malformed:
            data = data[: len(data) // 2]
        self._call.produced += chunk.text
        self._call.produced_tokens += chunk.tokens
        await self._body(self._fault.comment.encode() + _named(chunk) + b"data: " + data + b"\n\n")
        self._call.usage = _usage(chunk) or self._call.usage

    async def _begin(self, status: int, content_type: str, length: int | None) -> None:
        fault, call = self._fault, self._call
        if fault.silent:
            await self._released.wait()
        if fault.delay:
            await asyncio.sleep(fault.delay)
        self._framing = fault.framing or ("chunked" if length is None else "length")
        framing = {
            "length": {"content-length": str(length)},
            "chunked": {"transfer-encoding": "chunked"},
            "close": {"connection": "close"},
        }[self._framing]
        call.status = status
        headers = {
            "content-type": content_type,
            "x-request-id": call.request_id,
            "openai-organization": "org-fake",
            "openai-processing-ms": "1",
            "openai-version": "2020-10-01",
        }
        await self._write(response_head(status, headers | framing | dict(fault.headers)))

    async def _body(self, data: bytes) -> None:
        if self._framing == "chunked":
            data = b"%x\r\n%b\r\n" % (len(data), data)
        await self._write(data)

    async def _end(self) -> None:
        if self._framing == "chunked":
            await self._write(b"0\r\n\r\n")
        self._call.finished = True
        if self._framing == "close":
            self._served.close()

    async def _write(self, data: bytes) -> None:
        cut = self._fault.cut
        kept = data if cut is None else data[: max(0, cut - self._call.sent)]
        self._call.sent += len(kept)
        if kept:
            await self._served.write(kept)
        if cut is not None and self._call.sent >= cut:
            self._served.close(reset=self._fault.reset)
            raise Cut


def _named(chunk: Chunk) -> bytes:
    """The event's line, which only responses have."""
    name = chunk.document.get("type")
    return b"" if name is None else f"event: {name}\n".encode()


def _usage(chunk: Chunk) -> Json | None:
    found: Json | None = chunk.document.get("usage") or chunk.document.get("response", {}).get("usage")
    return found


class Cut(HungUp):
    """The fault closed the connection here."""
