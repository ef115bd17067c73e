"""What an operator's machines ask: is the process alive, may it get requests, what did it count."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Final, TypeAlias

from writingmate.api.connection import Connection
from writingmate.api.responder import Responder
from writingmate.errors import Unavailable
from writingmate.storage.engine import Database
from writingmate.storage.schema import HEAD, current
from writingmate.telemetry import metrics

ENDING: Final = "writingmate.ending"
"""The key of an `Ending` in the state that the server gives to every request."""
CHECK_SECONDS: Final = 5.0
FRESH_SECONDS: Final = 1.0

Check: TypeAlias = Callable[[], Awaitable[str | None]]
"""Says what is missing, None if nothing is; raises Unavailable if it cannot tell."""


class Ending:
    """Whether the process has been told to end: a plain flag, for a signal may come at any moment."""

    begun = False


class Probes:
    """``/healthz``, ``/readyz`` and ``/metrics``; they need no key and tell no secret.

    Args:
        checks: what must hold before requests may come; asked at most once a second.
    """

    def __init__(self, checks: Sequence[Check]) -> None:
        self._checks = checks
        self._asked: asyncio.Task[str | None] | None = None
        self._asked_at = 0.0

    async def health(self, _: Connection, client: Responder) -> None:
        """200 as long as the process can answer at all."""
        await client.reply(200, {"cache-control": "no-store"}, b'{"status":"alive"}')

    async def readiness(self, connection: Connection, client: Responder) -> None:
        """200 if requests may come, else 503 with the reason."""
        ending = connection.channel.state.get(ENDING)
        if ending is not None and ending.begun:
            raise Unavailable(
                "This process is finishing its last requests. Use another one.", code="draining"
            )
        missing = await self._missing()
        if missing is not None:
            raise Unavailable(missing, code="not_ready")
        await client.reply(200, {"cache-control": "no-store"}, b'{"status":"ready"}')

    async def metrics(self, _: Connection, client: Responder) -> None:
        """Everything this process has counted, for Prometheus."""
        headers = {"content-type": metrics.CONTENT_TYPE, "cache-control": "no-store"}
        await client.reply(200, headers, metrics.render())

    async def _missing(self) -> str | None:
        """What is missing; those who ask at the same time share one answer, also while it hangs."""
        now = monotonic()
        if self._asked is None or (self._asked.done() and now - self._asked_at > FRESH_SECONDS):
            self._asked = asyncio.create_task(self._ask())
            self._asked_at = now
        done, _ = await asyncio.wait({self._asked}, timeout=CHECK_SECONDS)
        return self._asked.result() if done else "The database does not answer. See the server's log."

    async def _ask(self) -> str | None:
        try:
            for check in self._checks:
                missing = await check()
                if missing is not None:
                    return missing
        except Unavailable as error:
            return error.message
        return None


def schema_check(database: Database) -> Check:
    """The database can be reached, and has the schema that this version works with."""

    async def check() -> str | None:
        found = await asyncio.to_thread(current, database)
        if found == HEAD:
            return None
        return "The database's schema is not this version's. Run `writingmate db upgrade`."

    return check
