"""Holds every response against ``openapi.yaml``: its status, headers, body, and each event of a stream.

Wrap the application of a live test in `Checked`; at the end `Checked.failures` must be empty.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol, TypeAlias

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from writingmate.api.channel import Channel

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]

PREFIX = "/api/openai/v1"
ANTHROPIC = "/api/anthropic"
PAGES = "/invitations/"
EVERYWHERE = ("x-request-id", "openai-processing-ms", "openai-version")
OURS = ("x-", "openai-")
_DOCUMENT = "urn:openapi"


class Served(Protocol):
    """What both a data plane and a gateway are: an application for any server, and for ours."""

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]: ...

    def serve(self, channel: Channel) -> Awaitable[None]: ...


@dataclass
class Answer:
    """What was sent to one request."""

    method: str
    path: str
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    complete: bool = False


class Checked:
    """An application whose every response is checked, whichever way a server calls it."""

    def __init__(self, application: Served, document: Mapping[str, Any]) -> None:
        self.failures: list[str] = []
        self.seen: set[tuple[str, str, int]] = set()
        self._application = application
        self._rules = Rules(document)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        answer = Answer(scope["method"], scope["raw_path"].decode())

        async def observed(message: Message) -> None:
            _note(answer, message)
            await send(message)

        try:
            await self._application(scope, receive, observed)
        finally:
            self._check(answer)

    async def serve(self, channel: Channel) -> None:
        answer = Answer(channel.method, channel.path.decode())
        try:
            await self._application.serve(Overheard(channel, answer))
        finally:
            self._check(answer)

    def _check(self, answer: Answer) -> None:
        if not answer.status:
            return
        self.seen.add((answer.method, self._rules.template(answer.path) or answer.path, answer.status))
        where = f"{answer.method} {answer.path} {answer.status}"
        self.failures += [f"{where}: {problem}" for problem in self._rules.problems(answer)]


class Overheard:
    """A channel of our own server, on which what is sent is noted."""

    def __init__(self, channel: Channel, answer: Answer) -> None:
        self.method, self.path, self.headers = channel.method, channel.path, channel.headers
        self.state, self.line, self.query = channel.state, channel.line, channel.query
        self.at_once, self.receive, self.while_present = (
            channel.at_once,
            channel.receive,
            channel.while_present,
        )
        self._channel = channel
        self._answer = answer

    @property
    def keep_alive(self) -> bool:
        return self._channel.keep_alive

    @keep_alive.setter
    def keep_alive(self, keep: bool) -> None:
        self._channel.keep_alive = keep

    async def whole(self, status: int, lines: bytes, body: bytes) -> None:
        self._began(status, lines)
        self._answer.body += body
        self._answer.complete = True
        await self._channel.whole(status, lines, body)

    async def begin(self, status: int, lines: bytes, *, sized: bool) -> None:
        self._began(status, lines)
        await self._channel.begin(status, lines, sized=sized)

    async def piece(self, data: bytes) -> None:
        self._answer.body += data
        await self._channel.piece(data)

    async def end(self, data: bytes = b"") -> None:
        self._answer.body += data
        self._answer.complete = True
        await self._channel.end(data)

    def push(self, data: bytes) -> None:
        self._answer.body += data
        self._channel.push(data)

    def _began(self, status: int, lines: bytes) -> None:
        self._answer.status = status
        self._answer.headers = dict(line.split(": ", 1) for line in lines.decode().split("\r\n") if line)


def _note(answer: Answer, message: Message) -> None:
    if message["type"] == "http.response.start":
        answer.status = message["status"]
        answer.headers = {name.decode(): value.decode() for name, value in message["headers"]}
    elif message["type"] == "http.response.body":
        answer.body += message.get("body", b"")
        answer.complete = not message.get("more_body", False)


class Rules:
    """What the document says about responses."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        resource: Resource[Any] = DRAFT202012.create_resource(dict(document))
        registry: Registry[Any] = Registry().with_resource(_DOCUMENT, resource)
        self._registry = registry
        self._validator = cache(self._make_validator)

    def template(self, path: str) -> str | None:
        """The path of the document that a request's path belongs to."""
        if not path.startswith((PREFIX, f"{ANTHROPIC}/v1/")):
            return None
        rest = path.removeprefix(PREFIX).removeprefix(ANTHROPIC)
        if rest in self._document["paths"]:
            return rest
        of_model = next((start for start in ("/models/", "/v1/models/") if rest.startswith(start)), rest)
        return f"{of_model}{{id}}" if len(rest) > len(of_model) else None

    def problems(self, answer: Answer) -> Iterator[str]:
        """Everything about an answer that the document does not allow."""
        for name in EVERYWHERE:
            if name not in answer.headers:
                yield f"header {name} is missing"
        template = self.template(answer.path)
        if answer.method == "OPTIONS" and answer.status == 204:
            return
        operation = None if template is None else self._operation(template, answer)
        if operation is not None:
            yield from self._against(operation, answer)
        elif answer.status >= 400 and not _is_page(answer):
            yield from self._envelope(answer)

    def _operation(self, template: str, answer: Answer) -> str | None:
        """A pointer to the operation; a refused method is described by the one that exists."""
        methods = self._document["paths"][template]
        method = "get" if answer.method == "HEAD" and "get" in methods else answer.method.lower()
        if method not in methods and answer.status == 405:
            method = next(name for name in methods if name != "servers")
        return f"/paths/{_escaped(template)}/{method}" if method in methods else None

    def _against(self, operation: str, answer: Answer) -> Iterator[str]:
        pointer = f"{operation}/responses/{answer.status}"
        described = self._at(pointer)
        if described is None:
            yield "this status is not described"
            return
        if "$ref" in described:
            pointer = described["$ref"].removeprefix("#")
            described = self._at(pointer)
        yield from self._headers(described.get("headers", {}), answer)
        if answer.method != "HEAD":
            yield from self._content(described.get("content", {}), f"{pointer}/content", answer)

    def _headers(self, described: Mapping[str, Any], answer: Answer) -> Iterator[str]:
        for name, entry in described.items():
            pointer = entry["$ref"].removeprefix("#")
            value = answer.headers.get(name)
            if value is not None:
                schema = self._at(f"{pointer}/schema")
                yield from self._value(f"{pointer}/schema", _typed(value, schema), name)
            elif self._at(pointer).get("required"):
                yield f"header {name} is missing"
        for name in answer.headers:
            if name.startswith(OURS) and name not in described:
                yield f"header {name} is not described"

    def _content(self, described: Mapping[str, Any], pointer: str, answer: Answer) -> Iterator[str]:
        kind = answer.headers.get("content-type", "").partition(";")[0]
        if kind not in described:
            yield f"content type {kind!r} is not described"
            return
        here = f"{pointer}/{_escaped(kind)}"
        if kind == "text/event-stream":
            yield from self._events(f"{here}/x-event-schema", answer)
        elif kind == "application/json" and answer.complete:
            yield from self._json(f"{here}/schema", bytes(answer.body), "body")

    def _events(self, pointer: str, answer: Answer) -> Iterator[str]:
        frames = bytes(answer.body).split(b"\n\n")
        if answer.complete and frames[-1]:
            yield "the stream does not end with a whole event"
        data = [_data(frame) for frame in frames[:-1] if not frame.startswith(b":")]
        done = data and (data[-1] == b"[DONE]" or b'"message_stop"' in data[-1] or b'"error"' in data[-1])
        if answer.complete and not done:
            yield "the stream ends with neither [DONE] nor an error"
        for number, event in enumerate(data):
            if event != b"[DONE]":
                yield from self._json(pointer, event, f"event {number}")
            elif number != len(data) - 1:
                yield "[DONE] is not the last event"

    def _envelope(self, answer: Answer) -> Iterator[str]:
        if answer.headers.get("content-type") != "application/json":
            yield "an error is not JSON"
        elif answer.method != "HEAD":
            shape = "AnthropicError" if answer.path.startswith(ANTHROPIC) else "Error"
            yield from self._json(f"/components/schemas/{shape}", bytes(answer.body), "body")

    def _json(self, pointer: str, text: bytes, what: str) -> Iterator[str]:
        try:
            value = json.loads(text)
        except ValueError:
            yield f"{what} is not JSON: {text[:80]!r}"
            return
        yield from self._value(pointer, value, what)

    def _value(self, pointer: str, value: object, what: str) -> Iterator[str]:
        for error in self._validator(pointer).iter_errors(value):
            yield f"{what}: {error.json_path} {error.message[:300]}"

    def _make_validator(self, pointer: str) -> Draft202012Validator:
        schema = {"$ref": f"{_DOCUMENT}#{pointer}"}
        return Draft202012Validator(schema, registry=self._registry, format_checker=FormatChecker())

    def _at(self, pointer: str) -> Any:
        node: Any = self._document
        for part in pointer.split("/")[1:]:
            node = node.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(node, dict) else None
        return node


def _data(frame: bytes) -> bytes:
    """An event's data; a name before it must be the type in it, or what is left is no JSON."""
    name, _, rest = frame.partition(b"\n")
    kind = name.removeprefix(b"event: ")
    named = name != kind and b'"' + kind + b'"' in rest
    return (rest if named else frame).removeprefix(b"data: ")


def _is_page(answer: Answer) -> bool:
    """The pages for people are told by their own tests."""
    kind = answer.headers.get("content-type", "").partition(";")[0]
    return answer.path.startswith(PAGES) and kind == "text/html"


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")


def _typed(value: str, schema: Mapping[str, Any]) -> object:
    if "$ref" not in schema and schema.get("type") == "integer" and value.isdigit():
        return int(value)
    return value
