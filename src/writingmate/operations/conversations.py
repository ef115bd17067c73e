"""``previous_response_id``, ``item_reference`` and ``store``: what a request goes on, and what is kept of it.

A conversation is read before its next turn begins and becomes that turn's input, so that any provider can
answer it on any node. A turn is kept in the transaction that settles it, and with it all before it are
kept longer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from writingmate.dialects import responses_history as history
from writingmate.dialects.grammar import given, on
from writingmate.dialects.responses_echo import stored
from writingmate.dialects.responses_history import Answered, Turn
from writingmate.errors import InvalidRequest, NotFound, UnsupportedParameter, WritingmateError
from writingmate.memory.conversation_store import LONGEST_NAME, MOST_TURNS, ConversationStore, Kept
from writingmate.memory.queue_store import ResponseKey, is_name
from writingmate.metering.commands import Keep, Renewal, TurnRow
from writingmate.operations.response_seal import Sealing
from writingmate.telemetry import log
from writingmate.types import Principal
from writingmate.wire import document
from writingmate.wire.document import Document

DAY: Final = 86_400.0
"""Seconds: what is kept longer is kept so much longer, so that a turn changes few of those before it."""
_OVER: Final = frozenset(("completed", "incomplete"))
_FALSE: Final = msgspec.Raw(b"false")


@dataclass(frozen=True, slots=True)
class Said:
    """What one request says: its own ``input``, behind ``before`` items of the turn ``previous``.

    ``renew``: what was before would be kept for a shorter time than this. ``kept``: all this is to be kept.
    """

    conversations: Conversations
    input: bytes = field(repr=False)
    previous: str | None = None
    before: int = 0
    renew: bool = False
    kept: bool = True
    background: bool = False

    async def keep(self, principal: Principal, request_id: str, answered: bytes) -> Keep | None:
        """What is kept of the response, to be written with its settlement."""
        return await self.conversations.keep(self, principal, request_id, answered)


class Conversations:
    """Reads conversations and keeps their turns.

    Args:
        store: where they are.
        sealing: for what is stored.
        days: how long a turn is kept at least; 0 keeps none.
        most_bytes: of all that is read for one request.
        now: UNIX seconds.
    """

    def __init__(
        self,
        store: ConversationStore,
        sealing: Sealing,
        days: int,
        most_bytes: int,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._sealing = sealing
        self._seconds = days * DAY
        self._most = most_bytes
        self._now = now

    @property
    def seconds(self) -> float:
        """How long a turn is kept that begins now."""
        return self._seconds + DAY

    async def whole(self, workspace_id: str, asked: Document) -> tuple[Document, Said]:
        """The request with the whole conversation in its ``input``, and what it says itself.

        Raises ApiError: InvalidRequest where the previous response cannot be gone on from, NotFound for an
        item that is not there, UnsupportedParameter where nothing is kept.
        """
        if not self._seconds:
            asked = _forgotten(asked)
        refers = given(asked, "input") and history.may_refer(asked["input"])
        kept, background = stored(asked), on(asked, "background")
        if not refers and not given(asked, "previous_response_id"):
            own_input = history.own(asked) if kept else b""
            return asked, Said(self, own_input, kept=kept, background=background)
        previous = None
        chain: Sequence[Kept] = ()
        if given(asked, "previous_response_id"):
            previous = document.value(asked["previous_response_id"])
            chain = await self._chain(ResponseKey(workspace_id, previous))
        turns = await self._opened(chain)
        before = [item for turn in turns for item in turn.sent()]
        own = history.items(history.own(asked))
        said = await self._resolved(workspace_id, own, turns) if refers else own
        soon = any(turn.expires_at < self._now() + self._seconds for turn in chain)
        own_input = history.own(asked) if said is own else bytes(document.raw(said))
        expanded = asked if said is own and not chain else asked | {"input": document.raw([*before, *said])}
        return expanded, Said(self, own_input, previous, len(before), soon, kept, background)

    async def own(self, workspace_id: str, asked: Document) -> bytes:
        """What a request says itself, with every item that it only names. Raises like `whole`."""
        own = history.own(asked)
        if not history.may_refer(msgspec.Raw(own)):
            return own
        said = history.items(own)
        resolved = await self._resolved(workspace_id, said, ())
        return own if resolved is said else bytes(document.raw(resolved))

    async def before(self, key: ResponseKey) -> list[Turn]:
        """A turn and those before it as far as they are there, the oldest first; none if it is not."""
        return await self._opened(await self._store.chain(key, self._most))

    async def keep(self, said: Said, principal: Principal, request_id: str, answered: bytes) -> Keep | None:
        """What is kept of a response that is over; None for nothing. What cannot be sealed is logged."""
        if not said.kept:
            return None
        response = msgspec.json.decode(answered, type=Answered)
        key = ResponseKey(principal.workspace_id, response.id)
        now = self._now()
        row = None
        try:
            if not said.background:
                row = TurnRow(
                    *key,
                    principal.user_id,
                    principal.key_id,
                    request_id,
                    said.previous,
                    response.status,
                    now,
                    now + self.seconds,
                    await self._sealing.closed(key, "items", said.input),
                    await self._sealing.closed(key, "response", answered),
                )
        except WritingmateError as error:
            log.failure("response_not_kept", error, request_id=request_id)
            return None
        names = (name for name in history.foreign(response) if is_name(name, LONGEST_NAME))
        named = tuple((key.workspace_id, name, key.response_id) for name in dict.fromkeys(names))
        renewal = None
        if said.renew and said.previous is not None:
            renewal = Renewal(key.workspace_id, said.previous, now + self._seconds, now + self.seconds)
        return Keep(row, named, renewal)

    async def _chain(self, key: ResponseKey) -> Sequence[Kept]:
        chain = await self._store.chain(key, self._most)
        if not chain:
            raise _unknown(key.response_id)
        if chain[0].status not in _OVER:
            raise _unfinished(chain[0])
        if (
            len(chain) > MOST_TURNS
            or sum(len(turn.items) + len(turn.response) for turn in chain) > self._most
        ):
            raise _too_long()
        if chain[-1].previous is not None:
            raise _unknown(key.response_id)
        return chain

    async def _opened(self, chain: Sequence[Kept]) -> list[Turn]:
        """The turns, the oldest first, as they can be read."""
        if not chain:
            return []
        sealed = (
            (turn.key, column, each)
            for turn in reversed(chain)
            for column, each in (("items", turn.items), ("response", turn.response))
        )
        plain = await self._sealing.unsealed(sealed, self._most)
        if plain is None:
            raise _too_long()
        return [
            Turn(turn.key.response_id, plain[2 * at], plain[2 * at + 1], turn.provider)
            for at, turn in enumerate(reversed(chain))
        ]

    async def _resolved(
        self, workspace_id: str, said: list[msgspec.Raw], turns: Sequence[Turn]
    ) -> list[msgspec.Raw]:
        """Items with those that are only named, but for what the conversation has already."""
        wanted = history.references(said)
        if not wanted:
            return said
        there = {name for turn in turns for name, _ in turn.named()}
        missing = [name for name in wanted.values() if name not in there]
        found: dict[str, msgspec.Raw | None] = {}
        if missing:
            ids = [made for name in missing if (made := history.maker(name)) is not None]
            for turn in await self._opened(await self._store.turns(workspace_id, ids, missing)):
                found |= turn.named()
        resolved = []
        for at, item in enumerate(said):
            name = wanted.get(at)
            if name is None:
                resolved.append(item)
            elif name not in there:
                if name not in found:
                    raise _no_item(name)
                again = found[name]
                resolved += [] if again is None else [again]
        return resolved


def _forgotten(asked: Document) -> Document:
    """A request where nothing is kept. Raises UnsupportedParameter for what needs that."""
    if given(asked, "previous_response_id"):
        raise UnsupportedParameter(
            "Unsupported parameter: 'previous_response_id' is not supported here: this server keeps no "
            "responses, so send the whole conversation in 'input'.",
            param="previous_response_id",
        )
    if on(asked, "background"):
        raise UnsupportedParameter(
            "Unsupported parameter: 'background' is not supported here: this server keeps no responses. "
            "Leave it out, and wait for the answer.",
            param="background",
        )
    return asked | {"store": _FALSE}


def _unknown(response_id: str) -> InvalidRequest:
    return InvalidRequest(
        f"Previous response with id '{response_id[:100]}' not found.",
        param="previous_response_id",
        code="previous_response_not_found",
    )


def _unfinished(turn: Kept) -> InvalidRequest:
    advice = (
        "Wait until it is completed." if turn.status in ("queued", "in_progress") else "Go on from another."
    )
    return InvalidRequest(
        f"Previous response with id '{turn.key.response_id}' has the status '{turn.status}', so that there "
        f"is no answer to go on from. {advice}",
        param="previous_response_id",
        code="previous_response_not_completed",
    )


def _too_long() -> InvalidRequest:
    return InvalidRequest(
        "This conversation has become larger than a request may be. Begin a new one with what matters of it "
        "in 'input'.",
        param="previous_response_id",
        code="context_length_exceeded",
    )


def _no_item(name: str) -> NotFound:
    return NotFound(
        f"Item with id '{name[:100]}' not found. Only items of responses that are kept can be referred to: "
        "send the item itself.",
        param="input",
    )
