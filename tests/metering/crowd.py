"""A process of a crowd: random requests of one plan against a database that it shares with others.

Usage: ``crowd URL NAME SEED COUNT``. It says on standard output what became of each request, and what the
provider reported, before it is settled.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from typing import Final

from tests.metering.books_draws import CALLERS, TIERS
from tests.metering.child import say
from writingmate.errors import ApiError
from writingmate.metering.ledger import Ledger
from writingmate.metering.limits import limits
from writingmate.storage.engine import Database
from writingmate.types import Estimate, Limit, Plan, Principal, Usage

AT_ONCE: Final = 12
# Small enough that a few dozen requests use it up.
PLAN: Final = Plan(
    "premium",
    "Premium",
    daily_messages={"basic": 40, "pro": 25},
    scope="workspace",
    requests_per_minute=45,
    pool_messages=60,
)


class Crowd:
    """The requests of one process, a dozen at once."""

    def __init__(self, ledger: Ledger, name: str, seed: str) -> None:
        self._ledger = ledger
        self._name = name
        self._chance = random.Random(f"{name} {seed}")
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def run(self, count: int) -> None:
        """Make ``count`` requests."""
        await asyncio.gather(*(self._request(f"{self._name}-{number}") for number in range(count)))

    async def _request(self, request_id: str) -> None:
        chance = self._chance
        workspace, user, key = chance.choice(CALLERS)
        principal = Principal(user, workspace, key, PLAN.name, 0, daily_cap=chance.choice([None, 18]))
        prompt, completion = chance.randrange(30_000), chance.randrange(50_000)
        async with self._gate:
            estimate = self._estimate(principal, prompt, completion)
            try:
                async with self._ledger.hold(request_id, principal, estimate) as hold:
                    usage = Usage(
                        min(prompt, chance.randrange(60_000)),
                        chance.randrange(hold.completion_tokens + 9_000),
                    )
                    say("called", request_id, usage.prompt_tokens, usage.completion_tokens)
                    await asyncio.sleep(chance.random() / 50)  # the provider answers
                    hold.observe(usage)
                    receipt = await hold.settle()
                    say("answered", request_id, receipt.messages)
            except ApiError as refusal:
                say("refused", request_id, refusal.code)

    def _estimate(self, principal: Principal, prompt: int, completion: int) -> Estimate:
        tier = self._chance.choice(TIERS)
        against: tuple[Limit, ...] = limits(principal, PLAN, tier, time.time())
        least = self._chance.choice([None, 1])
        return Estimate(
            *(f"model-{tier}", "p", "u", "chat.completions", prompt, completion, against, least, tier)
        )


async def main() -> None:
    url, name, seed, count = sys.argv[1:]
    database = Database.open(url)
    ledger = Ledger(database)
    await ledger.start()
    await Crowd(ledger, name, seed).run(int(count))
    await ledger.close()
    database.close()
    say("closed")


if __name__ == "__main__":
    asyncio.run(main())
