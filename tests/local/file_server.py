"""A repository on loopback that serves one file, with ranges, and can break off."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Repository:
    """What is served and what was asked for.

    ``breaks_at``: the connection closes when so many bytes of the file were sent, once. ``gate``:
    if given, the second half is sent when it is set.
    """

    content: bytes
    status: int = 200
    breaks_at: int | None = None
    gate: threading.Event | None = None
    ranges: list[str | None] = field(default_factory=list)
    half_sent: threading.Event = field(default_factory=threading.Event)
    address: str = ""

    def serve(self, request: BaseHTTPRequestHandler) -> None:
        asked = request.headers.get("range")
        self.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        body = self.content[start:]
        request.send_response(self.status if self.status != 200 or not asked else 206)
        request.send_header("content-length", str(len(body)))
        request.end_headers()
        if self.breaks_at is not None:
            body, self.breaks_at = body[: self.breaks_at - start], None
        half = len(body) // 2
        request.wfile.write(body[:half])
        request.wfile.flush()
        self.half_sent.set()
        if self.gate is not None:
            self.gate.wait(30)
        request.wfile.write(body[half:])
        request.close_connection = True


@contextmanager
def serving(repository: Repository) -> Iterator[Repository]:
    """Serve it; ``address`` says where."""

    class Asked(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            try:
                repository.serve(self)
            except ConnectionError:
                self.close_connection = True

        def log_message(self, *_: object) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Asked)
    repository.address = f"http://127.0.0.1:{server.server_address[1]}/model.gguf"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield repository
    finally:
        if repository.gate is not None:
            repository.gate.set()
        server.shutdown()
        thread.join()
        server.server_close()
