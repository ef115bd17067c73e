"""Databases for tests: a real PostgreSQL server, shared by the workers of one run, and SQLite files.

The server is started by the first test that asks for it and ended by the last process that used it.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from sqlalchemy import text

from writingmate.storage import migrate
from writingmate.storage.engine import Database
from writingmate.storage.tables import metadata

START_SECONDS: Final = 60
SETTINGS: Final = {
    "max_connections": "200",
    "shared_buffers": "64MB",
    "fsync": "off",  # a test's process is killed, never the machine
    "synchronous_commit": "on",
    "full_page_writes": "off",
    "deadlock_timeout": "200ms",
}


@dataclass(frozen=True)
class PostgresServer:
    """A running server: where it is, and the process to end."""

    pid: int
    port: int
    directory: str

    def url(self, name: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def socket_url(self, name: str) -> str:
        return f"postgresql://postgres@/{name}?host={self.directory}&port={self.port}"

    def create(self, name: str) -> str:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return self.url(name)

    def drop(self, name: str) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())


@contextmanager
def shared_postgres(meeting_place: Path) -> Iterator[PostgresServer]:
    """The run's server; ``meeting_place`` is a folder that all workers of the run see."""
    with _register(meeting_place) as users:
        server = _running(users) or start_postgres()
        users["server"] = server.__dict__
        users["pids"] = [*_alive(users), os.getpid()]
    try:
        yield server
    finally:
        with _register(meeting_place) as users:
            users["pids"] = [pid for pid in _alive(users) if pid != os.getpid()]
            if not users["pids"]:
                users.clear()
                stop_postgres(server)


def start_postgres() -> PostgresServer:
    """A server of its own in a temporary folder, on loopback and a unix socket."""
    directory = tempfile.mkdtemp(prefix="wm-pg-")
    user = _server_user()
    if user is not None:
        shutil.chown(directory, user)
    data = f"{directory}/data"
    _as_user(user, ["initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "-N"])
    return launch_postgres(directory, _free_port())


def launch_postgres(directory: str, port: int) -> PostgresServer:
    """Start the server whose folder this is."""
    user = _server_user()
    settings = [item for name, value in SETTINGS.items() for item in ("-c", f"{name}={value}")]
    with Path(f"{directory}/log").open("wb") as log:
        process = subprocess.Popen(
            [
                *(_binary("postgres"), "-D", f"{directory}/data", "-p", str(port), "-k", directory),
                *("-c", "listen_addresses=127.0.0.1", *settings),
            ],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            user=user,
            group=_group_of(user),
            extra_groups=[] if user else None,
            start_new_session=True,
            cwd=directory,
        )
    server = PostgresServer(process.pid, port, directory)
    _await_start(server, process)
    process.returncode = 0  # another process may end it: nothing here waits for this one
    return server


def end_postgres(server: PostgresServer, how: signal.Signals = signal.SIGINT) -> None:
    """End the server by its pid: SIGINT shuts down at once, SIGQUIT crashes."""
    os.kill(server.pid, how)
    deadline = time.monotonic() + START_SECONDS
    while _is_postgres(server.pid) and time.monotonic() < deadline:
        _pause()


def stop_postgres(server: PostgresServer) -> None:
    """End the server for good and remove its folder."""
    if _is_postgres(server.pid):
        end_postgres(server)
    shutil.rmtree(server.directory, ignore_errors=True)


def sqlite_url(path: Path) -> str:
    return f"sqlite:///{path}"


def migrated(url: str) -> str:
    """Bring the database at ``url`` to the newest schema."""
    database = Database.open(url)
    migrate.upgrade(database)
    database.close()
    return url


def empty(url: str) -> None:
    """Delete every row of a migrated database."""
    database = Database.open(url)
    with database.transaction() as connection:
        names = ", ".join(table.name for table in metadata.sorted_tables)
        connection.execute(text(f"TRUNCATE {names}"))
    database.close()


def _binary(name: str) -> str:
    candidates = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=_version, reverse=True)
    found = str(candidates[0]) if candidates else shutil.which(name)
    if found is None:
        raise RuntimeError(f"The tests need PostgreSQL's {name}: apt-get install postgresql")
    return found


def _version(path: Path) -> int:
    return int(path.parent.parent.name.split(".")[0])


def _server_user() -> str | None:
    """PostgreSQL refuses to run as root; everybody else runs it as themselves."""
    if os.getuid() != 0:
        return None
    names = {line.split(":")[0] for line in Path("/etc/passwd").read_text().splitlines()}
    return "postgres" if "postgres" in names else "nobody"


def _group_of(user: str | None) -> int | None:
    if user is None:
        return None
    lines = [line.split(":") for line in Path("/etc/passwd").read_text().splitlines()]
    return next(int(fields[3]) for fields in lines if fields[0] == user)


def _as_user(user: str | None, command: list[str]) -> None:
    done = subprocess.run(
        [_binary(command[0]), *command[1:]],
        check=False,
        capture_output=True,
        text=True,
        user=user,
        group=_group_of(user),
        extra_groups=[] if user else None,
        cwd="/",
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")


def _await_start(server: PostgresServer, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            psycopg.connect(server.url("postgres"), connect_timeout=5).close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                log = Path(f"{server.directory}/log").read_text()
                raise RuntimeError(f"PostgreSQL did not start:\n{log}") from None
            _pause()
        else:
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _pause() -> None:
    """Between two looks at another process, which cannot wake us."""
    time.sleep(0.02)


@contextmanager
def _register(meeting_place: Path) -> Iterator[dict[str, Any]]:
    """Who uses the run's server, under a lock."""
    path = meeting_place / "postgres.json"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    with os.fdopen(descriptor, "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        users: dict[str, Any] = json.loads(file.read() or "{}")
        yield users
        file.seek(0)
        file.truncate()
        json.dump(users, file)
        file.flush()


def _running(users: dict[str, Any]) -> PostgresServer | None:
    server = PostgresServer(**users["server"]) if "server" in users else None
    return server if server is not None and _is_postgres(server.pid) else None


def _alive(users: dict[str, Any]) -> list[int]:
    return [pid for pid in users.get("pids", []) if Path(f"/proc/{pid}").exists()]


def _is_postgres(pid: int) -> bool:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)
    except OSError:
        return False
    return "postgres" in fields[0] and fields[1].split()[0] != "Z"
