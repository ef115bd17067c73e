"""``POST /v1/messages/count_tokens``: how long a prompt is. Nothing is held or charged.

Where the model is Anthropic's, or anybody's who speaks Messages, its provider is asked; where that fails,
and for every other provider, the prompt is counted here, rather too high than too low.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

import msgspec

from writingmate.dialects.anthropic import COUNTED
from writingmate.errors import ApiError, UpstreamError, UpstreamRefused
from writingmate.operations.client import Client, Request
from writingmate.operations.failures import as_answer
from writingmate.operations.orders import Order, Orders, passed_on
from writingmate.telemetry import log
from writingmate.types import Principal
from writingmate.upstream.base import Call, Timeouts, Upstream
from writingmate.wire import document
from writingmate.wire.document import Document

TIMEOUTS: Final = Timeouts(connect=5.0, first=20.0, idle=20.0)
#: Statuses by which a provider refuses the request itself; a 404 may mean that it does not count.
_CALLERS_OWN: Final = frozenset({400, 413, 422})
_ONE: Final = msgspec.Raw(b"1")


class _Counted(msgspec.Struct):
    input_tokens: int


@dataclass(frozen=True, slots=True)
class TokenCounts:
    """The operation; ``network`` is where providers are asked."""

    orders: Orders
    network: Upstream

    async def run(self, principal: Principal, request: Request, client: Client) -> None:
        """Answer one request. Raises ApiError, and StalePrincipal as a message itself would."""
        asked = document.parse(request.body)
        COUNTED.check(asked)
        whole = document.encode({"max_tokens": _ONE, **asked})
        order = await self.orders.take("messages", principal, whole)
        request.facts.update(
            workspace=principal.workspace_id,
            user=principal.user_id,
            key=principal.key_id,
            model=order.model.slug,
        )
        headers = {"x-writingmate-workspace": principal.workspace_id}
        for routed in (order, *order.onward()):
            if "messages" not in routed.route.provider.paths:
                continue
            body = await self._asked(routed, asked, request)
            if body is not None:
                route = f"{routed.route.provider.name}/{routed.route.model}"
                await client.reply(200, headers | {"x-writingmate-route": route}, body)
                return
        counted = await asyncio.to_thread(order.careful)
        await client.reply(200, headers, msgspec.json.encode({"input_tokens": counted.prompt_tokens}))

    async def _asked(self, order: Order, asked: Document, request: Request) -> bytes | None:
        """The provider's own count; None if it has none to give."""
        provider = order.route.provider
        sent = document.encode({**asked, "model": document.raw(order.route.model)})
        headers = provider.authorized() | passed_on(request.headers)
        url = f"{provider.base_url}{provider.paths['messages']}/count_tokens"
        try:
            async with self.network.open(
                Call(url, headers, sent, streaming=False, timeouts=TIMEOUTS)
            ) as reply:
                body = await reply.body()
            msgspec.json.decode(body, type=_Counted)
        except UpstreamError as error:
            log.failure("upstream_failed", error, request_id=request.id, provider=provider.name)
            if isinstance(error, UpstreamRefused) and error.status in _CALLERS_OWN:
                refusal: ApiError = as_answer(error, own_key=order.own_key)
                if refusal.status == error.status:
                    raise refusal from error
            return None
        except (msgspec.DecodeError, ValueError):
            return None
        return body
