"""One database, SQLite or PostgreSQL, with the same promises from both.

A transaction sees what is committed and writes alone (SQLite: ``BEGIN IMMEDIATE``; PostgreSQL: READ
COMMITTED, and whoever decides on a row locks it first). A reading is one snapshot and cannot write.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from writingmate.errors import ConfigurationError, Unavailable

T = TypeVar("T")
Dialect: TypeAlias = Literal["sqlite", "postgresql"]

READERS: Final = 4
BUSY_SECONDS: Final = 10
CONNECT_SECONDS: Final = 5
OUT_OF_REACH: Final = (OperationalError, InterfaceError, PoolTimeout)

_POSTGRES_NAMES: Final = frozenset({"postgres", "postgresql", "postgresql+psycopg"})


class Database:
    """Connections to one database; open it once per process and close it at the end.

    Everything that reaches for the database raises Unavailable when it is out of reach.
    """

    def __init__(self, url: URL) -> None:
        self.url: Final = url
        self.dialect: Final[Dialect] = "sqlite" if url.drivername == "sqlite" else "postgresql"
        self.writing: Final = _sqlite(url, writes=True) if self.dialect == "sqlite" else _postgres(url)
        self._reading = _sqlite(url, writes=False) if self.dialect == "sqlite" else _snapshots(self.writing)
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="database")

    @classmethod
    def open(cls, url: str) -> Database:
        """Open ``sqlite:////path/to.db`` or ``postgresql://user@host/name`` and reach it once.

        Raises ConfigurationError, with what to do about it, if that is not possible.
        """
        parsed = parse(url)
        if parsed.drivername == "sqlite":
            _prepare_file(parsed)
        database = cls(parsed)
        try:
            with database.writing.connect():
                return database
        except OUT_OF_REACH as error:
            database.close()
            raise ConfigurationError(_advice(parsed, error)) from error

    @property
    def path(self) -> Path | None:
        """The file, where the database is one."""
        return Path(self.url.database or "") if self.dialect == "sqlite" else None

    @property
    def out_of_reach(self) -> tuple[type[Exception], ...]:
        """What tells that the database cannot be used now, raised by SQLAlchemy or by the driver itself.

        The driver's InternalError is one: a server that has become a read-only standby raises it.
        """
        driver = self.writing.dialect.loaded_dbapi
        return (*OUT_OF_REACH, driver.OperationalError, driver.InterfaceError, driver.InternalError)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction that may write: committed at the end, rolled back by any exception."""
        with _translated(), self.writing.begin() as connection:
            yield connection

    def session(self) -> Session:
        """A connection by the driver's own cursor, for the writer.

        SQLAlchemy's way to begin, run and commit costs more per batch than SQLite's work does.
        """
        return Session(self)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One snapshot, however long it is read; writing through it fails."""
        with _translated(), self._reading.begin() as connection:
            yield connection

    async def read(self, query: Callable[[Connection], T]) -> T:
        """``query`` over a `reading`, in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._read, query)

    async def write(self, change: Callable[[Connection], T]) -> T:
        """``change`` in a `transaction`, in a thread; it is completed even if the caller is cancelled."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._write, change)

    def close(self) -> None:
        """Wait for what is under way, then close every connection."""
        self._threads.shutdown()
        self._reading.dispose()
        self.writing.dispose()

    def _read(self, query: Callable[[Connection], T]) -> T:
        with self.reading() as connection:
            return query(connection)

    def _write(self, change: Callable[[Connection], T]) -> T:
        with self.transaction() as connection:
            return change(connection)


class Session:
    """One of the driver's own connections, and its cursor; for one thread."""

    def __init__(self, database: Database) -> None:
        self._begin = "BEGIN IMMEDIATE" if database.dialect == "sqlite" else None
        self._connection = database.writing.raw_connection()
        self.cursor: Final[DBAPICursor] = self._connection.cursor()

    def begin(self) -> None:
        """Begin a transaction that may write; PostgreSQL's driver does so by itself."""
        if self._begin is not None:
            self.cursor.execute(self._begin)

    def commit(self) -> None:
        """Make it durable."""
        self._connection.commit()

    def close(self) -> None:
        """Give the connection back."""
        self._connection.close()

    def discard(self) -> None:
        """Roll back and close the connection for good, whatever state it is in.

        Closing alone is not enough: SQLite keeps a connection's lock while a statement is still known.
        """
        with contextlib.suppress(Exception):  # it may be broken, which is why it goes
            self._connection.rollback()
        self._connection.invalidate()
        self._connection.close()


