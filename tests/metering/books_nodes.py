"""The processes of the stateful test: each a ledger with a database of its own, which can die mid-commit."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, Final

from sqlalchemy import delete

from writingmate.metering.commands import Beat
from writingmate.metering.ledger import Clock, Ledger
from writingmate.storage.engine import Database
from writingmate.storage.tables import nodes

LEASE_SECONDS: Final = 1e9  # it ends when the test says so, never by the clock


class Node:
    """One process. `die` ends it at a step of its writing; whoever comes after is another process."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._dies_at: str | None = None
        self.ledger = Ledger(database, now=clock, lease_seconds=LEASE_SECONDS, step=self._step)

    @property
    def node_id(self) -> str:
        """Its name in the books."""
        return self.ledger.node_id

    async def die(self, step: str, work: Sequence[Coroutine[Any, Any, object]]) -> None:
        """Begin all of ``work``, and die before or after the commit of the first batch of it."""
        writer, heart = self.ledger._writer, self.ledger._heart
        assert writer is not None
        assert heart is not None
        self._dies_at = step
        tasks = [asyncio.ensure_future(each) for each in work]
        if not tasks:
            tasks.append(asyncio.ensure_future(writer.submit(Beat())))
        await asyncio.get_running_loop().run_in_executor(None, writer._thread.join)
        for task in (*tasks, heart):
            task.cancel()
        await asyncio.wait((*tasks, heart))
        writer._discard()  # what the kernel does with a dead process's connection

    def end_lease(self) -> None:
        """It has been silent for longer than its lease."""
        self.ledger._beat_at = float("-inf")
        with self._database.transaction() as connection:
            connection.execute(delete(nodes).where(nodes.c.node_id == self.node_id))

    def _step(self, label: str) -> None:
        if self._dies_at is not None and label.endswith(self._dies_at):
            self._dies_at = None
            raise SystemExit  # ends the writer's thread, and nobody hears of it
