"""``/invitations/{secret}``: a page for people, and the same for programs. No web page of others may ask.

The secret stands in the path only: log lines name the route, and no error repeats the path.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import parse_qs

from writingmate.api.auth import Directory, bearer
from writingmate.api.connection import Connection
from writingmate.api.responder import Responder
from writingmate.errors import ApiError, BodyTooLarge, InvalidRequest, PermissionDenied, Unauthenticated
from writingmate.operations.client import Client, Request
from writingmate.operations.invitations import PRIVATE

FORM: Final = b"application/x-www-form-urlencoded"
LONGEST_FORM: Final = 4096
MOST_FIELDS: Final = 8


class Operation(Protocol):
    """What is asked of `operations.invitations.Invitations`; a small fake stands in where no database is."""

    async def show(self, secret: str, request: Request, client: Client) -> None:
        """Answer with the invitation's page."""

    async def accept(self, secret: str, user_id: str, request: Request, client: Client) -> None:
        """Accept and answer JSON, or raise ApiError."""

    async def accept_on_page(self, secret: str, user_id: str, request: Request, client: Client) -> None:
        """Accept and answer with a page, or raise ApiError."""

    async def refuse(self, secret: str, error: ApiError, request: Request, client: Client) -> None:
        """Answer with a page that says why not."""


@dataclass(frozen=True, slots=True)
class InvitationEndpoints:
    """Whoever has the link may see the invitation; accepting it takes a developer key as well."""

    directory: Directory
    operation: Operation

    async def show(self, secret: str, connection: Connection, client: Responder) -> None:
        """``GET``: the page."""
        await self.operation.show(secret, _request(connection, client), client)

    async def accept(self, secret: str, connection: Connection, client: Responder) -> None:
        """``POST``: by the page's form, or by ``Authorization: Bearer KEY`` alone."""
        request = _request(connection, client)
        if _is_form(connection):
            await self._by_form(secret, request, connection, client)
        else:
            await self._by_program(secret, request, connection, client)

    async def _by_form(
        self, secret: str, request: Request, connection: Connection, client: Responder
    ) -> None:
        try:
            key = _field(await _small_body(connection), "key")
            if not key:
                raise Unauthenticated("Enter your developer key.")
            user_id = await self._holder(key)
            await self.operation.accept_on_page(secret, user_id, request, client)
        except ApiError as error:
            await self.operation.refuse(secret, error, request, client)

    async def _by_program(
        self, secret: str, request: Request, connection: Connection, client: Responder
    ) -> None:
        try:
            user_id = await self._holder(bearer(connection.headers.get(b"authorization")))
            await self.operation.accept(secret, user_id, request, client)
        except ApiError as error:
            error.headers.update(PRIVATE)
            raise

    async def _holder(self, key: str | None) -> str:
        """Whose key it is. Raises Unauthenticated, PermissionDenied, Unavailable."""
        try:
            principal = await self.directory.principal(key, fresh=True)
        except PermissionDenied as error:
            raise PermissionDenied(
                "This key is pinned to a workspace where it cannot act any more. Use another of your keys.",
                code=error.code,
            ) from error
        return principal.user_id


def _request(connection: Connection, client: Responder) -> Request:
    return Request(client.request_id, b"", connection.headers, client.started, client.facts)


def _is_form(connection: Connection) -> bool:
    kind = connection.headers.get(b"content-type", b"")
    return kind.partition(b";")[0].strip().lower() == FORM


async def _small_body(connection: Connection) -> bytes:
    """A form's body, whose length is known before a byte of it is read."""
    length = connection.headers.get(b"content-length", b"0")
    if b"transfer-encoding" in connection.headers or not length.isdigit() or int(length) > LONGEST_FORM:
        raise BodyTooLarge(
            f"This form has a Content-Length of at most {LONGEST_FORM} bytes: it holds a developer key and "
            "nothing else.",
            code="request_too_large",
        )
    return await connection.body()


def _field(body: bytes, name: str) -> str:
    """One field of a form, empty if it is not there. Raises InvalidRequest."""
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=MOST_FIELDS)
    except ValueError:
        raise InvalidRequest("This form cannot be read. Open the invitation's link and try again.") from None
    return fields.get(name, [""])[-1].strip()
