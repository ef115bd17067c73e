"""A gateway process for tests: makes requests, says on standard output what became of them, may die.

Usage: ``child URL [--die-at STEP --after COUNT] [--race NAME COUNT LIMIT]``. It waits for a line on
standard input before it begins.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable

from tests.metering.examples import estimate, limit, principal
from writingmate.errors import LimitReached
from writingmate.metering.ledger import Ledger
from writingmate.storage.engine import Database
from writingmate.types import Usage

LIMIT = limit(1_000)
USAGE = Usage(30_000, 10)


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


async def request(ledger: Ledger, request_id: str) -> None:
    """One request as the gateway makes it; ``called`` stands for the provider's own log."""
    async with ledger.hold(request_id, principal(), estimate(5, LIMIT, completion=40_000)) as hold:
        say("called", request_id)
        hold.observe(USAGE)
        await hold.settle()
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
