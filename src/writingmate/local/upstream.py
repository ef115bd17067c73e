"""The embedded models as an `Upstream`: chat in, chat out, whatever their child processes speak."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from writingmate.errors import (
    ApiError,
    InvalidRequest,
    UpstreamNotReady,
    UpstreamRefused,
    UpstreamUnreachable,
)
from writingmate.local.child import Child
from writingmate.local.manifest import LocalModel, manifest, named
from writingmate.local.progress import Progress, Silent
from writingmate.local.pulls import Pulls
from writingmate.local.reading import Reading
from writingmate.local.replies import Stream, Whole
from writingmate.local.requests import Request, prepared
from writingmate.local.runtime import Endpoint
from writingmate.local.weights import Weights
from writingmate.upstream.base import Call, Past, Reply, Upstream

_CONNECT_SECONDS = 5.0


class LocalUpstream:
    """An `Upstream` whose calls never leave this machine. Belongs to one event loop.

    A call's ``model`` is an id or slug of the manifest; its URL and headers do not matter.

    Args:
        http: carries calls to the child processes; stays the caller's to close.
        weights: the model files.
        folder: where the processes of one installation share their children.
        progress: makes what shows a pull.
    """

    def __init__(
        self, http: Upstream, weights: Weights, folder: Path, *, progress: Callable[[], Progress] = Silent
    ) -> None:
        self._http = http
        self._pulls = Pulls(weights, progress)
        self._children = {model.id: Child(model, folder) for model in manifest()}
        self._preparing: set[asyncio.Task[None]] = set()

    def prepare(self, model: LocalModel | None = None) -> asyncio.Task[None]:
        """In the background, bring a model here and start it: the default, or its stand-in.

        The task does not fail; what is missing then is tried again by the first request.
        """
        task = asyncio.create_task(self._prepare(model or manifest()[0]))
        self._preparing.add(task)
        task.add_done_callback(self._preparing.discard)
        return task

    def open(self, call: Call) -> AbstractAsyncContextManager[Reply]:
        """`Upstream.open`. What these models cannot serve raises UpstreamRefused, in OpenAI's words."""
        return self._opened(call)

    async def close(self) -> None:
        """Stop pulls and children; pulls carry on next time."""
        for task in self._preparing:
            task.cancel()
        await asyncio.gather(*self._preparing, return_exceptions=True)
        await self._pulls.close()
        await asyncio.gather(*(child.close() for child in self._children.values()))

    async def _prepare(self, model: LocalModel) -> None:
        await self._pulls.begin(model)
        try:
            served, path = await self._pulls.served(model)
        except UpstreamNotReady:
            if model.stand_in is None:
                return
            await self._prepare(_known(model.stand_in))
            return
        try:
            await self._children[served.id].endpoint(path)
        except UpstreamNotReady:
            return

    @asynccontextmanager
    async def _opened(self, call: Call) -> AsyncIterator[Reply]:
        asked = msgspec.json.decode(call.body)
        model, path = await self._pulls.served(_known(asked["model"]))
        try:
            request = prepared(asked, model)
        except InvalidRequest as refusal:
            raise _refused(refusal) from None
        async with AsyncExitStack() as stack:
            yield _LocalReply(await self._reached(stack, call, request, model, path), model, request)

    async def _reached(
        self, stack: AsyncExitStack, call: Call, request: Request, model: LocalModel, path: Path
    ) -> Reply:
        """The child's reply. If the child has died or been replaced, the call goes to its successor, once."""
        child = self._children[model.id]
        endpoint = await child.endpoint(path)
        try:
            return await self._sent(stack, call, request, model, endpoint)
        except UpstreamUnreachable:
            child.forget(endpoint)
        return await self._sent(stack, call, request, model, await child.endpoint(path))

    async def _sent(
        self, stack: AsyncExitStack, call: Call, request: Request, model: LocalModel, endpoint: Endpoint
    ) -> Reply:
        to_child = Call(
            "http://local/v1/chat/completions",
            {"authorization": f"Bearer {endpoint.key}"},
            request.body,
            streaming=True,
            timeouts=replace(call.timeouts, connect=_CONNECT_SECONDS),
            socket=endpoint.socket,
        )
        try:
            return await stack.enter_async_context(self._http.open(to_child))
        except UpstreamRefused as refusal:
            raise _explained(refusal, request, model) from refusal


class _LocalReply:
    """A child's stream, read as the client asked."""

    def __init__(self, reply: Reply, model: LocalModel, request: Request) -> None:
        self.headers: Mapping[str, str] = {}
        self._reply = reply
        self._model = model
        self._request = request

    async def body(self) -> bytes:
        """`Reply.body`."""
        reading, whole = Reading(self._request), Whole(self._model, self._request)
        async for frames in self._reply.frames():
            for delta in reading.read(frames):
                whole.take(delta)
        reading.end()
        return whole.body(reading.usage)

    async def frames(self, past: Past | None = None) -> AsyncIterator[list[bytes]]:
        """`Reply.frames`; none goes past the reader."""
        del past
        reading, stream = Reading(self._request), Stream(self._model, self._request)
        async for frames in self._reply.frames():
            news = [event for delta in reading.read(frames) for event in stream.frames(delta)]
            if news:
                yield news
        reading.end()
        yield stream.closing(reading.usage)


def _known(name: str) -> LocalModel:
    model = named(name)
    if model is None:
        raise UpstreamRefused(
            404, {}, _refused(InvalidRequest(f"No embedded model is called '{name}'.")).body
        )
    return model


def _refused(refusal: ApiError) -> UpstreamRefused:
    return UpstreamRefused(refusal.status, {}, refusal.envelope())


def _explained(
    refusal: UpstreamRefused, request: Request, model: LocalModel
) -> UpstreamRefused | UpstreamNotReady:
    """The child's refusal in OpenAI's words, where the caller can do something about it."""
    error = _error(refusal.body)
    message = str(error.get("message", ""))
    if refusal.status == 503:  # noqa: PLR2004 # llama.cpp's word for loading
        return UpstreamNotReady("The local model is being loaded. Try again in a moment.", detail=message)
    if refusal.status != InvalidRequest.status:
        return refusal
    if error.get("type") == "exceed_context_size_error":
        return _refused(_too_long(error, model))
    if "schema" in message or "grammar" in message:
        reason = message.rpartition("failed: ")[2]
        param = "tools" if request.toolbox.functions else "response_format"
        return _refused(InvalidRequest(f"Invalid schema for '{param}': {reason}.", param=param))
    return _refused(InvalidRequest(f"The model refused the request: {message}"))


def _error(body: bytes) -> dict[str, Any]:
    try:
        error: dict[str, Any] = msgspec.json.decode(body, type=dict[str, dict[str, Any]])["error"]
    except (msgspec.DecodeError, KeyError):
        return {}
    return error


def _too_long(error: Mapping[str, Any], model: LocalModel) -> InvalidRequest:
    return InvalidRequest(
        f"This model's maximum context length is {model.context} tokens. However, your messages resulted in "
        f"{error.get('n_prompt_tokens')} tokens. Please reduce the length of the messages.",
        param="messages",
        code="context_length_exceeded",
    )
