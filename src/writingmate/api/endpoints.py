"""The endpoints that need a key: identify the caller, read the body, let the operation answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, TypeAlias

from writingmate.api.auth import Directory, identify
from writingmate.api.connection import Connection
from writingmate.api.queries import asked_page, asked_stream, included, listing
from writingmate.api.responder import Responder
from writingmate.errors import BodyTooLarge, PermissionDenied, StalePrincipal, Unavailable
from writingmate.operations.anthropic_models import Page
from writingmate.operations.client import Client, Request
from writingmate.operations.kept_responses import Listing
from writingmate.types import DialectName, Principal

ATTEMPTS: Final = 3
"""How often a request is tried with fresh facts about its caller before it is given up."""

_BY_PLAN: Final = (PermissionDenied, BodyTooLarge)
"""What an operation may refuse by the caller's plan alone."""

Operation: TypeAlias = Callable[[Principal, Request, Client], Awaitable[None]]
Named: TypeAlias = Callable[[str, Principal, Request, Client], Awaitable[None]]
Shown: TypeAlias = Callable[[str, frozenset[str], Principal, Request, Client], Awaitable[None]]
Listed: TypeAlias = Callable[[str, Listing, Principal, Request, Client], Awaitable[None]]
Resumption: TypeAlias = Callable[[str, int, Principal, Request, Client], Awaitable[None]]
Paged: TypeAlias = Callable[[Page, Principal, Request, Client], Awaitable[None]]
Generation: TypeAlias = Callable[[DialectName, Principal, Request, Client], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Operations:
    """What can be asked for; each answers through the client or raises ApiError before it does.

    Args:
        generate: one text generation, in a dialect (`operations.generate.Generate.run`).
        models: every model that the principal may use.
        model: one of them, by its slug.
        usage: where the principal's limits stand.
        receipt: one request's count, by its id.
        estimate: what a text generation would cost (`operations.beforehand.Beforehand.run`).
        response: a response that is kept, by its id, with what is to be included.
        resume: the events of a background response behind a number.
        cancel: the end of a background response, by its id.
        count_tokens: how long the prompt of a message would be.
        anthropic_models: a page of the models, as Anthropic lists them.
        anthropic_model: one of them, by its slug or by Anthropic's name.
        delete: the end of any response that is kept, by its id.
        input_items: what a response's model was given, by its id.
    """

    generate: Generation
    models: Operation
    model: Named
    usage: Operation
    receipt: Named
    estimate: Generation
    response: Shown
    resume: Resumption
    cancel: Named
    count_tokens: Operation
    anthropic_models: Paged
    anthropic_model: Named
    delete: Named
    input_items: Listed


@dataclass(frozen=True, slots=True)
class Endpoints:
    """One method an endpoint; the order of checks is WIRE §2.3's: the key, then the body."""

    directory: Directory
    operations: Operations

    async def chat(self, connection: Connection, client: Responder) -> None:
        """``POST /chat/completions``."""
        await self._generate("chat", connection, client)

    async def completions(self, connection: Connection, client: Responder) -> None:
        """``POST /completions``."""
        await self._generate("completions", connection, client)

    async def responses(self, connection: Connection, client: Responder) -> None:
        """``POST /responses``."""
        await self._generate("responses", connection, client)

    async def messages(self, connection: Connection, client: Responder) -> None:
        """``POST /v1/messages``, Anthropic's."""
        await self._generate("messages", connection, client)

    async def count_tokens(self, connection: Connection, client: Responder) -> None:
        """``POST /v1/messages/count_tokens``, Anthropic's."""
        await self._free(self.operations.count_tokens, connection, client)

    async def anthropic_models(self, connection: Connection, client: Responder) -> None:
        """``GET /v1/models``, Anthropic's."""
        principal = await identify(connection, self.directory, fresh=True)
        page = asked_page(connection.channel.query)
        await self.operations.anthropic_models(page, principal, _request(connection, client, b""), client)

    async def anthropic_model(self, name: str, connection: Connection, client: Responder) -> None:
        """``GET /v1/models/{id}``, Anthropic's."""
        principal = await identify(connection, self.directory, fresh=True)
        await self.operations.anthropic_model(name, principal, _request(connection, client, b""), client)

    async def response(self, response_id: str, connection: Connection, client: Responder) -> None:
        """``GET /responses/{id}``, as an object or as its stream of events."""
        principal = await identify(connection, self.directory, fresh=True)
        request = _request(connection, client, b"")
        after, include = asked_stream(connection.channel.query), included(connection.channel.query)
        if after is None:
            await self.operations.response(response_id, include, principal, request, client)
        else:
            await self.operations.resume(response_id, after, principal, request, client)

    async def cancel(self, response_id: str, connection: Connection, client: Responder) -> None:
        """``POST /responses/{id}/cancel``; a body has no meaning and is not read."""
        principal = await identify(connection, self.directory, fresh=True)
        await self.operations.cancel(response_id, principal, _request(connection, client, b""), client)

    async def delete(self, response_id: str, connection: Connection, client: Responder) -> None:
        """``DELETE /responses/{id}``."""
        principal = await identify(connection, self.directory, fresh=True)
        await self.operations.delete(response_id, principal, _request(connection, client, b""), client)

    async def input_items(self, response_id: str, connection: Connection, client: Responder) -> None:
        """``GET /responses/{id}/input_items``."""
        principal = await identify(connection, self.directory, fresh=True)
        asked, request = listing(connection.channel.query), _request(connection, client, b"")
        await self.operations.input_items(response_id, asked, principal, request, client)

    async def models(self, connection: Connection, client: Responder) -> None:
        """``GET /models``."""
        principal = await identify(connection, self.directory, fresh=True)
        await self.operations.models(principal, _request(connection, client, b""), client)

    async def model(self, slug: str, connection: Connection, client: Responder) -> None:
        """``GET /models/{id}``."""
        principal = await identify(connection, self.directory, fresh=True)
        await self.operations.model(slug, principal, _request(connection, client, b""), client)

    async def usage(self, connection: Connection, client: Responder) -> None:
        """``GET /usage``."""
        principal = await identify(connection, self.directory, fresh=True)
        await self.operations.usage(principal, _request(connection, client, b""), client)

    async def receipt(self, request_id: str, connection: Connection, client: Responder) -> None:
        """``GET /usage/{request_id}``."""
        principal = await identify(connection, self.directory, fresh=True)
        await self.operations.receipt(request_id, principal, _request(connection, client, b""), client)

    async def estimate(self, dialect: DialectName, connection: Connection, client: Responder) -> None:
        """``POST /estimate/…``."""
        await self._free(partial(self.operations.estimate, dialect), connection, client)

    async def _free(self, operation: Operation, connection: Connection, client: Responder) -> None:
        """What holds nothing; a key that was removed since the caller was read is read again."""
        principal = await identify(connection, self.directory, fresh=True)
        request = _request(connection, client, await connection.json())
        for _ in range(ATTEMPTS):
            try:
                await operation(principal, request, client)
            except StalePrincipal:
                principal = await identify(connection, self.directory, fresh=True)
            else:
                return
        raise _changing()

    async def _generate(self, dialect: DialectName, connection: Connection, client: Responder) -> None:
        principal = await identify(connection, self.directory)
        request = _request(connection, client, await connection.json())
        for attempt in range(ATTEMPTS):
            if attempt:
                principal = await identify(connection, self.directory)
            try:
                await self.operations.generate(dialect, principal, request, client)
            except StalePrincipal:
                self.directory.forget(principal)
            except _BY_PLAN:
                # No hold has compared the facts with the present: the plan may have been changed.
                current = await identify(connection, self.directory, fresh=True)
                if replace(current, revision=principal.revision) == principal:
                    raise
            else:
                return
        raise _changing()


def _changing() -> Unavailable:
    return Unavailable("Keys or workspaces of this server keep changing. Try again.")


def _request(connection: Connection, client: Responder, body: bytes) -> Request:
    return Request(client.request_id, body, connection.headers, client.started, client.facts)
