"""Large books: what reports, audit, roll-up and one request cost over 5 million entries, and over 5,000.

``python -m bench.books [--rows N] [--database postgresql://…]`` fills an empty database with a year of
requests, twice, and runs the commands on it as an operator would: seconds and peak memory include the
command's start. A hold and its settlement are timed against a daily limit, a pool and a rate, as one
process's only request. By default the database is a SQLite file in a temporary folder.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select, text

from bench.filling import fill, request_id
from writingmate.metering.ledger import Ledger
from writingmate.metering.limits import limits
from writingmate.metering.retention import oldest_kept
from writingmate.storage import migrate, revisions
from writingmate.storage.engine import Database
from writingmate.storage.tables import entries, metadata
from writingmate.types import Estimate, Plan, Principal, Usage

FEW = 5_000
REQUESTS = 300
_PLAN = Plan("bench", "Bench", daily_messages={"pro": 10**9}, requests_per_minute=10**9, pool_messages=10**9)
_BY_KEY = ("--by", "key")
_WIDTHS = (44, 14, 14)
# A process starts with the peak memory of the one that forked it, so a small one has to.
_LAUNCH = """
import resource, subprocess, sys, time
began = time.perf_counter()
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the report: what was measured, and the amount with its unit."""

    name: str
    amount: str


def _command(url: str, name: str, *arguments: str) -> list[Figure]:
    """Run one ``writingmate`` command; its seconds, and its peak memory in MB (10^6 bytes)."""
    environ = {**os.environ, "WRITINGMATE_DATABASE_URL": url, "WRITINGMATE_LOCAL": "off"}
    command = [sys.executable, "-c", _LAUNCH, sys.executable, "-m", "writingmate", *arguments]
    done = subprocess.run(command, env=environ, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"bench: writingmate {' '.join(arguments)} ended with {done.returncode}")
    seconds, kilobytes = done.stdout.split()
    memory = int(kilobytes) * 1024 / 1e6
    return [Figure(f"{name}, s", f"{float(seconds):.2f}"), Figure("  peak memory, MB", f"{memory:.0f}")]


async def _requests(database: Database) -> list[Figure]:
    """Hold and settle one request after another, each in a transaction of its own."""
    with database.reading() as connection:
        revision = revisions.read(connection, "identity")
    principal = Principal("user_0_0", "ws_00", "key_0_0_0", "bench", revision, daily_cap=10**9)
    ledger = Ledger(database)
    await ledger.start()
    holds, settlements = [], []
    for number in range(REQUESTS):
        now = time.time()
        found = limits(principal, _PLAN, "pro", now)
        estimate = Estimate("bench/m", "bench", "m", "chat.completions", 400, 4_096, found, tier="pro")
        began = time.perf_counter()
        async with ledger.hold(request_id(now, 2**51 + number), principal, estimate) as hold:
            held = time.perf_counter()
            hold.observe(Usage(200, 120))
            await hold.settle()
            settlements.append(time.perf_counter() - held)
        holds.append(held - began)
    await ledger.close()
    return [
        Figure("hold, median ms", f"{statistics.median(holds) * 1e3:.2f}"),
        Figure("settle, median ms", f"{statistics.median(settlements) * 1e3:.2f}"),
    ]


def _measure(database: Database, url: str, rows: int) -> list[Figure]:
    began = time.perf_counter()
    some = fill(database, rows, time.time())
    figures = [
        Figure("filling, s", f"{time.perf_counter() - began:.0f}"),
        Figure("size of the database, MB", f"{_size(database) / 1e6:,.0f}"),
    ]
    figures += asyncio.run(_requests(database))
    figures += _command(url, "usage by day, 30 days", "usage")
    figures += _command(url, "usage by key, 30 days", "usage", *_BY_KEY)
    figures += _command(url, "usage by key, 30 days, CSV", "usage", *_BY_KEY, "--csv")
    figures += _command(
        url, "usage by key, one workspace, 30 days", "usage", *_BY_KEY, "--workspace", "ws_00"
    )
    figures += _command(url, "usage by model, all days", "usage", "--by", "model", "--days", "36500")
    figures += _command(url, "usage explain", "usage", "explain", some)
    figures += _command(url, "audit", "audit")
    before = _left(database)
    figures += _command(
        url, "roll-up of the first month", "usage", "roll-up", "--before", oldest_kept(335, time.time())
    )
    figures.append(Figure("  entries rolled up", f"{before - _left(database):,}"))
    return [*figures, *_command(url, "audit after it", "audit")]


def _size(database: Database) -> int:
    """Bytes, indexes included."""
    pages = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
    whole = pages if database.dialect == "sqlite" else "SELECT pg_database_size(current_database())"
    with database.reading() as connection:
        return connection.scalar(text(whole)) or 0


def _left(database: Database) -> int:
    with database.reading() as connection:
        return connection.scalar(select(func.count()).select_from(entries)) or 0


def _print(few: list[Figure], many: list[Figure], rows: int) -> None:
    titles = ("", f"{FEW:,}", f"{rows:,}")
    lines = [titles, *((one.name, one.amount, other.amount) for one, other in zip(few, many, strict=True))]
    for line in lines:
        label, *cells = line
        widths = zip(cells, _WIDTHS[1:], strict=True)
        print(label.ljust(_WIDTHS[0]) + "".join(cell.rjust(width) for cell, width in widths))


def _on(url: str, rows: int) -> list[Figure]:
    """Everything on one database, which is left empty."""
    with closing(Database.open(url)) as database:
        migrate.upgrade(database)
        if _left(database):
            raise SystemExit("bench: this database has entries; name an empty one")
        try:
            return _measure(database, url, rows)
        finally:
            with database.transaction() as connection:
                for table in metadata.sorted_tables:
                    connection.execute(table.delete())


def main() -> None:
    """Few entries, then many, side by side."""
    parser = argparse.ArgumentParser(prog="bench.books")
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--database", help="an empty PostgreSQL database; it is emptied again")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        urls = [arguments.database or f"sqlite:///{Path(folder) / name}" for name in ("few.db", "many.db")]
        few = _on(urls[0], FEW)
        _print(few, _on(urls[1], arguments.rows), arguments.rows)


if __name__ == "__main__":
    main()
