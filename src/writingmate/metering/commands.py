"""What is queued for the ledger's writer, and the row of a request under way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple, TypeAlias

import msgspec

from writingmate.metering.windows import WindowKey, key
from writingmate.types import Limit, Usage, Window

# (workspace_id, request_id): the primary key of `holds` and of `entries`
RequestKey: TypeAlias = tuple[str, str]

# (workspace_id, user_id, idempotency_key): the primary key of `answers`
ClaimKey: TypeAlias = tuple[str, str, str]

_parse_windows = msgspec.json.Decoder(list[list[str | int]]).decode
_encode = msgspec.json.Encoder().encode


class HoldRow(NamedTuple):
    """A row of `holds`, in the table's order."""

    workspace_id: str
    request_id: str
    node_id: str
    user_id: str
    key_id: str
    model: str
    provider: str
    upstream_model: str
    endpoint: str
    prompt_tokens: int
    completion_tokens: int
    messages: int
    windows: str
    started_at: float
    plan: str
    tier: str


class EntryRow(NamedTuple):
    """A row of `entries`, in the table's order."""

    workspace_id: str
    request_id: str
    user_id: str
    key_id: str
    model: str
    provider: str
    upstream_model: str
    endpoint: str
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    messages: int
    held_messages: int
    windows: str
    flags: str
    upstream_request_id: str | None
    day: str
    started_at: float
    settled_at: float
    plan: str
    tier: str

    @property
    def usage(self) -> Usage:
        """The tokens charged for."""
        return Usage(self.prompt_tokens, self.completion_tokens, self.cached_tokens, self.reasoning_tokens)


class Claim(NamedTuple):
    """A row of `answers` before there is an answer: this request is the one that its key stands for.

    ``request_hash`` is of the endpoint and the body; times are UNIX seconds.
    """

    workspace_id: str
    user_id: str
    idempotency_key: str
    request_hash: bytes
    request_id: str
    created_at: float
    expires_at: float

    @property
    def key(self) -> ClaimKey:
        """The row's key."""
        return self[:3]


class QueuedRow(NamedTuple):
    """A row of `responses` that waits for the background; the sealed columns are sealed already.

    ``events`` are the first of its stream's events, from number 0 on, if it has a stream.
    """

    workspace_id: str
    response_id: str
    user_id: str
    key_id: str
    request_id: str
    previous_response_id: str | None
    created_at: float
    expires_at: float
    items: bytes
    response: bytes
    request: bytes
    node_id: str
    events: bytes | None


class TurnRow(NamedTuple):
    """A row of `responses` that is written when it is over; the sealed columns are sealed already."""

    workspace_id: str
    response_id: str
    user_id: str
    key_id: str
    request_id: str
    previous_response_id: str | None
    status: str
    created_at: float
    expires_at: float
    items: bytes
    response: bytes


class Renewal(NamedTuple):
    """A response and all before it are kept until ``expires_at``, those that would go before ``least``."""

    workspace_id: str
    response_id: str
    least: float
    expires_at: float


class Keep(NamedTuple):
    """What is kept of a response, written with its settlement.

    ``row`` is None for one of the background, which has its row. ``named`` are rows of `response_items`.
    """

    row: TurnRow | None
    named: tuple[tuple[str, str, str], ...] = ()
    renewal: Renewal | None = None


class Task(NamedTuple):
    """One attempt at a background response: it is queued with the hold and ends with the settlement.

    ``row`` is None where it is queued already. ``claim`` and ``answer`` are of the request that named an
    idempotency key: it is answered as soon as the response is queued.
    """

    workspace_id: str
    response_id: str
    request_id: str
    row: QueuedRow | None = None
    claim: Claim | None = None
    answer: bytes | None = None


class Ending(NamedTuple):
    """How a background response ends, if nobody has cancelled it: its status and the sealed object."""

    status: str
    response: bytes


@dataclass(slots=True)
class Opening:
    """Hold ``row.messages`` against every limit, or what is left if that is ``least``, or refuse."""

    row: HoldRow
    revision: int
    limits: tuple[Limit, ...] = ()
    least: int = 0
    claim: Claim | Task | None = None


@dataclass(slots=True)
class Closing:
    """Settle a hold: ``usage`` is None if nothing usable came of the request.

    ``answer`` is stored for the ``claim`` of the request, if it has one; without an answer the claim
    is given up, and a task stays as it is. ``keep`` is what is kept of a response besides.
    """

    row: HoldRow
    usage: Usage | None
    flags: frozenset[str]
    upstream_request_id: str | None = None
    limits: tuple[Limit, ...] = ()
    claim: Claim | Task | None = None
    answer: bytes | Ending | None = None
    keep: Keep | None = None


@dataclass(slots=True)
class Beat:
    """This node is alive."""


@dataclass(slots=True)
class Sweep:
    """Settle what dead nodes held."""


@dataclass(slots=True)
class Leave:
    """This node ends; it is forgotten unless a hold of its is still open."""


Command: TypeAlias = Opening | Closing | Beat | Sweep | Leave


def windows_text(limits: tuple[Limit, ...]) -> str:
    """The column of a hold: ``[[subject, meter, period, allowed], …]``, the workspace being the row's."""
    if not limits:
        return "[]"
    counted = [limit for limit in limits if limit.unit == "messages"]
    return _encode([[*key(limit.window)[1:], limit.allowed] for limit in counted]).decode()


def windows_left(limits: tuple[Limit, ...], left: Callable[[Limit], int]) -> str:
    """The column of an entry: that of its hold, with what each limit had ``left`` behind it."""
    if not limits:
        return "[]"
    counted = [limit for limit in limits if limit.unit == "messages"]
    return _encode([[*key(limit.window)[1:], limit.allowed, left(limit)] for limit in counted]).decode()


def windows_keys(workspace_id: str, text: str) -> tuple[WindowKey, ...]:
    """The windows that a row is counted in."""
    if text == "[]":
        return ()
    return tuple(
        (workspace_id, str(subject), str(meter), str(period))
        for subject, meter, period, *_ in _parse_windows(text)
    )


def limits_of(row: HoldRow) -> tuple[Limit, ...]:
    """The limits that a hold of any process counts against, as far as settling needs them."""
    if row.windows == "[]":
        return ()
    return tuple(
        Limit(Window(row.workspace_id, str(subject), str(meter), str(period)), int(*allowed or (0,)))
        for subject, meter, period, *allowed in _parse_windows(row.windows)
    )


def utc_day(time: float) -> str:
    """The ISO date of the UTC day that ``time`` lies in."""
    return _date(int(time // 86_400))


_dates: dict[int, str] = {}


def _date(day: int) -> str:
    found = _dates.get(day)
    if found is None:
        if len(_dates) > 1_000:  # noqa: PLR2004  # only a clock that runs wild gets here
            _dates.clear()
        found = _dates[day] = datetime.fromtimestamp(day * 86_400, UTC).date().isoformat()
    return found
