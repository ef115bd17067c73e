"""``kill -9`` at each labelled step, then a restart: every request on the books exactly once.

The requests that die hold in full or in part, count against requests a minute and have claimed a key.
"""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.metering.child import ANSWER, LIMIT, RATE, USAGE, claim, part, wish
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
from writingmate.errors import KeyClaimed, RateLimited
from writingmate.metering.counting import counted_messages
from writingmate.metering.ledger import Ledger
from writingmate.storage.engine import Database
from writingmate.storage.tables import answers, nodes

ANSWERED = {(counted_messages(USAGE), ""), (counted_messages(USAGE), "clamped")}
INTERRUPTED = (3, "estimated interrupted")  # of a hold of 5 or 4, of which the prompt is 40,000 tokens
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


async def assert_counted_and_claimed(database: Database) -> None:
    """Each request that is on the books counts against the minute; its key is taken, or free if it died."""
    here = Ledger(database)
    await here.start()
    entries, open_ = settled(database), held(database)
    requests = len(entries) + len(open_)
    exactly = dataclasses.replace(RATE, allowed=requests)
    with pytest.raises(RateLimited):
        await here.hold("late", principal(), estimate(1, exactly)).open()
    answered = {name for name, (_, flags) in entries.items() if "interrupted" not in flags}
    for request_id in sorted(answered | open_):
        repeated = claim(request_id, time.time(), by="repeated")
        with pytest.raises(KeyClaimed):
            await here.hold("repeated", principal(), estimate(1), repeated).open()
    with database.transaction() as connection:
        stored = dict(connection.execute(select(answers.c.request_id, answers.c.answer)).all())
        free = set(entries) - answered
        assert {name for name, answer in stored.items() if answer == ANSWER} == answered
        assert {name for name, answer in stored.items() if answer is None} == free | open_
    await here.close()


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
    await assert_counted_and_claimed(database)
    if step == "hold.after_commit":
        assert under_way - said["called"], "no hold was on disk before its request was told so"
    if step == "settle.after_commit":
        assert set(settled(database)) - said["answered"], (
            "no entry was on disk before its request was told so"
        )
    await restart(database)
    entries = settled(database)
    assert said["called"] <= set(entries)
    assert {entries[request_id] for request_id in said["answered"]} <= ANSWERED
    assert {entries[request_id] for request_id in under_way} <= {INTERRUPTED}
    assert set(entries.values()) <= {*ANSWERED, INTERRUPTED}
    assert window(database, LIMIT) == (sum(messages for messages, _ in entries.values()), 0)
    for request_id, (messages, flags) in entries.items():
        if request_id.startswith("group"):
            assert window(database, part(request_id)) == (messages, 0)
            assert flags in {"clamped", "estimated interrupted"}
    await assert_counted_and_claimed(database)


@pytest.mark.parametrize("step", ["sweep.before_commit", "sweep.after_commit"])
async def test_a_kill_while_sweeping(database: Database, database_url: str, step: str) -> None:
    dead = Ledger(database)
    await dead.start()
    for number in range(4):
        await dead.hold(
            f"group{number}", principal(), wish(f"group{number}"), claim(f"group{number}", time.time())
        ).open()
    await dead.close()
    end_leases(database)
    code, _ = run(database_url, "--die-at", step)
    assert code == -signal.SIGKILL
    assert len(held(database)) == (4 if step == "sweep.before_commit" else 0)
    assert_clean(database)
    await restart(database)
    assert settled(database) == {f"group{number}": INTERRUPTED for number in range(4)}
    assert window(database, LIMIT) == (12, 0)
    assert window(database, part("group0")) == (3, 0)
    await assert_counted_and_claimed(database)


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
