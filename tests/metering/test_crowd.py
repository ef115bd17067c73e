"""Real processes at one plan's limits, one of them killed: what a watcher sees at every look."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.metering.crowd import PLAN
from tests.metering.examples import assert_clean, end_leases, held
from tests.metering.looks import overshot
from writingmate.metering.ledger import Ledger
from writingmate.storage.engine import Database
from writingmate.storage.tables import entries

ROOT = Path(__file__).parent.parent.parent
REQUESTS = 40
SECONDS = 120
LOOK_SECONDS = 0.02  # between two looks at other processes, which cannot wake us
DIES_AFTER = 3  # requests that it has called the provider for


@dataclass
class Member:
    """A process of the crowd, and the file that it speaks into."""

    process: subprocess.Popen[bytes]
    spoken: Path

    def said(self, word: str) -> dict[str, list[str]]:
        """What it said of each request, by the request."""
        lines = (line.split() for line in self.spoken.read_text().splitlines())
        return {line[1]: line[2:] for line in lines if line[0] == word}


def member(folder: Path, url: str, name: str) -> Member:
    spoken = folder / name
    with spoken.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.metering.crowd", url, name, "7", str(REQUESTS)],
            stdout=output,
            cwd=ROOT,
        )
    return Member(process, spoken)


@pytest.mark.parametrize("processes", [1, 2, 4])
async def test_a_crowd_at_its_limits(
    database: Database, database_url: str, tmp_path: Path, processes: int
) -> None:
    crowd = [member(tmp_path, database_url, f"p{number}") for number in range(processes)]
    deadline = time.monotonic() + SECONDS
    killed = False
    while any(each.process.poll() is None for each in crowd):
        assert time.monotonic() < deadline
        await asyncio.sleep(LOOK_SECONDS)
        with database.reading() as connection:
            assert not overshot(connection, PLAN.requests_per_minute)
        if not killed and len(crowd[0].said("called")) >= DIES_AFTER:
            killed = True
            crowd[0].process.kill()
            crowd.append(member(tmp_path, database_url, "next"))
    assert_clean(database)  # even before anybody has swept
    end_leases(database)
    ledger = Ledger(database)
    await ledger.start()
    await ledger.close()
    assert held(database) == set()
    assert_clean(database)
    assert_the_logs_agree(database, crowd)


def assert_the_logs_agree(database: Database, crowd: list[Member]) -> None:
    """What was called is entered; what was answered is entered to the token; nothing refused is."""
    called, answered, refused = (
        {name: rest for each in crowd for name, rest in each.said(word).items()}
        for word in ("called", "answered", "refused")
    )
    with database.reading() as connection:
        assert not overshot(connection, PLAN.requests_per_minute)
        rows = {row.request_id: row for row in connection.execute(select(entries))}
    assert called.keys() <= rows.keys()
    assert not refused.keys() & rows.keys()
    assert {"daily_limit_reached", "pool_exhausted", "rate_limit_exceeded"} & {
        code for (code,) in refused.values()
    }
    for name, row in rows.items():
        tokens = [str(row.prompt_tokens), str(row.completion_tokens)]
        if name in answered:
            assert (tokens, [str(row.messages)]) == (called[name], answered[name])
        else:
            assert "interrupted" in row.flags or tokens == called[name]
