"""The arithmetic of one count, from its entry in the ledger, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeVar

from sqlalchemy import Connection, Table, select

from writingmate.metering.applied import applied
from writingmate.metering.commands import EntryRow, HoldRow
from writingmate.metering.counting import MESSAGE_TOKENS, effective_input
from writingmate.metering.scan import workspaces_in
from writingmate.storage.tables import entries, holds

_Row = TypeVar("_Row", EntryRow, HoldRow)

FLAGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "broken": "The provider's stream ended before its answer did; what had come is charged.",
        "byok": "It was sent with the user's own provider key, so the plan's message limits do not apply.",
        "cancelled": "The client left before the answer was complete; what had come is charged.",
        "clamped": "The answer's length was lowered to what was left of a limit.",
        "estimated": "The provider did not report these tokens: they were counted here.",
        "failed": "Nothing usable came of it, so nothing is charged.",
        "interrupted": "The process that served it died; the held prompt is charged, at least one message.",
        "overrun": "The provider reported more than was held; all of it is charged.",
    }
)


@dataclass(frozen=True, slots=True)
class Flag:
    """A word of the entry, and what it means."""

    name: str
    meaning: str


@dataclass(frozen=True, slots=True)
class LimitThen:
    """A limit as it was: ``allowed`` when the request was held, ``left`` right after it was settled.

    Both are None in entries older than that. ``left`` is below 0 after an overrun.
    """

    subject: str
    meter: str
    period: str
    allowed: int | None
    left: int | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """One settled request: who, what served it, the count step by step, and each limit it counted against.

    ``cached_discount``, ``effective_input`` and ``total_tokens`` are the formula's steps:
    ``messages`` is ``total_tokens`` over ``tokens_per_message``, rounded up and at least 1, or 0 where the
    request failed. ``model`` is the slug asked for, ``upstream_model`` the provider's name of what served
    it; ``plan`` and ``tier`` are empty in entries older than plans. Times are UNIX seconds, ``day`` is the
    UTC day that it counts on.
    """

    request_id: str
    workspace_id: str
    user_id: str
    key_id: str
    endpoint: str
    model: str
    provider: str
    upstream_model: str
    upstream_request_id: str | None
    plan: str
    tier: str
    prompt_tokens: int
    cached_tokens: int
    cached_discount: int
    effective_input: int
    completion_tokens: int
    reasoning_tokens: int
    total_tokens: int
    tokens_per_message: int
    messages: int
    held_messages: int
    flags: tuple[Flag, ...]
    limits: tuple[LimitThen, ...]
    day: str
    started_at: float
    settled_at: float


def explained(entry: EntryRow) -> Explanation:
    """The count of ``entry``, step by step."""
    effective = effective_input(entry.usage)
    return Explanation(
        request_id=entry.request_id,
        workspace_id=entry.workspace_id,
        user_id=entry.user_id,
        key_id=entry.key_id,
        endpoint=entry.endpoint,
        model=entry.model,
        provider=entry.provider,
        upstream_model=entry.upstream_model,
        upstream_request_id=entry.upstream_request_id,
        plan=entry.plan,
        tier=entry.tier,
        prompt_tokens=entry.prompt_tokens,
        cached_tokens=entry.cached_tokens,
        cached_discount=entry.cached_tokens // 2,
        effective_input=effective,
        completion_tokens=entry.completion_tokens,
        reasoning_tokens=entry.reasoning_tokens,
        total_tokens=effective + entry.completion_tokens,
        tokens_per_message=MESSAGE_TOKENS,
        messages=entry.messages,
        held_messages=entry.held_messages,
        flags=tuple(Flag(word, FLAGS.get(word, "")) for word in entry.flags.split()),
        limits=tuple(LimitThen(*limit) for limit in applied(entry.windows) or ()),
        day=entry.day,
        started_at=entry.started_at,
        settled_at=entry.settled_at,
    )


def find(
    connection: Connection, request_id: str, workspace_id: str | None = None
) -> EntryRow | HoldRow | None:
    """A request in one workspace or whichever has it: its entry, or its hold while it is under way.

    None if there is neither: it was refused, or its entry has become part of a sum.
    """
    entry = _find(connection, entries, EntryRow, request_id, workspace_id)
    return entry or _find(connection, holds, HoldRow, request_id, workspace_id)


def _find(
    connection: Connection, table: Table, kind: type[_Row], request_id: str, workspace_id: str | None
) -> _Row | None:
    """By the whole key: where the workspace is not known, one look-up in each."""
    query = select(*(table.c[name] for name in kind._fields)).where(table.c.request_id == request_id)
    if workspace_id is not None:
        query = query.where(table.c.workspace_id == workspace_id)
    else:
        each = workspaces_in(table)
        query = query.select_from(each.join(table, table.c.workspace_id == each.c.id))
    row = connection.execute(query.limit(1)).first()
    return None if row is None else kind._make(row)
