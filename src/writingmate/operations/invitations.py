"""What the link of an invitation leads to: a page that shows it, and accepting it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

import msgspec

from writingmate.errors import ApiError
from writingmate.operations import invitation_pages as pages
from writingmate.operations.client import Client, Request
from writingmate.storage.engine import Database
from writingmate.workspaces import invitation_store
from writingmate.workspaces.invitations import Offer

PRIVATE: Final = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
"""What every answer under a secret address says: keep no copy of this, and tell nobody where you were."""
PAGE: Final = PRIVATE | {"content-type": "text/html; charset=utf-8", "content-security-policy": pages.POLICY}
ANOTHER_KEY_MAY_DO: Final = frozenset({400, 401, 403})


@dataclass(frozen=True, slots=True)
class Invitations:
    """The operations behind ``/invitations/{secret}``; no log line, error or page repeats the secret.

    ``clock`` gives UNIX seconds.
    """

    database: Database
    clock: Callable[[], float] = time.time

    async def show(self, secret: str, request: Request, client: Client) -> None:
        """The page that says who invites whom to what, or why the link is of no use."""
        try:
            page = pages.offer(await self._offer(secret))
        except ApiError as error:
            await _why_not(error, pages.refused(error), request, client)
        else:
            await client.reply(200, PAGE, page)

    async def accept(self, secret: str, user_id: str, request: Request, client: Client) -> None:
        """Make the user a member; the answer is JSON. Raises ApiError, which says why not."""
        offer = await self._accepted(secret, user_id, request)
        invitation = offer.invitation
        answer = {
            "workspace": invitation.workspace_id,
            "name": offer.workspace,
            "role": invitation.role,
            "user": user_id,
        }
        await client.reply(200, PRIVATE, msgspec.json.encode(answer))

    async def accept_on_page(self, secret: str, user_id: str, request: Request, client: Client) -> None:
        """The same, and the answer is a page. Raises ApiError: then `refuse`."""
        page = pages.accepted(await self._accepted(secret, user_id, request))
        await client.reply(200, PAGE, page)

    async def refuse(self, secret: str, error: ApiError, request: Request, client: Client) -> None:
        """The page that says why it was not accepted, with the form again where another key may do."""
        page = pages.refused(error)
        if error.status in ANOTHER_KEY_MAY_DO:
            try:
                page = pages.offer(await self._offer(secret), error)
            except ApiError as instead:  # no key will do
                error, page = instead, pages.refused(instead)
        await _why_not(error, page, request, client)

    async def _offer(self, secret: str) -> Offer:
        return await self.database.read(partial(invitation_store.find, secret=secret, now=self.clock()))

    async def _accepted(self, secret: str, user_id: str, request: Request) -> Offer:
        change = partial(invitation_store.accept, secret=secret, user_id=user_id, now=self.clock())
        offer = await self.database.write(change)
        request.facts["user"] = user_id
        request.facts["workspace"] = offer.invitation.workspace_id
        return offer


async def _why_not(error: ApiError, page: bytes, request: Request, client: Client) -> None:
    request.facts["code"] = error.code
    await client.reply(error.status, PAGE | error.headers, page)
