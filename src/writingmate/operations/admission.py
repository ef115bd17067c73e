"""From an order to a hold that its limits have room for (PRODUCT §4).

The bound by bytes comes first, for it costs nothing. Only where that does not fit are tokens counted,
and only where the answer asked for does not fit beside them is less of it held.
"""

from __future__ import annotations

import asyncio

from writingmate.errors import LimitReached
from writingmate.metering.commands import Claim
from writingmate.metering.hold import Hold
from writingmate.metering.ledger import Ledger
from writingmate.operations.orders import Order
from writingmate.types import Principal


async def admitted(
    ledger: Ledger, request_id: str, principal: Principal, order: Order, claim: Claim | None = None
) -> Hold:
    """An open hold; enter it next, with nothing awaited between.

    Raises what `Ledger.hold` raises; LimitReached only if not even a counted prompt and the
    shortest answer fit.
    """
    try:
        return await ledger.hold(request_id, principal, order.bounded(), claim).open()
    except LimitReached:
        careful = await asyncio.to_thread(order.careful)
    return await ledger.hold(request_id, principal, order.counted(careful.prompt_tokens), claim).open()
