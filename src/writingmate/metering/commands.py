"""What is queued for the ledger's writer, and the row of a request under way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple, TypeAlias

import msgspec

from writingmate.metering.windows import WindowKey
from writingmate.types import Limit, Usage

# (workspace_id, request_id): the primary key of `holds` and of `entries`
RequestKey: TypeAlias = tuple[str, str]

_parse_windows = msgspec.json.Decoder(list[tuple[str, str, str]]).decode
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

    @property
    def usage(self) -> Usage:
        """The tokens charged for."""
        return Usage(self.prompt_tokens, self.completion_tokens, self.cached_tokens, self.reasoning_tokens)


@dataclass(slots=True)
class Opening:
    """Hold ``row.messages`` against every limit, or refuse."""

    row: HoldRow
    revision: int
    limits: tuple[Limit, ...] = ()
    windows: tuple[WindowKey, ...] = ()


@dataclass(slots=True)
class Closing:
    """Settle a hold: ``usage`` is None if nothing usable came of the request."""

    row: HoldRow
    usage: Usage | None
    flags: frozenset[str]
    upstream_request_id: str | None = None
    limits: tuple[Limit, ...] = ()
    windows: tuple[WindowKey, ...] = ()


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


def windows_text(windows: tuple[WindowKey, ...]) -> str:
    """The column: ``[[subject, meter, period], …]``, the workspace being the row's."""
    return _encode([window[1:] for window in windows]).decode() if windows else "[]"


def windows_keys(workspace_id: str, text: str) -> tuple[WindowKey, ...]:
    """The inverse of `windows_text`."""
    if text == "[]":
        return ()
    return tuple((workspace_id, *window) for window in _parse_windows(text))


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
