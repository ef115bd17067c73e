"""``python -m tests.soak [--kills N] [--minutes M] [--seed S]``: see the package, and docs/operating.md.

Two lanes run side by side until all kills are done: one gateway on SQLite, two on PostgreSQL. Each goes
round by round, every round with a database of its own. Exit 0: every kill was done and nothing went wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.databases import PostgresServer, start_postgres, stop_postgres
from tests.soak.lane import lane
from tests.soak.verdict import Tally


@dataclass
class Soak:
    """The kills that are left to do, which the lanes share out between them."""

    left: int
    round_size: int
    deadline: float
    folder: Path
    postgres: PostgresServer
    seed: int
    tally: Tally = field(default_factory=Tally)

    async def rounds(self, kind: str, gateways: int) -> None:
        """Round after round, until no kill, no time or no hope is left."""
        number = 0
        while self.left > 0 and time.monotonic() < self.deadline and self.tally.clean:
            number += 1
            name = f"{kind}{number}"
            kills = min(self.round_size, self.left)
            self.left -= kills
            found = await self._round(name, kills, gateways, self._url(kind, name))
            self.left += kills - found.kills
            self.tally.add(found)
            print(f"{name}: {'; '.join(found.lines()).replace('  ', '')}", flush=True)
            if found.clean:
                shutil.rmtree(self.folder / name)

    async def _round(self, name: str, kills: int, gateways: int, url: str) -> Tally:
        chance = random.Random(f"{self.seed} {name}")
        async with lane(name, self.folder / name, url, gateways, chance) as running:
            return await running.run(kills, self.deadline)

    def _url(self, kind: str, name: str) -> str:
        if kind == "postgresql":
            return self.postgres.create(f"soak_{name}")
        return f"sqlite:///{self.folder / name}/writingmate.db"


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="tests.soak")
    parser.add_argument("--kills", type=int, default=1_000, help="of real processes, over all lanes")
    parser.add_argument("--minutes", type=float, default=120, help="after which no more are killed")
    parser.add_argument("--round", type=int, default=50, help="kills over one database")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    return parser.parse_args()


async def soak(asked: argparse.Namespace, folder: Path, postgres: PostgresServer) -> Tally:
    """Run both lanes to their end."""
    deadline = time.monotonic() + 60 * asked.minutes
    running = Soak(asked.kills, asked.round, deadline, folder, postgres, asked.seed)
    async with asyncio.TaskGroup() as lanes:
        lanes.create_task(running.rounds("sqlite", 1))
        lanes.create_task(running.rounds("postgresql", 2))
    return running.tally


def main() -> int:
    """Soak, print the summary, and keep the folder of a round in which something went wrong."""
    asked, began = arguments(), time.monotonic()
    print(f"{asked.kills} kills, at most {asked.minutes:g} minutes, seed {asked.seed}", flush=True)
    folder, postgres = Path(tempfile.mkdtemp(prefix="soak-")), start_postgres()
    try:
        tally = asyncio.run(soak(asked, folder, postgres))
    finally:
        stop_postgres(postgres)
    print(*tally.lines(), f"minutes      {(time.monotonic() - began) / 60:.1f}", sep="\n")
    if not tally.clean:
        print(f"The round is kept in {folder}")
        return 1
    shutil.rmtree(folder)
    if tally.kills < asked.kills:
        print(f"Stopped by time after {tally.kills} of {asked.kills} kills.")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
