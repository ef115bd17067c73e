from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select
from sqlalchemy.engine.interfaces import DBAPICursor

from tests.databases import end_postgres, launch_postgres, migrated, start_postgres, stop_postgres
from writingmate.errors import Unavailable
from writingmate.storage import crowd
from writingmate.storage.crowd import LINGER_SECONDS, Crowd
from writingmate.storage.engine import Database
from writingmate.storage.tables import revisions
from writingmate.storage.writer import Uncertain, Writer


class Notes:
    """Writes each command as a row; commands that start with "!" are refused or fail."""

    def __init__(self, database: Database) -> None:
        self.placeholder = "?" if database.dialect == "sqlite" else "%s"
        self.batches: list[list[str]] = []
        self.outages = 0
        self.entered = threading.Event()
        self.gate = threading.Event()
        self.gate.set()

    def apply(self, cursor: DBAPICursor, commands: Sequence[str]) -> list[str | Exception]:
        self.batches.append(list(commands))
        self.entered.set()
        assert self.gate.wait(10)
        for command in commands:
            if command == "!crash":
                raise ZeroDivisionError
            cursor.execute(f"INSERT INTO revisions VALUES ({self.placeholder}, 1)", (command,))  # noqa: S608
        if self.outages:
            self.outages -= 1
            raise sqlite3.OperationalError("database is locked")
        return [KeyError(command) if command == "!refused" else command.upper() for command in commands]


@pytest.fixture
def notes(database: Database) -> Notes:
    return Notes(database)


@pytest.fixture
def writer(database: Database, notes: Notes) -> Iterator[Writer[str, str]]:
    writer = Writer(database, notes.apply)
    yield writer
    notes.gate.set()
    writer.close()


def written(database: Database) -> set[str]:
    with database.reading() as connection:
        return set(connection.scalars(select(revisions.c.name)))


async def test_an_answer_comes_after_the_commit(database: Database, writer: Writer[str, str]) -> None:
    assert await writer.submit("a") == "A"
    assert written(database) == {"a"}


def test_a_thread_may_wait_too(database: Database, writer: Writer[str, str]) -> None:
    assert writer.call("a") == "A"
    with pytest.raises(KeyError):
        writer.call("!refused")
    assert written(database) == {"a", "!refused"}


async def test_what_queues_up_during_a_commit_is_committed_together(
    notes: Notes, writer: Writer[str, str]
) -> None:
    notes.gate.clear()
    first = writer.submit("first")
    await asyncio.to_thread(notes.entered.wait, 10)
    others = [writer.submit(f"n{number}") for number in range(600)]
    notes.gate.set()
    assert await first == "FIRST"
    assert await asyncio.gather(*others) == [f"N{number}" for number in range(600)]
    assert [len(batch) for batch in notes.batches] == [1, 512, 88]


@pytest.mark.parametrize(("rate", "waits"), [(0.0, True), (1e9, False)])
async def test_only_a_crowd_is_waited_for(
    database: Database, notes: Notes, monkeypatch: pytest.MonkeyPatch, rate: float, *, waits: bool
) -> None:
    waited: list[float] = []
    monkeypatch.setattr(crowd, "RATE", rate)
    monkeypatch.setattr("writingmate.storage.writer.time.sleep", waited.append)
    writer: Writer[str, str] = Writer(database, notes.apply)
    await writer.submit("first, after a pause without end")
    await writer.submit("second")
    await asyncio.to_thread(writer.close)
    assert set(waited) == ({LINGER_SECONDS} if waits else set())


def test_a_crowd_is_many_commands_in_a_short_time() -> None:
    seen = Crowd()
    now = 1000.0
    seen.joined(30, now)
    assert not seen.here, "nothing is known of the time before"
    for _ in range(25):
        now += 0.001
        seen.joined(4, now)
    assert seen.here
    seen.joined(1, now + 1.0)
    assert not seen.here
    for _ in range(40):
        now += 0.001
        seen.joined(1, now)
    assert not seen.here


def test_nothing_that_is_queued_is_overslept(database: Database) -> None:
    """Whoever queues a command just as the thread lies down wakes it."""
    writer: Writer[int, int] = Writer(database, lambda _, commands: list(commands))
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(writer.call, range(2_000))) == list(range(2_000))
    writer.close()


