"""A gateway process for tests: makes requests, says on standard output what became of them, may die.

Usage: ``child URL [--die-at STEP --after COUNT] [--race NAME COUNT LIMIT]``. It waits for a line on
standard input before it begins.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import os
import signal
import sys
import time
from collections.abc import Callable

from tests.metering.examples import WORKSPACE, estimate, limit, principal
from writingmate.errors import LimitReached
from writingmate.metering.commands import Claim
from writingmate.metering.ledger import Ledger
from writingmate.storage.engine import Database
from writingmate.types import Estimate, Limit, Usage, Window

LIMIT = limit(1_000)
RATE = Limit(Window(WORKSPACE, "workspace", "requests", "minute"), 100, unit="requests")
USAGE = Usage(30_000, 10)
ANSWER = b"answer"


def say(*words: object) -> None:
    """What was said before the process was killed is known to have happened."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def dies_at(step: str, after: int) -> Callable[[str], None]:
    passed = 0

    def check(label: str) -> None:
        nonlocal passed
        passed += label == step
        if passed > after:
            os.kill(os.getpid(), signal.SIGKILL)

    return check


def part(request_id: str) -> Limit:
    """A limit of this request's own with room for four messages: one that asks for five gets these."""
    return limit(4, meter=f"messages:{request_id}")


def claim(request_id: str, now: float, *, by: str | None = None) -> Claim:
    """The idempotency key of a request, claimed by itself or by another one."""
    return Claim(WORKSPACE, "user_one", request_id, b"h" * 32, by or request_id, now, now + 86_400)


def wish(request_id: str) -> Estimate:
    """Five messages, 40,000 tokens of them completion; those of a group take less where there is less."""
    limits = (LIMIT, RATE, part(request_id)) if request_id.startswith("group") else (LIMIT, RATE)
    return dataclasses.replace(estimate(5, *limits, completion=40_000), least_tokens=1)


async def request(ledger: Ledger, request_id: str) -> None:
    """One request as the gateway makes it; ``called`` stands for the provider's own log."""
    claimed = claim(request_id, time.time())
    async with ledger.hold(request_id, principal(), wish(request_id), claimed) as hold:
        say("called", request_id)
        hold.observe(USAGE)
        await hold.settle(ANSWER)
        say("answered", request_id)


async def serve(ledger: Ledger) -> None:
    for number in range(3):
        await request(ledger, f"alone{number}")
        await asyncio.gather(*(request(ledger, f"group{number}-{mate}") for mate in range(5)))


async def race(ledger: Ledger, name: str, count: int, allowed: int) -> int:
    shared = limit(allowed)

    async def one(number: int) -> bool:
        try:
            async with ledger.hold(f"{name}-{number}", principal(), estimate(1, shared)) as hold:
                hold.observe(Usage(1, 1))
                await hold.settle()
        except LimitReached:
            return False
        return True

    return sum(await asyncio.gather(*(one(number) for number in range(count))))


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--die-at")
    parser.add_argument("--after", type=int, default=0)
    parser.add_argument("--race", nargs=3)
    arguments = parser.parse_args()
    database = Database.open(arguments.url)
    step = dies_at(arguments.die_at, arguments.after) if arguments.die_at else None
    ledger = Ledger(database, step=step)
    say("ready")
    sys.stdin.readline()
    await ledger.start()
    if arguments.race:
        name, count, allowed = arguments.race
        say("admitted", await race(ledger, name, int(count), int(allowed)))
    else:
        await serve(ledger)
    await ledger.close()
    database.close()
    say("closed")


if __name__ == "__main__":
    asyncio.run(main())
