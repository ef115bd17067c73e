"""Importing the package touches nothing outside: no socket, no process, no file written."""

from __future__ import annotations

import subprocess
import sys

from tests.architecture.source import modules

# The hook sees what the interpreter itself does, below anything a module could rename.
WATCH = """
import importlib, os, sys

FORBIDDEN = ("socket.__new__", "socket.connect", "socket.bind", "subprocess.Popen", "os.fork",
             "os.exec", "os.mkdir", "os.remove", "sqlite3.connect")
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT

def watch(event, arguments):
    if event in FORBIDDEN or event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES:
        raise SystemExit(f"{loading} caused {event} {arguments}")

sys.addaudithook(watch)
for loading in sys.stdin.read().split():
    importlib.import_module(loading)
"""


def test_importing_opens_nothing() -> None:
    wanted = [each.name for each in modules() if not each.is_script and each.room != "__main__"]
    done = subprocess.run(
        [sys.executable, "-B", "-c", WATCH],
        input="\n".join(wanted),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