async def test_a_bad_command_does_not_poison_its_mates(
    database: Database, notes: Notes, writer: Writer[str, str]
) -> None:
    notes.gate.clear()
    first = writer.submit("first")
    await asyncio.to_thread(notes.entered.wait, 10)
    bad, twice, good = writer.submit("!crash"), writer.submit("first"), writer.submit("good")
    notes.gate.set()
    assert await first == "FIRST"
    with pytest.raises(ZeroDivisionError):
        await bad
    with pytest.raises(Exception, match=r"(?i)unique"):
        await twice
    assert await good == "GOOD"
    assert written(database) == {"first", "good"}


async def test_a_cancelled_waiter_does_not_undo_the_write(
    database: Database, notes: Notes, writer: Writer[str, str]
) -> None:
    notes.gate.clear()
    future = writer.submit("a")
    future.cancel()
    notes.gate.set()
    assert await writer.submit("b") == "B"
    assert written(database) == {"a", "b"}


async def test_closing_writes_what_is_queued_and_refuses_more(
    database: Database, notes: Notes, writer: Writer[str, str]
) -> None:
    notes.gate.clear()
    futures = [writer.submit(name) for name in "abc"]
    writer.post("d")
    closing = asyncio.get_running_loop().run_in_executor(None, writer.close)
    notes.gate.set()
    await closing
    assert await asyncio.gather(*futures) == ["A", "B", "C"]
    assert written(database) == set("abcd")
    with pytest.raises(Unavailable):
        writer.submit("e")


def test_closing_twice_and_after_its_loop_is_gone(database: Database, notes: Notes) -> None:
    writer: Writer[str, str] = Writer(database, notes.apply)
    notes.gate.clear()

    async def submit() -> None:
        writer.submit("a")

    asyncio.run(submit())
    notes.gate.set()
    writer.close()
    writer.close()
    assert written(database) == {"a"}


async def test_a_passing_failure_goes_unnoticed(sqlite_file_url: str) -> None:
    database = Database.open(sqlite_file_url)
    notes = Notes(database)
    notes.outages = 1
    writer: Writer[str, str] = Writer(database, notes.apply)
    assert await writer.submit("a") == "A"
    assert len(notes.batches) == 2
    writer.close()
    database.close()


async def test_an_outage_refuses_what_is_new_and_keeps_what_is_owed(sqlite_file_url: str) -> None:
    database = Database.open(sqlite_file_url)
    notes = Notes(database)
    notes.outages = 5
    writer: Writer[str, str] = Writer(database, notes.apply)
    new, owed = writer.submit("new"), writer.submit("owed", owed=True)
    for future in (new, owed):
        with pytest.raises(Unavailable):
            await future
    with pytest.raises(Unavailable):  # at once: it is not tried before the next retry
        await writer.submit("newer")
    while written(database) != {"owed"}:
        with contextlib.suppress(Unavailable):
            await writer.submit("probe", owed=False)
        await asyncio.sleep(0)
        with database.transaction() as connection:
            connection.execute(revisions.delete().where(revisions.c.name == "probe"))
    writer.close()
    database.close()


async def test_what_cannot_be_written_is_given_up_after_the_grace(sqlite_file_url: str) -> None:
    database = Database.open(sqlite_file_url)
    notes = Notes(database)
    notes.outages = 1_000_000
    writer: Writer[str, str] = Writer(database, notes.apply)
    with pytest.raises(Unavailable):
        await writer.submit("owed", owed=True)
    await asyncio.to_thread(writer.close, 0.0)
    assert written(database) == set()
    database.close()


async def test_a_commit_that_fails_leaves_it_open_whether_it_was_made(sqlite_file_url: str) -> None:
    database = Database.open(sqlite_file_url)
    notes = Notes(database)
    writer: Writer[str, str] = Writer(database, notes.apply)

    def cut(moment: str, commands: Sequence[str]) -> None:
        if moment == "before_commit" and "a" in commands and writer._session is not None:
            writer._session._connection.driver_connection.close()  # type: ignore[union-attr]  # a real one

    writer._step = cut
    with pytest.raises(Uncertain):
        await writer.submit("a")
    assert await writer.submit("b") == "B"
    assert written(database) == {"b"}
    writer.close()
    database.close()


async def test_a_server_that_restarts_loses_nothing_owed() -> None:
    server = start_postgres()
    try:
        database = Database.open(migrated(server.create("restarting")))
        writer: Writer[str, str] = Writer(database, Notes(database).apply)
        assert await writer.submit("a") == "A"
        end_postgres(server)
        with pytest.raises(Unavailable):
            await writer.submit("b", owed=True)
        with pytest.raises(Unavailable):
            await writer.submit("c")
        server = launch_postgres(server.directory, server.port)
        await asyncio.to_thread(writer.close, 30.0)
        assert written(database) == {"a", "b"}
        database.close()
    finally:
        stop_postgres(server)
