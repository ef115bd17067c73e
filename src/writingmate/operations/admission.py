"""From an order to a hold that its limits have room for (PRODUCT §4).

The bound by bytes comes first, for it costs nothing. Only where that does not fit are tokens counted,
and only where the answer asked for does not fit beside them is less of it held. Pictures, files and
sound are counted at once: by their bytes they are many times what they cost, and what is held is what
a process that dies leaves to be charged.
"""

from __future__ import annotations

import asyncio
import contextlib

from writingmate.errors import LimitReached
from writingmate.metering.commands import Claim, Task
from writingmate.metering.hold import Hold
from writingmate.metering.ledger import Ledger
from writingmate.operations.orders import Order
from writingmate.types import Principal


async def admitted(
    ledger: Ledger, request_id: str, principal: Principal, order: Order, claim: Claim | Task | None = None
) -> Hold:
    """An open hold; enter it next, with nothing awaited between.

    Raises what `Ledger.hold` raises; LimitReached only if not even a counted prompt and the
    shortest answer fit.
    """
    bounded = order.bounded()
    if not order.attached(bounded):
        with contextlib.suppress(LimitReached):
            return await ledger.hold(request_id, principal, bounded, claim).open()
    careful = await asyncio.to_thread(order.careful)
    return await ledger.hold(request_id, principal, order.counted(careful.prompt_tokens), claim).open()
