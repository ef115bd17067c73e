"""A provider that speaks OpenAI's wire format on loopback, and fails as it is told to.

::

    async with FakeOpenAI() as fake:
        fake.script(Fault(status=429, headers={"retry-after": "7"}), model="gpt-4.1", times=1)
        ...  # something posts to fake.base_url + "/chat/completions"
        assert fake.calls[0].document["model"] == "gpt-4.1"

``GET /v1/models``, ``GET /v1/models/{id}``, ``POST /v1/chat/completions``, ``POST /v1/completions``
and ``POST /v1/responses``, whole and streamed; what it says is in `tests.fakes.openai_choices`.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import unquote

from tests.fakes import manners, openai_judge
from tests.fakes.http_connection import HungUp, Request, ServedConnection
from tests.fakes.openai_answers import Answer, chat, completion, model, models, refusal
from tests.fakes.openai_choices import Json, Wish
from tests.fakes.openai_response import Response
from tests.fakes.openai_responses import responses
from tests.fakes.openai_script import HTML_502, WELL, Fault, RecordedCall, Scripted
from writingmate.types import DialectName

__all__ = ["HTML_502", "FakeOpenAI", "Fault", "RecordedCall", "Wish"]

ANSWERS: dict[str, Callable[[Json, str, Wish], Answer]] = {
    "/v1/chat/completions": chat,
    "/v1/completions": completion,
    "/v1/responses": responses,
}
BACKLOG = 4096  # a thousand calls at once are not turned away
REQUIRED = {
    "/v1/chat/completions": ("model", "messages"),
    "/v1/completions": ("model", "prompt"),
    "/v1/responses": ("model", "input"),
}
DIALECTS: dict[str, DialectName] = {
    "/v1/chat/completions": "chat",
    "/v1/completions": "completions",
    "/v1/responses": "responses",
}


class FakeOpenAI:
    """The server. Listens on 127.0.0.1, or on ``socket``; speaks TLS when given a context.

    ``key``, when given, is the only one accepted. Requests are ``judged`` by OpenAI's own types, unless it
    stands for a server that takes more. ``calls`` are all requests in order of arrival, ``connections``
    counts what was accepted. It refuses chats as the provider does that it is ``like``.
    """

    def __init__(
        self,
        *,
        models: Sequence[str] = ("gpt-4.1", "gpt-4.1-mini", "gpt-3.5-turbo-instruct"),
        key: str | None = None,
        judged: bool = True,
        socket: Path | None = None,
        tls: ssl.SSLContext | None = None,
        like: str = "",
    ) -> None:
        self.models = tuple(models)
        self.like = like
        self.calls: list[RecordedCall] = []
        self.connections = 0
        self._key = key
        self.judged = judged
        self._socket = socket
        self._tls = tls
        self._scripts: list[Scripted] = []
        self._drops = 0
        self._released = asyncio.Event()
        self._arrived = asyncio.Event()
        self._served: set[ServedConnection] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        if self._socket is not None:
            path = str(self._socket)
            self._server = await loop.create_unix_server(self._accept, path, backlog=BACKLOG, ssl=self._tls)
        else:
            self._server = await loop.create_server(
                self._accept, "127.0.0.1", 0, backlog=BACKLOG, ssl=self._tls
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        tasks = [served.task for served in self._served if served.task is not None]
        for served in self._served:
            served.close(reset=True)
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        if error is None:
            for outcome in outcomes:
                if isinstance(outcome, Exception):
                    raise outcome

    @property
    def port(self) -> int:
        """The port it listens on."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def base_url(self) -> str:
        """Where an OpenAI client is pointed."""
        if self._socket is not None:
            return "http://localhost/v1"
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}/v1"

    def script(
        self, fault: Fault, *, model: str | None = None, path: str | None = None, times: int | None = None
    ) -> None:
        """Answer calls for ``model`` on ``path`` with ``fault``, so many times; the first fit is used."""
        self._scripts.append(Scripted(fault, model, path, times))

    def recover(self) -> None:
        """Forget every script: answer well from now on."""
        self._scripts.clear()

    def drop(self, times: int) -> None:
        """Close the next connections as soon as they are accepted."""
        self._drops += times

    def release(self) -> None:
        """Let silent and stalled answers go on, now and from now on."""
        self._released.set()

    async def called(self, count: int) -> RecordedCall:
        """Wait until so many calls have arrived, and return the latest of them."""
        while len(self.calls) < count:
            self._arrived.clear()
            await self._arrived.wait()
        return self.calls[count - 1]

    def _accept(self) -> ServedConnection:
        self.connections += 1
        served = ServedConnection(self._answer, dropped=self._drops > 0)
        self._drops = max(0, self._drops - 1)
        self._served.add(served)
        return served

    async def _answer(self, served: ServedConnection, request: Request) -> None:
        call = RecordedCall(
            request.method, request.path, request.headers, request.body, f"req_{len(self.calls):08d}"
        )
        self.calls.append(call)
        self._arrived.set()
        try:
            await self._respond(served, call)
        except (HungUp, asyncio.CancelledError):
            call.hung_up = served.lost
        finally:
            call.over.set()

    async def _respond(self, served: ServedConnection, call: RecordedCall) -> None:
        fault = self._fault(call)
        response = Response(served, call, fault, self._released)
        refused = self._refused(call)
        if refused is not None:
            await response.document(*refused)
        elif fault.status != 200 or fault.body is not None:
            await response.document(fault.status, {})
        elif call.method == "POST" and call.path in ANSWERS:
            answer = self._generated(call, fault.wish)
            streaming = bool(call.document.get("stream"))
            await (response.stream(answer.chunks) if streaming else response.whole(answer))
        else:
            await response.document(*self._looked_up(call))

    def _generated(self, call: RecordedCall, wish: Wish) -> Answer:
        return ANSWERS[call.path](call.document, call.request_id, wish)

    def _fault(self, call: RecordedCall) -> Fault:
        for scripted in self._scripts:
            if scripted.fits(call):
                scripted.times = None if scripted.times is None else scripted.times - 1
                return scripted.fault
        return WELL

    def _refused(self, call: RecordedCall) -> tuple[int, Json] | None:
        """OpenAI's own refusal of this call, if it is wrong."""
        given = call.headers.get("authorization", "").removeprefix("Bearer ")
        if self._key is not None and not given:
            return 401, refusal("You didn't provide an API key.")
        if self._key not in {None, given}:
            return 401, refusal("Incorrect API key provided.", code="invalid_api_key")
        if call.method != "POST" or call.path not in REQUIRED:
            return None
        try:
            document = call.document
        except ValueError:
            return 400, refusal("We could not parse the JSON body of your request.")
        for name in REQUIRED[call.path]:
            if name not in document:
                message = f"Missing required parameter: '{name}'."
                return 400, refusal(message, param=name, code="missing_required_parameter")
        return self._judgement(call.path, document)

    def _judgement(self, path: str, document: Json) -> tuple[int, Json] | None:
        lacking = manners.fault(self.like, document) if path == "/v1/chat/completions" else None
        if lacking is not None:
            return 400, refusal(f"'{lacking}' is not supported.", param=lacking)
        judged = self.judged and not self.like  # what is like another takes what that one takes
        fault = openai_judge.fault(DIALECTS[path], document) if judged else None
        return None if fault is None else (400, fault)

    def _looked_up(self, call: RecordedCall) -> tuple[int, Json]:
        """The answer to a call that generates nothing."""
        if (call.method, call.path) == ("GET", "/v1/models"):
            return 200, models(self.models)
        if call.method != "GET" or not call.path.startswith("/v1/models/"):
            return 404, refusal(f"Invalid URL ({call.method} {call.path})")
        name = unquote(call.path.removeprefix("/v1/models/"))
        if name in self.models:
            return 200, model(name)
        return 404, refusal(f"The model '{name}' does not exist", param="model", code="model_not_found")
