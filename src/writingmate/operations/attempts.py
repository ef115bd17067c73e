"""The attempts at background responses that this process runs, from their holds to their ends.

It also looks for what nobody runs: responses whose process died, or gave them back when it ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from writingmate.dialects.responses_background import Numbering, Resource
from writingmate.errors import ApiError, ServerError, StalePrincipal, Unavailable, WritingmateError
from writingmate.memory.queue_store import QueueStore, ResponseKey, Waiting
from writingmate.metering.commands import Task
from writingmate.operations.attempt import Attempt
from writingmate.operations.client import Client, Request
from writingmate.operations.follow import Following
from writingmate.operations.journal import Journal
from writingmate.operations.response_seal import Sealing
from writingmate.telemetry import log
from writingmate.types import DialectName, Principal

Generation: TypeAlias = Callable[[DialectName, Principal, Request, Client], Awaitable[None]]

MOST: Final = 3
"""How often a response is run whose process dies."""
WAITING: Final = 64
"""Responses that a process takes for each that it runs at once."""
READINGS: Final = 3
"""How often the caller is read again when identities keep changing."""
BACK_SECONDS: Final = 0.1
"""Between two rounds of telling those that still run to go back to the queue."""


@dataclass(frozen=True, slots=True)
class Node:
    """This process.

    Args:
        node_id: its name, as its holds have it.
        new_id: makes the id of a request.
        of_key: who acts in a workspace by the key of an id, as things stand now.
        at_once: how many responses run at a time.
    """

    node_id: str
    new_id: Callable[[], str]
    of_key: Callable[[str, str], Awaitable[Principal]]
    at_once: int


class Attempts:
    """One a process; ``generate`` is one text generation."""

    def __init__(
        self, generate: Generation, store: QueueStore, sealing: Sealing, following: Following, node: Node
    ) -> None:
        self.node = node
        self._generate = generate
        self._store = store
        self._sealing = sealing
        self._following = following
        self._slots = asyncio.Semaphore(node.at_once)
        self._attempts: dict[ResponseKey, Attempt] = {}
        self._mine: set[tuple[ResponseKey, str]] = set()  # attempts whose rows are looked after here
        self._tasks: set[asyncio.Task[None]] = set()
        self._draining = False

    @property
    def full(self) -> bool:
        """Whether no more are taken."""
        return self._draining or len(self._attempts) >= self.node.at_once * WAITING

    def made(self, task: Task, resource: Resource, numbering: Numbering | None) -> Attempt:
        """An attempt, not begun; with ``numbering`` its events are kept."""
        key = ResponseKey(task.workspace_id, task.response_id)
        journal = None
        if numbering is not None:
            journal = Journal(
                self._store,
                self._sealing,
                key,
                task.request_id,
                numbering,
                lambda: self._following.wake(key),
                lambda: attempt.stop(),  # noqa: PLW0108  # it is not made yet
            )
        attempt = Attempt(task, resource, self._store, self._sealing, self._slots, journal)
        return attempt

    def begun(
        self, attempt: Attempt, principal: Principal, request: Request, resource: Resource
    ) -> asyncio.Task[None]:
        """Run an attempt in a task of its own, which raises what refuses it before it is accepted."""
        return self._start(self._hold(attempt, principal, request, resource))

    def stop(self, key: ResponseKey) -> None:
        """End the attempt at a response that was cancelled, if it is run here."""
        if attempt := self._attempts.get(key):
            attempt.stop()

    async def look(self) -> None:
        """Find what was taken over or cancelled elsewhere, what is nobody's here, and what nobody runs.

        A job of every process, each second or so.
        """
        accepted = [attempt for attempt in self._attempts.values() if attempt.accepted.is_set()]
        running = await self._store.running(self.node.node_id)
        for attempt in accepted:
            if (attempt.key, attempt.request_id) not in running:
                attempt.stop()
        for key, request_id in running - self._mine:  # what could not be written of them is given up
            await self._store.let_go(key, request_id)
        self._mine = {each for each in self._mine if each in running or each[0] in self._attempts}
        while not self._draining and len(self._tasks) < self.node.at_once:
            waiting = await self._store.claim(self.node.node_id, self.node.new_id())
            if waiting is None:
                return
            self._mine.add((waiting.key, waiting.request_id))
            self._start(self._again(waiting))

    async def drained(self, seconds: float) -> None:
        """Take nothing more and give responses the time to end; what does not goes back to the queue."""
        self._draining = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        while self._tasks:
            for attempt in self._attempts.values():
                attempt.stop(back=True)
            await asyncio.wait(self._tasks, timeout=BACK_SECONDS)

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)
        return task

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # whoever waited for it has it; what is for the log has been logged

    async def _hold(
        self, attempt: Attempt, principal: Principal, request: Request, resource: Resource
    ) -> None:
        """An attempt from its hold to its end. Raises what refuses it, while it is not accepted."""
        identity = resource.response_id.removeprefix("resp_")
        asked = replace(request, keeping=attempt, identity=identity, facts=attempt.facts)
        mine = (attempt.key, attempt.request_id)
        self._mine.add(mine)
        self._attempts[attempt.key] = attempt
        try:
            error = await self._generated(attempt, principal, asked)
        finally:
            if self._attempts.get(attempt.key) is attempt:  # it may have been taken over here
                del self._attempts[attempt.key]
        outcome = "lost"
        with suppress(Unavailable):  # then `look` lets it go
            outcome = await self._end(attempt, resource, error)
        log.event("response_run", request_id=attempt.request_id, outcome=outcome, **attempt.facts)
        if attempt.ending is None:
            self._mine.discard(mine)
        self._following.wake(attempt.key)

    async def _generated(self, attempt: Attempt, principal: Principal, asked: Request) -> ApiError | None:
        """Bring it to its end; what it failed with. Raises what refuses it, while it is not accepted."""
        try:
            await self._generate("responses", principal, asked, attempt)
        except asyncio.CancelledError:
            if not attempt.back:
                raise
        except ApiError as refused:
            if attempt.accepted.is_set():
                return refused
            if attempt.claim.row is not None and isinstance(refused, Unavailable):
                await self._undo(attempt)
            raise
        except StalePrincipal:
            raise
        except Exception as crash:  # the edge of a task: it is logged, and the response fails
            log.failure("request_crashed", crash, request_id=attempt.request_id)
            if not attempt.accepted.is_set():
                raise our_fault(attempt.request_id) from crash
            return our_fault(attempt.request_id)
        return None

    async def _undo(self, attempt: Attempt) -> None:
        """The hold may have been written, though nobody can say so: what went with it goes."""
        with suppress(Unavailable):
            await self._store.forget(attempt.key, attempt.request_id)

    async def _end(self, attempt: Attempt, resource: Resource, error: ApiError | None) -> str:
        """What the settlement does not: failures, and giving back. Says how the attempt ended."""
        if attempt.ending is not None:
            return attempt.ending.status
        if attempt.back:
            await self._give_back(attempt, resource)
            return "queued"
        if attempt.stopped:
            return "cancelled"
        if attempt.failed is None:
            await self._fail(attempt, resource, error or our_fault(attempt.request_id))
        else:
            body = resource.ended(attempt.failed)[1]
            sealed = await self._sealing.closed(attempt.key, "response", body)
            await self._store.end(attempt.key, attempt.request_id, "failed", sealed)
        return "failed"

    async def _give_back(self, attempt: Attempt, resource: Resource) -> None:
        queued = await self._sealing.closed(attempt.key, "response", resource.state("queued"))
        await self._store.give_back(attempt.key, attempt.request_id, queued)

    async def _fail(self, attempt: Attempt, resource: Resource, error: ApiError) -> None:
        if attempt.journal is not None:
            attempt.journal.add(attempt.journal.numbering.failure(error))
            await attempt.journal.flushed()
        sealed = await self._sealing.closed(attempt.key, "response", resource.failed(error))
        await self._store.end(attempt.key, attempt.request_id, "failed", sealed)
        self._following.wake(attempt.key)

    async def _again(self, waiting: Waiting) -> None:
        """Run what was claimed."""
        key = waiting.key
        try:
            resource = Resource(await self._sealing.opened(key, "response", waiting.response))
            body = await self._sealing.opened(key, "request", waiting.request)
            last = await self._store.last(key)
            number = None
            if last is not None:
                number = last.first + len(await self._sealing.frames(key, last))
        except WritingmateError as error:
            log.failure("response_not_opened", error, request_id=waiting.request_id)
            with suppress(Unavailable):
                await self._store.let_go(key, waiting.request_id)
            return
        numbering = None if number is None else Numbering(resource, number)
        attempt = self.made(Task(*key, waiting.request_id), resource, numbering)
        if waiting.attempts > MOST:
            await self._fail(attempt, resource, _given_up())
            return
        if attempt.journal is not None:
            attempt.journal.add(attempt.journal.numbering.opening())
        await self._retry(attempt, waiting.key_id, Request(waiting.request_id, body, {}), resource)

    async def _retry(self, attempt: Attempt, key_id: str, request: Request, resource: Resource) -> None:
        """With the caller as they are now; what refuses them by now ends the response."""
        for _ in range(READINGS):
            try:
                principal = await self.node.of_key(key_id, attempt.key.workspace_id)
                await self._hold(attempt, principal, request, resource)
            except StalePrincipal:
                continue
            except Unavailable:
                break
            except ApiError as refused:
                await self._fail(attempt, resource, refused)
            return
        with suppress(Unavailable):  # then `look` lets it go
            await self._give_back(attempt, resource)


def our_fault(request_id: str) -> ServerError:
    """What a response fails with that we could not bring to its end."""
    return ServerError(
        "The server had an error while running this response. Create it again; if it stays, give the "
        f"operator the request id {request_id}."
    )


def _given_up() -> ServerError:
    return ServerError(f"The server ended {MOST} times while it ran this response, which is not run again.")
