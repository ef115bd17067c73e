"""``Idempotency-Key``: what is asked for again with the same key is answered again, and done once.

The claim of a key is taken in the transaction of the hold and the answer stored in that of the
settlement (`metering.commands.Claim`), so that no moment of a crash lies between them.
"""

from __future__ import annotations

import asyncio
import time
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from typing import Final, TypeAlias

import msgspec

from writingmate.errors import Conflict, InvalidRequest, KeyClaimed, Unavailable, WritingmateError
from writingmate.metering.answers import Answers, Earlier
from writingmate.metering.commands import Claim, ClaimKey
from writingmate.operations import counts
from writingmate.operations.client import Client, Request
from writingmate.operations.kept import Kept, Seal, opened
from writingmate.operations.recording import Recording
from writingmate.telemetry import log
from writingmate.types import Principal

Operation: TypeAlias = Callable[[Principal, Request, Client], Awaitable[None]]

HEADER: Final = b"idempotency-key"
NAME: Final = "Idempotency-Key"
LONGEST: Final = 255
ATTEMPTS: Final = 3
"""How often a key is looked up that another request keeps taking first."""
LARGE: Final = 256 << 10
"""Bytes of a body that is hashed in a thread."""

_INVALID: Final = (
    f"Invalid {NAME}: it must have 1 to {LONGEST} printable ASCII characters. Send a new random one, such "
    "as a UUID, with each request, and the same one only to repeat it."
)
_REUSED: Final = (
    f"This {NAME} was used for another request: its endpoint or its body differs. Send each new request "
    "with a new key, and a repeated one exactly as it was."
)
_IN_USE: Final = (
    f"The first request with this {NAME} is still running. Try again in a moment: its answer will be there."
)
_SHUT: Final = (
    f"The answer to the first request with this {NAME} cannot be opened at the moment. Try again later, or "
    "send the request with a new key, which runs it and charges it anew."
)


@dataclass(frozen=True, slots=True)
class Idempotency:
    """Answers repeated requests; keys are a user's own, in a workspace.

    ``seconds`` is how long an answer is kept, ``clock`` gives UNIX seconds.
    """

    answers: Answers
    seal: Seal
    seconds: float
    clock: Callable[[], float] = time.time

    def once(self, endpoint: str, operation: Operation) -> Operation:
        """The operation behind ``endpoint``, done once for each key; without a key, just the operation.

        Of the operation it takes that it holds with `Request.claim`, settles with what
        `Request.keeping` gives, and sends through the client it is handed.
        """

        def run(principal: Principal, request: Request, client: Client) -> Awaitable[None]:
            if HEADER not in request.headers:
                return operation(principal, request, client)
            return self._run(endpoint, operation, principal, request, client)

        return run

    async def _run(
        self, endpoint: str, operation: Operation, principal: Principal, request: Request, client: Client
    ) -> None:
        key = (principal.workspace_id, principal.user_id, named(request.headers[HEADER]))
        request_hash = await hashed(endpoint, request.body)
        _note(request, principal)
        for _ in range(ATTEMPTS):
            earlier = await self.answers.find(key, request_hash, principal.revision)
            if earlier is not None:
                await self._repeat(earlier, key, request, client)
                return
            recording = Recording(client, self._claim(key, request_hash, request.id), self.seal)
            try:
                await operation(principal, replace(request, keeping=recording), recording)
            except KeyClaimed:
                continue  # by one that came between: look what has become of it
            return
        raise _in_use()

    def _claim(self, key: ClaimKey, request_hash: bytes, request_id: str) -> Claim:
        now = self.clock()
        return Claim(*key, request_hash, request_id, now, now + self.seconds)

    async def _repeat(self, earlier: Earlier, key: ClaimKey, request: Request, client: Client) -> None:
        """Send what was sent then; nothing is held and nothing charged."""
        if not earlier.same:
            raise Conflict(_REUSED, code="idempotency_key_reused", headers={"x-should-retry": "false"})
        if earlier.answer is None:
            raise _in_use()
        kept = await self._open(earlier.answer, key, request)
        request.facts.update(outcome="replayed", messages=0)
        headers = {**kept.headers, "idempotent-replayed": "true"}
        if kept.streamed:
            await client.while_connected(_stream(kept, headers, earlier, client))
            return
        if earlier.messages is not None:
            headers["x-writingmate-counted-messages"] = str(earlier.messages)
        await client.reply(kept.status, headers, kept.last)

    async def _open(self, stored: bytes, key: ClaimKey, request: Request) -> Kept:
        try:
            return await opened(stored, self.seal, key)
        except (WritingmateError, zlib.error, msgspec.DecodeError) as error:
            log.failure("answer_not_opened", error, request_id=request.id)
            raise Unavailable(_SHUT) from error


def named(header: bytes) -> str:
    """The key that a header names. Raises InvalidRequest if it cannot be one."""
    key = header.strip(b" \t").decode("latin-1")
    if not 1 <= len(key) <= LONGEST or not key.isascii() or not key.isprintable():
        raise InvalidRequest(_INVALID, param=NAME, code="invalid_idempotency_key")
    return key


async def hashed(endpoint: str, body: bytes) -> bytes:
    """What tells requests apart: their endpoint and the bytes of their body."""
    if len(body) < LARGE:
        return _hash(endpoint, body)
    return await asyncio.to_thread(partial(_hash, endpoint, body))


def _hash(endpoint: str, body: bytes) -> bytes:
    digest = sha256(endpoint.encode() + b"\0")
    digest.update(body)
    return digest.digest()


async def _stream(kept: Kept, headers: dict[str, str], earlier: Earlier, client: Client) -> None:
    """The same events; the count is that of the first request, under whose id it is in the ledger."""
    await client.start(headers)
    for batch in kept.batches():
        await client.send(batch)
    count = b"" if earlier.messages is None else counts.comment(earlier.request_id, earlier.messages)
    await client.finish(count + kept.last)


def _in_use() -> Conflict:
    return Conflict(_IN_USE, code="idempotency_key_in_use", headers={"retry-after": "1"})


def _note(request: Request, principal: Principal) -> None:
    request.facts.update(workspace=principal.workspace_id, user=principal.user_id, key=principal.key_id)
