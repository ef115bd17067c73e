"""The ledger alone: what a hold and its settlement cost, at several rates, on SQLite, every commit synced.

CPU is the whole process's, writer thread and system calls included, less what the same asyncio tasks
cost around an empty ledger. ``python -m bench.ledger [--quick] [--json FILE]``.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import resource
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import uvloop

from writingmate.metering.ledger import Ledger
from writingmate.storage import migrate, revisions
from writingmate.storage.engine import Database
from writingmate.types import Estimate, Principal, Usage

RATES = (500, 1_000, 2_000, 10_000)
LOW, BUSY, SATURATED = 500, 2_000, 0
AT_ONCE = 512
_ESTIMATE = Estimate("bench/instant", "bench", "instant", "chat.completions", 400, 4_096)
_USAGE = Usage(prompt_tokens=200, completion_tokens=120)


class _Held(Protocol):
    def observe(self, usage: Usage, *, estimated: bool = False) -> None: ...
    async def settle(self) -> object: ...


Hold = Callable[[str], AbstractAsyncContextManager[_Held]]


@dataclass(slots=True)
class Run:
    """Seconds of each hold and each settlement, and the whole run's wall and CPU time."""

    holds: list[float] = field(default_factory=list)
    settlements: list[float] = field(default_factory=list)
    wall: float = 0.0
    cpu: float = 0.0

    @property
    def count(self) -> int:
        """Requests that were held and settled."""
        return len(self.settlements)

    @property
    def p50_ms(self) -> float:
        """What holding and settling add to a request that needs both, one after the other."""
        return (statistics.median(self.holds) + statistics.median(self.settlements)) * 1e3

    def cpu_us(self, free: Run) -> float:
        """CPU µs a request, less what ``free`` took for the same without a ledger."""
        return (self.cpu / self.count - free.cpu / free.count) * 1e6


class _Nothing:
    def observe(self, usage: Usage, *, estimated: bool = False) -> None:
        pass

    async def settle(self) -> None:
        await asyncio.sleep(0)


@asynccontextmanager
async def _free(_request_id: str) -> AsyncIterator[_Held]:
    """No ledger: what is left is the bench's own cost."""
    await asyncio.sleep(0)
    yield _Nothing()


async def _one(hold: Hold, request_id: str, run: Run) -> None:
    began = time.perf_counter()
    async with hold(request_id) as held:
        ready = time.perf_counter()
        held.observe(_USAGE)
        settling = time.perf_counter()
        await held.settle()
        run.settlements.append(time.perf_counter() - settling)
    run.holds.append(ready - began)


async def _offered(hold: Hold, name: str, rate: int, seconds: float) -> Run:
    """Start ``rate`` requests a second on schedule, whether or not earlier ones are done."""
    run, under_way = Run(), set[asyncio.Task[None]]()
    began = time.perf_counter()
    for number in range(int(rate * seconds)):
        late = began + number / rate - time.perf_counter()
        if late > 0:
            await asyncio.sleep(max(late, 0.001))
        task = asyncio.create_task(_one(hold, f"{name}{number}", run))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    while under_way:
        await asyncio.wait(under_way)
    return run


async def _saturated(hold: Hold, name: str, _rate: int, seconds: float) -> Run:
    """As many as it can take with `AT_ONCE` under way."""
    run, numbers = Run(), itertools.count()
    until = time.perf_counter() + seconds

    async def again() -> None:
        while time.perf_counter() < until:
            await _one(hold, f"{name}{next(numbers)}", run)

    await asyncio.gather(*(again() for _ in range(AT_ONCE)))
    return run


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def _timed(work: Coroutine[None, None, Run]) -> Run:
    cpu, wall = _cpu(), time.perf_counter()
    run = await work
    run.wall, run.cpu = time.perf_counter() - wall, _cpu() - cpu
    return run


def _line(label: str, run: Run, free: Run) -> str:
    hold, settle = (statistics.quantiles(times, n=100) for times in (run.holds, run.settlements))
    cells = (
        f"{run.count / run.wall:,.0f}",
        f"{run.cpu_us(free):.1f}",
        *(f"{quantiles[at] * 1e3:.2f}" for quantiles in (hold, settle) for at in (49, 98)),
    )
    return label.ljust(20) + "".join(cell.rjust(13) for cell in cells)


async def _measure(database: Database, seconds: float) -> dict[str, float]:
    with database.reading() as connection:
        revision = revisions.read(connection, "identity")
    principal = Principal("user_bench", "ws_bench", "key_bench", "self-hosted", revision)
    ledger = Ledger(database)
    await ledger.start()

    def real(request_id: str) -> AbstractAsyncContextManager[_Held]:
        return ledger.hold(request_id, principal, _ESTIMATE)

    titles = ("a second", "CPU µs", "hold p50 ms", "p99", "settle p50", "p99")
    print("\nledger alone".ljust(21) + "".join(title.rjust(13) for title in titles))
    runs: dict[int, tuple[Run, Run]] = {}
    for rate in (*RATES, SATURATED):
        load = _offered if rate else _saturated
        free = await _timed(load(_free, f"free-{rate}-", rate, seconds))
        run = await _timed(load(real, f"req-{rate}-", rate, seconds))
        runs[rate] = run, free
        print(_line(f"offered {rate:,}" if rate else f"{AT_ONCE} at once", run, free), flush=True)
    await ledger.close()
    return {
        f"hold + settle, CPU µs a request at {BUSY:,} a second": runs[BUSY][0].cpu_us(runs[BUSY][1]),
        "hold + settle, CPU µs a request at saturation": runs[SATURATED][0].cpu_us(runs[SATURATED][1]),
        f"hold p50 + settle p50 at {LOW:,} a second, ms": runs[LOW][0].p50_ms,
        "hold p50 + settle p50 at 1,000 a second, ms": runs[1_000][0].p50_ms,
    }


def main() -> None:
    """A fresh SQLite file, every rate without and with the ledger, then what it adds to a request."""
    parser = argparse.ArgumentParser(prog="bench.ledger")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path, help="also write what the ledger adds to a request here")
    arguments = parser.parse_args()
    seconds = 1.0 if arguments.quick else 4.0
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        database = Database.open(f"sqlite:///{Path(folder) / 'ledger.db'}")
        migrate.upgrade(database)
        figures = uvloop.run(_measure(database, seconds))
        database.close()
    print()
    for label, figure in figures.items():
        print(label.ljust(56) + f"{figure:8.2f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
