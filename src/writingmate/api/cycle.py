"""One HTTP request and its answer on a socket, below ASGI."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from writingmate.api.asgi import Application, Message
from writingmate.telemetry import log


class Cycle(RequestResponseCycle):
    """One request and its answer. An answer that is not completed ends the connection."""

    async def run_asgi(self, app: Any) -> None:  # noqa: ANN401  uvicorn's own type of an application
        """Run the application; it answers its own errors, so that nothing is left to answer here."""
        try:
            await cast("Application", app)(
                cast("Any", self.scope), cast("Any", self.receive), cast("Any", self.send)
            )
        except asyncio.CancelledError:
            pass  # the server is ending and has waited long enough
        except Exception as error:  # noqa: BLE001  the edge of a task: it is logged, and the client cut off
            log.failure("request_crashed", error)
        finally:
            self.on_response = _nothing
            if not self.response_complete and not self.disconnected:
                self.transport.close()


class OldCycle(Cycle):
    """A request in HTTP/1.0, which knows no chunks: an answer of unknown length ends with the connection."""

    _until_close = False

    async def send(self, message: Any) -> None:  # noqa: ANN401  uvicorn's own type of a message
        """Send; see uvicorn."""
        if message["type"] == "http.response.start":
            self._until_close = not any(name == b"content-length" for name, _ in message["headers"])
            if self._until_close:
                self.chunked_encoding = False
        elif self._until_close:
            self.expected_content_length = len(cast("Message", message).get("body", b""))
        await super().send(message)


def _nothing() -> None:
    """Stands in for what a finished request no longer calls."""