@contextmanager
def locked_file(database: Path) -> Iterator[None]:
    """Hold the lock beside a database file: one process at a time changes its format."""
    descriptor = os.open(f"{database}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def parse(url: str) -> URL:
    """The URL with the driver we use. Raises ConfigurationError for any other database."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise ConfigurationError(
            "The database URL cannot be read. Write it as sqlite:////path/to/file.db or "
            "postgresql://user:password@host/name (WRITINGMATE_DATABASE_URL)."
        ) from error
    if parsed.drivername in _POSTGRES_NAMES:
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername == "sqlite" and parsed.database and parsed.database != ":memory:":
        return parsed
    raise ConfigurationError(
        f"The database URL {parsed.render_as_string(hide_password=True)} is neither a SQLite file "
        "(sqlite:////path/to/file.db) nor PostgreSQL (postgresql://user:password@host/name)."
    )


def unavailable() -> Unavailable:
    """What a caller is told; the reason stays with the operator (``__cause__``)."""
    return Unavailable("The gateway cannot reach its database at the moment. Try again in a few seconds.")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OUT_OF_REACH as error:
        raise unavailable() from error


def _advice(url: URL, error: Exception) -> str:
    reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
    shown = url.render_as_string(hide_password=True)
    if url.drivername == "sqlite":
        return (
            f"The database {url.database} cannot be opened: {reason}. "
            "Check the file, or choose another data folder (--data-dir)."
        )
    return (
        f"The database {shown} cannot be reached: {reason}. "
        "Check that PostgreSQL runs there and that WRITINGMATE_DATABASE_URL names it rightly."
    )


def _prepare_file(url: URL) -> None:
    """Make the folder and put the file in WAL mode; both need doing once, by one process."""
    path = Path(url.database or "")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked_file(path):
            _use_wal(path)
    except OSError as error:
        raise ConfigurationError(
            f"The data folder {path.parent} cannot be written to: {error.strerror}. "
            "Make it writable for this user, or choose another one (--data-dir)."
        ) from error
    except sqlite3.Error as error:
        raise ConfigurationError(_advice(url, error)) from error


def _use_wal(path: Path) -> None:
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()


def _sqlite(url: URL, *, writes: bool) -> Engine:
    engine = create_engine(url, hide_parameters=True, pool_size=READERS + 2, max_overflow=0)
    begin = "BEGIN IMMEDIATE" if writes else "BEGIN"

    def connected(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # the driver begins nothing by itself
        connection.execute(f"PRAGMA busy_timeout = {BUSY_SECONDS * 1000}")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA query_only = {'OFF' if writes else 'ON'}")

    def began(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", began)
    return engine


def _postgres(url: URL) -> Engine:
    arguments = {"connect_timeout": CONNECT_SECONDS, "tcp_user_timeout": BUSY_SECONDS * 1000}
    engine = create_engine(
        url,
        hide_parameters=True,
        isolation_level="READ COMMITTED",
        connect_args={name: value for name, value in arguments.items() if name not in url.query},
        pool_size=READERS + 2,
        pool_pre_ping=True,
    )

    def connected(connection: Any, _record: object) -> None:  # noqa: ANN401  # the driver is optional here
        connection.autocommit = True
        connection.execute(f"SET lock_timeout = '{BUSY_SECONDS}s'")
        connection.autocommit = False

    event.listen(engine, "connect", connected)
    return engine


def _snapshots(engine: Engine) -> Engine:
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
