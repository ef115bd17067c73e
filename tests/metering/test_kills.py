"""``kill -9`` at each labelled step, then a restart: every request on the books exactly once."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.metering.child import USAGE
from tests.metering.examples import (
    assert_clean,
    end_leases,
    estimate,
    held,
    limit,
    principal,
    settled,
    window,
)
from writingmate.metering.counting import counted_messages
from writingmate.metering.ledger import Ledger
from writingmate.storage.engine import Database
from writingmate.storage.tables import nodes

LIMIT = limit(1_000)
ANSWERED = (counted_messages(USAGE), "")
INTERRUPTED = (3, "estimated interrupted")  # of a hold of 5, 40,000 tokens of it completion
ROOT = Path(__file__).parent.parent.parent


def run(url: str, *arguments: str) -> tuple[int, dict[str, set[str]]]:
    """Run a child to its end: its exit code, and which requests it said were called and answered."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.metering.child", url, *arguments],
        input="begin\n",
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        cwd=ROOT,
    )
    said: dict[str, set[str]] = {"called": set(), "answered": set()}
    for line in done.stdout.splitlines():
        word, _, request_id = line.partition(" ")
        said.setdefault(word, set()).add(request_id)
    return done.returncode, said


async def restart(database: Database) -> None:
    """A new process, after the dead one's lease has run out."""
    end_leases(database)
    ledger = Ledger(database)
    await ledger.start()
    await ledger.close()
    assert held(database) == set()
    assert_clean(database)


def test_a_child_that_is_left_alone_answers_everything(database: Database, database_url: str) -> None:
    code, said = run(database_url)
    assert code == 0
    assert said["called"] == said["answered"] == set(settled(database))
    assert len(said["called"]) == 18
    assert_clean(database)


@pytest.mark.parametrize(
    ("step", "after"),
    [
        ("beat.before_commit", 0),
        ("beat.after_commit", 0),
        ("hold.before_commit", 0),
        ("hold.before_commit", 1),
        ("hold.after_commit", 0),
        ("hold.after_commit", 3),
        ("settle.before_commit", 0),
        ("settle.before_commit", 2),
        ("settle.after_commit", 0),
        ("settle.after_commit", 3),
        ("leave.before_commit", 0),
        ("leave.after_commit", 0),
    ],
)
async def test_a_kill_while_serving(database: Database, database_url: str, step: str, after: int) -> None:
    code, said = run(database_url, "--die-at", step, "--after", str(after))
    assert code == -signal.SIGKILL
    under_way = held(database)
    assert_clean(database)  # even before anybody has swept
    if step == "hold.after_commit":
        assert under_way - said["called"], "no hold was on disk before its request was told so"
    if step == "settle.after_commit":
        assert set(settled(database)) - said["answered"], (
            "no entry was on disk before its request was told so"
        )
    await restart(database)
    entries = settled(database)
    assert said["called"] <= set(entries)
    assert {entries[request_id] for request_id in said["answered"]} <= {ANSWERED}
    assert {entries[request_id] for request_id in under_way} <= {INTERRUPTED}
    assert set(entries.values()) <= {ANSWERED, INTERRUPTED}
    assert window(database, LIMIT) == (sum(messages for messages, _ in entries.values()), 0)


@pytest.mark.parametrize("step", ["sweep.before_commit", "sweep.after_commit"])
async def test_a_kill_while_sweeping(database: Database, database_url: str, step: str) -> None:
    dead = Ledger(database)
    await dead.start()
    for number in range(4):
        await dead.hold(f"r{number}", principal(), estimate(5, LIMIT, completion=40_000)).__aenter__()
    await dead.close()
    end_leases(database)
    code, _ = run(database_url, "--die-at", step)
    assert code == -signal.SIGKILL
    assert len(held(database)) == (4 if step == "sweep.before_commit" else 0)
    assert_clean(database)
    await restart(database)
    assert settled(database) == {f"r{number}": INTERRUPTED for number in range(4)}
    assert window(database, LIMIT) == (12, 0)


async def test_dead_processes_leave_no_node_behind(database: Database, database_url: str) -> None:
    run(database_url, "--die-at", "settle.before_commit")
    await restart(database)
    with database.reading() as connection:
        assert connection.execute(nodes.select()).all() == []


def test_processes_at_one_limit_admit_exactly_as_many_as_fit(database: Database, database_url: str) -> None:
    allowed = 50
    processes = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.metering.child", database_url),
                *("--race", f"p{number}", "60", str(allowed)),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for number in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    outputs = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("begin\n")
        process.stdin.flush()
    for process in processes:
        outputs.append(process.communicate()[0].split())
        assert process.returncode == 0
    assert sum(int(output[1]) for output in outputs) == allowed
    assert window(database, limit(allowed)) == (allowed, 0)
    assert len(settled(database)) == allowed
    assert_clean(database)
