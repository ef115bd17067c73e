"""Running the server: the socket, the processes, the end."""

from __future__ import annotations

import errno
import math
import signal
import socket
from typing import Final

from uvicorn.server import Server
from uvicorn.supervisors import Multiprocess

from writingmate.api.asgi import Application
from writingmate.api.protocol import Protocol
from writingmate.api.serving import SIGNALS, ServerConfig
from writingmate.errors import ConfigurationError
from writingmate.settings import Settings

APPLICATION: Final = "writingmate.app:create"
BACKLOG: Final = 4096
FAILED: Final = 3
"""The exit code of a server whose application did not start."""


def listen(settings: Settings) -> socket.socket:
    """A socket that listens where the settings say; port 0 takes a free one (see ``getsockname``).

    Clients may connect from now on and wait for the server to start.

    Raises:
        ConfigurationError: the port is taken or not allowed, or the host is not this machine's.
    """
    host, port = settings.host, settings.port
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise ConfigurationError(
            f"Cannot listen on {host!r}: no such host. Choose another with --host or WRITINGMATE_HOST."
        ) from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigurationError(_advice(error, host, port)) from error
    listener.set_inheritable(True)
    return listener


def run(settings: Settings, listener: socket.socket, application: str | Application = APPLICATION) -> int:
    """Serve until SIGTERM or SIGINT, then let what is under way finish; the exit code.

    Args:
        settings: workers, limits and how long draining may take.
        listener: from `listen`; closed at the end.
        application: an ASGI application, or where a factory of one is (needed for several workers,
            which start as processes of their own and read the settings from their environment).
    """
    config = configure(settings, application)
    server = Server(config)

    def end(_number: int, _frame: object) -> None:
        """A signal before uvicorn listens for it; when it is done it raises the same once more."""
        server.should_exit = True

    restore = [(number, signal.signal(number, end)) for number in SIGNALS]
    try:
        if config.workers > 1:
            return _run_workers(server, config, listener)
        server.run(sockets=[listener])
    except SystemExit as stop:  # how uvicorn says that the application did not start
        return FAILED if stop.code else 0
    else:
        return 0
    finally:
        for number, handler in restore:
            signal.signal(number, handler)
        listener.close()


def _run_workers(server: Server, config: ServerConfig, listener: socket.socket) -> int:
    supervisor = Multiprocess(config, sockets=[listener])  # listens for signals from here on
    if server.should_exit:
        return 0
    supervisor.run()
    failed = any(process.exitcode == FAILED for process in supervisor.processes)
    return FAILED if failed else 0


def configure(settings: Settings, application: str | Application) -> ServerConfig:
    """The configuration of uvicorn for these settings."""
    config = ServerConfig(
        application,
        factory=isinstance(application, str),
        workers=settings.workers,
        http=Protocol,
        ws="none",
        loop="uvloop",
        interface="asgi3",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=math.ceil(settings.drain_seconds),
    )
    config.header_seconds = settings.header_seconds
    return config


def _advice(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} on {host} is taken by another program. Stop that, or choose another port with "
            "--port or WRITINGMATE_PORT (0 takes a free one)."
        )
    if error.errno == errno.EACCES:
        return (
            f"Port {port} is reserved for the administrator. Choose one above 1023 with --port or "
            "WRITINGMATE_PORT."
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine. Choose another with --host or WRITINGMATE_HOST."
    return f"Cannot listen on {host}, port {port}: {error.strerror}."
