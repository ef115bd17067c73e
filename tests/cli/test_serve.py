from __future__ import annotations

import asyncio
import http.client
import json
import shlex
import signal
import socket
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.cli.commands import Commands
from tests.fakes.openai_upstream import FakeOpenAI
from writingmate.cli import serve, setup
from writingmate.local import rows
from writingmate.local.manifest import manifest
from writingmate.local.weights import Weights
from writingmate.settings import Settings

SECONDS = 60
LAST_LINE = "Ctrl-C stops it.\n"


@dataclass
class Server:
    """A server process and what it said before it began to serve."""

    process: subprocess.Popen[str]
    banner: str

    def line(self, start: str) -> str:
        """The rest of the banner's line that begins like this."""
        return next(line.removeprefix(start) for line in self.banner.splitlines() if line.startswith(start))

    @property
    def api(self) -> str:
        return self.line("writingmate ").rpartition(" ")[2]


@contextmanager
def serving(commands: Commands, *options: str) -> Iterator[Server]:
    """``writingmate serve`` on a free port; SIGTERM at the end, to which it must answer with status 0."""
    process = commands.started("serve", "--port", "0", *options)
    watchdog = threading.Timer(SECONDS, process.kill)
    watchdog.start()
    try:
        server = Server(process, "".join(iter(lambda: _line(process), LAST_LINE)))
        request("GET", server.line("Documentation: "))  # answered once it has started
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=SECONDS)
        watchdog.cancel()
    assert process.returncode == 0, errors
    assert "wm_v2." not in errors


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.stderr.read() if process.stderr else "no banner"
    return line


def request(
    method: str, url: str, headers: dict[str, str] | None = None, body: str | None = None
) -> tuple[http.client.HTTPResponse, bytes]:
    where = urlsplit(url)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=SECONDS)
    connection.request(method, where.path, body, headers or {})
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response, content


def as_curl(line: str) -> tuple[http.client.HTTPResponse, Any]:
    """Do what a curl line says, as a shell and curl read it."""
    program, *words = shlex.split(line)
    assert program == "curl"
    url = next(word for word in words if word.startswith("http"))
    headers = dict(words[at + 1].split(": ", 1) for at, word in enumerate(words) if word == "-H")
    response, content = request("POST", url, headers, words[words.index("-d") + 1])
    return response, json.loads(content)


@pytest.fixture
async def provided(bare: Commands) -> AsyncIterator[Commands]:
    """The command line with a provider that answers."""
    async with FakeOpenAI() as fake:
        bare.environ |= {"OPENAI_API_KEY": "sk-fake-0123456789", "OPENAI_BASE_URL": fake.base_url}
        yield bare


async def test_the_first_run_prints_a_curl_line_that_works(provided: Commands) -> None:
    def journey() -> None:
        with serving(provided) as server:
            response, document = as_curl("curl " + server.line("curl "))
            assert (response.status, document["object"]) == (200, "chat.completion")
            assert response.getheader("x-writingmate-counted-messages") == "1"
            key = server.line("Developer key (shown only now): ")
            assert key in server.line("curl ")
            docs, _ = request("GET", server.line("Documentation: "))
            assert docs.status == 200
        assert len(provided.json("keys", "list")) == 1
        with serving(provided) as server:
            assert "wm_v2." not in server.banner
            headers = {"authorization": f"Bearer {key}"}
            response, _ = request("GET", f"{server.api}/models", headers)
            assert response.status == 200

    await asyncio.to_thread(journey)


async def test_commands_work_while_the_server_runs_and_count_at_once(provided: Commands) -> None:
    def journey() -> None:
        with serving(provided, "--workers", "2") as server:
            made = provided.json("keys", "create")
            line = "curl " + server.line("curl ")
            line = line.replace(server.line("Developer key (shown only now): "), made["key"])
            for _ in range(4):
                assert as_curl(line)[0].status == 200
            _, numbers = request("GET", server.api.replace("/api/openai/v1", "/metrics"))
            assert b"writingmate_messages_total 4.0" in numbers
            provided.run("keys", "revoke", made["key_id"])
            for _ in range(4):
                response, document = as_curl(line)
                assert (response.status, document["error"]["code"]) == (401, "invalid_api_key")
        assert provided.json("usage")[0]["messages"] == 4
        assert provided.json("audit")["clean"]

    await asyncio.to_thread(journey)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_signal_that_comes_before_it_serves_ends_it(bare: Commands, workers: str) -> None:
    process = bare.started("serve", "--port", "0", "--workers", workers)
    watchdog = threading.Timer(SECONDS, process.kill)
    watchdog.start()
    while _line(process) != LAST_LINE:
        pass
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=SECONDS)
    watchdog.cancel()
    assert process.returncode in {0, -signal.SIGTERM}


def test_workers_end_with_the_process_that_supervises_them(provided: Commands) -> None:
    process = provided.started("serve", "--port", "0", "--workers", "2")
    watchdog = threading.Timer(SECONDS, process.kill)
    watchdog.start()
    banner = "".join(iter(lambda: _line(process), LAST_LINE))
    request("GET", Server(process, banner).line("Documentation: "))
    process.kill()
    process.communicate(timeout=SECONDS)  # its output ends once no worker holds it any more
    watchdog.cancel()
    assert process.returncode == -signal.SIGKILL


def test_where_nothing_can_serve_it_says_how_to_add_a_provider(bare: Commands) -> None:
    with serving(bare) as server:
        assert "curl" not in server.banner
        assert "OPENAI_API_KEY" in server.banner
        assert "Developer key (shown only now): wm_v2." in server.banner


def test_a_taken_port_says_what_to_do_and_sets_nothing_up(bare: Commands) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = bare.process("serve", "--port", str(port))
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert str(port) in line
    assert "--port" in line
    assert not bare.data_dir.exists()


def test_a_database_out_of_reach_ends_it_before_it_says_anything(bare: Commands) -> None:
    done = bare.process(
        "serve", "--port", "0", WRITINGMATE_DATABASE_URL="postgresql://postgres@127.0.0.1:1/none"
    )
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert "127.0.0.1:1" in line


def test_options_of_the_command_line_reach_every_process(bare: Commands, tmp_path: Path) -> None:
    folder = tmp_path / "named"
    with serving(bare, "--workers", "2", "--data-dir", str(folder)) as server:
        key = server.line("Developer key (shown only now): ")
        for _ in range(4):
            response, _ = request("GET", f"{server.api}/models", {"authorization": f"Bearer {key}"})
            assert response.status == 200
    assert (folder / "writingmate.db").exists()
    assert not bare.data_dir.exists()


def test_an_embedded_model_that_has_to_come_first_is_waited_for(
    bare: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "available", lambda: True)
    settings = Settings(data_dir=bare.data_dir)
    prepared = setup.prepare(settings)
    default = manifest()[0]
    waiting = serve._banner(settings, prepared)
    assert f"({default.name}, {default.size // 1_000_000} MB) is downloaded first" in waiting
    assert f'"model":"{default.slug}"' in waiting
    assert "curl -fsS --retry 200 " in waiting
    monkeypatch.setattr(Weights, "find", lambda *_: bare.data_dir / "model.gguf")
    ready = serve._banner(settings, prepared)
    assert "downloaded" not in ready
    assert "curl -i " in ready
    later = serve._banner(settings, setup.prepare(settings))
    assert "curl" not in later
