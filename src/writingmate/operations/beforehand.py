"""``POST /estimate/…``: what a request would cost and whether it would be admitted; nobody is called."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from functools import partial
from time import time
from typing import Any

import msgspec

from writingmate.errors import LimitReached, RateLimited
from writingmate.metering.counting import messages_of
from writingmate.metering.prompts.careful import Careful
from writingmate.metering.standing import foreseen
from writingmate.operations.client import Client, Request
from writingmate.operations.orders import ENDPOINTS, Order, Orders
from writingmate.storage.engine import Database
from writingmate.types import Admission, DialectName, Estimate, Principal


@dataclass(frozen=True, slots=True)
class Beforehand:
    """The operation behind ``/estimate/chat/completions``, ``…/completions`` and ``…/responses``."""

    orders: Orders
    database: Database

    async def run(self, dialect: DialectName, principal: Principal, request: Request, client: Client) -> None:
        """Answer for the very body of a call. Raises what the call itself would before it is held."""
        order = await self.orders.take(dialect, principal, request.body)
        order, _ = order.begin(request.id)
        prompt = await asyncio.to_thread(order.careful)
        careful = order.counted(prompt.prompt_tokens)
        bounded = order.bounded()
        asked = careful if order.attached(bounded) else bounded
        decision = await self._decision(asked)
        if isinstance(decision, LimitReached):
            asked, decision = careful, await self._decision(careful)
        shape = {
            "object": "estimate",
            "endpoint": ENDPOINTS[dialect],
            "model": order.model.slug,
            "tier": order.model.tier,
            "route": f"{order.route.provider.name}/{order.route.model}",
            "byok": order.own_key is not None,
            "prompt_tokens": asdict(prompt) | {"bound": bounded.prompt_tokens},
            "completion_tokens": careful.completion_tokens,
            "minimum_messages": _least(prompt, order.calls),
            "maximum_messages": messages_of(careful.prompt_tokens + careful.completion_tokens),
            **_decided(decision, asked, order),
        }
        await client.reply(200, {"cache-control": "no-store"}, msgspec.json.encode(shape))

    async def _decision(self, estimate: Estimate) -> Admission | LimitReached | RateLimited:
        return await self.database.read(partial(foreseen, estimate=estimate, now=time()))


def _least(prompt: Careful, calls: int) -> int:
    """What the shortest answers to so many calls cost if the prompt is in the provider's cache."""
    return messages_of(calls * (prompt.prompt_tokens - prompt.prompt_tokens // 2 + 1))


def _decided(
    decision: Admission | LimitReached | RateLimited, asked: Estimate, order: Order
) -> dict[str, Any]:
    if isinstance(decision, Admission):
        clamped = decision.completion_tokens < asked.completion_tokens
        return {
            "admitted": True,
            "held_messages": decision.messages,
            "max_tokens_clamped": order.each(decision.completion_tokens) if clamped else None,
            "refusal": None,
        }
    refusal = {
        "status": decision.status,
        "type": decision.type,
        "code": decision.code,
        "message": decision.message,
        "retry_after": int(decision.headers["retry-after"]) if "retry-after" in decision.headers else None,
    }
    return {"admitted": False, "held_messages": 0, "max_tokens_clamped": None, "refusal": refusal}
