"""Who takes the load: the upstream itself, nginx in front of it, and the gateway in front of it."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import machine

_COMMAND = (sys.executable, "-m", "writingmate")
_PATH = "/api/openai/v1/chat/completions"
_OK, _UNAVAILABLE = 200, 503

_NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_buffer_size 1m;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    upstream bench {{ server 127.0.0.1:{upstream}; keepalive 1024; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://bench;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
        }}
    }}
}}
"""

_SETTINGS = """
[providers.bench]
base_url = "http://127.0.0.1:{upstream}/v1"
api_key = "none"
models = ["instant"]
"""


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody who listens. ``pid`` is None where nothing stands in between."""

    name: str
    port: int
    pid: int | None = None


@dataclass(frozen=True, slots=True)
class Gateway:
    """The gateway, a key for it, the slug of the bench's model and the seconds to its first 200."""

    party: Party
    key: str
    model: str
    start_seconds: float
    folder: Path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


@contextmanager
def upstream(folder: Path, *, interval_ms: float, events: int) -> Iterator[Party]:
    """The instant and paced upstream of ``upstream.c``."""
    program = machine.compiled("upstream", folder)
    with machine.running([str(program), str(interval_ms), str(events)]) as process:
        if process.stdout is None:
            raise SystemExit("bench: the upstream has no output")
        yield Party("direct", int(process.stdout.readline()))


@contextmanager
def nginx(folder: Path, upstream_port: int) -> Iterator[Party]:
    """One nginx worker: keep-alive on both sides, nothing buffered, nothing logged."""
    port, log = _free_port(), folder / "nginx.log"
    configuration = folder / "nginx.conf"
    configuration.write_text(_NGINX.format(folder=folder, upstream=upstream_port, port=port))
    command = [machine.found("nginx"), "-p", str(folder), "-e", str(log), "-c", str(configuration)]
    with machine.running(command, log=log) as process:
        machine.wait_until(lambda: _listens(port), process, log)
        yield Party("nginx", port, process.pid)


def _json(*arguments: str, environ: dict[str, str]) -> Any:  # noqa: ANN401 - whatever the command prints
    done = subprocess.run(
        [*_COMMAND, *arguments, "--json"], env=environ, check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


def _environment(folder: Path, upstream_port: int) -> dict[str, str]:
    settings = folder / "settings.toml"
    settings.write_text(_SETTINGS.format(upstream=upstream_port))
    ours = {
        "WRITINGMATE_DATA_DIR": str(folder / "data"),
        "WRITINGMATE_SETTINGS": str(settings),
        "WRITINGMATE_LOCAL": "off",
    }
    return {
        name: os.environ[name] for name in ("PATH", "PYTHONPATH", "HOME", "LANG") if name in os.environ
    } | ours


def _answers(port: int, request: bytes) -> bool:
    _, _, body = request.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in request.split(b"\r\n\r\n")[0].decode().split("\r\n")[1:])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("POST", _PATH, body, headers)
        response = connection.getresponse()
        answer = response.read()
    except OSError:
        return False
    finally:
        connection.close()
    if response.status not in {_OK, _UNAVAILABLE}:
        raise SystemExit(f"bench: the gateway answered {response.status}: {answer!r}")
    return response.status == _OK


@contextmanager
def gateway(folder: Path, upstream_port: int) -> Iterator[Gateway]:
    """``writingmate serve`` on SQLite: real key, hold and durable settlement on every request."""
    environ, port, log = _environment(folder, upstream_port), _free_port(), folder / "gateway.log"
    _json("init", environ=environ)
    key = _json("keys", "create", "--name", "bench", environ=environ)["key"]
    listed = _json("models", "list", environ=environ)
    model = next(row["id"] for row in listed if row["id"].rpartition("/")[2] == "instant")
    command = [*_COMMAND, "serve", "--port", str(port)]
    with machine.running(command, environ=environ, log=log) as process:
        seconds = machine.wait_until(lambda: _answers(port, request(key, model)), process, log)
        yield Gateway(Party("writingmate", port, process.pid), key, model, seconds, folder)


def audit(folder: Path, upstream_port: int) -> str:
    """The last line of ``writingmate audit`` on the gateway's data; a difference ends the bench."""
    done = subprocess.run(
        [*_COMMAND, "audit"],
        env=_environment(folder, upstream_port),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"bench: the audit found a difference:\n{done.stdout}{done.stderr}")
    return (done.stdout.strip().splitlines() or ["clean"])[-1]


def request(key: str, model: str, *, stream: bool = False) -> bytes:
    """One chat request of about 1 kB as it goes over the wire."""
    document: dict[str, object] = {
        "model": model,
        "messages": [
            {"role": "system", "content": "You are a careful assistant. " * 8},
            {"role": "user", "content": "Say in one sentence what a proxy adds to a request. " * 12},
        ],
        "temperature": 0.7,
    }
    if stream:
        document["stream"] = True
    body = json.dumps(document, separators=(",", ":")).encode()
    head = (
        f"POST {_PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nAccept: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def import_seconds() -> float:
    """What ``import writingmate.app`` adds to a bare interpreter, the best of five."""
    best = []
    for statement in ("pass", "import writingmate.app"):
        times = []
        for _ in range(5):
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", statement], check=True)
            times.append(time.perf_counter() - began)
        best.append(min(times))
    return best[1] - best[0]
