"""``GET /usage`` and ``GET /usage/{request_id}``: where limits stand, and one request's receipt."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from functools import partial
from time import time
from typing import Any, Final, TypeAlias

import msgspec

from writingmate.errors import NotFound, PermissionDenied
from writingmate.metering.commands import EntryRow, HoldRow, utc_day
from writingmate.metering.limits import every_limit
from writingmate.metering.receipts import explained, find
from writingmate.metering.standing import overview
from writingmate.operations.client import Client, Request
from writingmate.storage.engine import Database
from writingmate.types import Limit, Plan, Principal

# Raises PermissionDenied unless the caller may see what the user of that id used in the workspace.
Sight: TypeAlias = Callable[[Principal, str], Awaitable[None]]

_REQUEST_ID: Final = re.compile(r"req_[0-9a-f]{24}")
_TIERS: Final = frozenset({"basic", "pro", "ultimate"})
_OPEN_PERIODS: Final = frozenset({"minute", "lifetime"})
_DAY_LENGTH: Final = len("2026-11-24")


@dataclass(frozen=True, slots=True)
class Reports:
    """What a caller may read of the books.

    ``plan_of`` says what a caller's workspace may use, ``sight`` whose usage a caller may see.
    """

    database: Database
    plan_of: Callable[[Principal], Plan]
    sight: Sight

    async def usage(self, principal: Principal, _: Request, client: Client) -> None:
        """Answer with the caller's usage of the UTC day, and each limit that can apply to them."""
        plan, now = self.plan_of(principal), time()
        limits, day = every_limit(principal, plan, now), utc_day(now)
        standing, used = await self.database.read(
            partial(overview, principal=principal, limits=limits, day=day, now=now)
        )
        shape = {
            "object": "usage",
            "workspace": principal.workspace_id,
            "user": principal.user_id,
            "key": principal.key_id,
            "plan": {"name": plan.name, "title": plan.title},
            "byok": principal.byok and plan.byok,
            "at": int(now),
            "today": {"day": day, **asdict(used)},
            "limits": [
                {**described(each.limit), "used": each.used, "held": each.held, "remaining": each.remaining}
                for each in standing
            ],
        }
        await client.reply(200, {"cache-control": "no-store"}, msgspec.json.encode(shape))

    async def receipt(self, request_id: str, principal: Principal, _: Request, client: Client) -> None:
        """Answer with one request's count, step by step; with what is held of one that is under way.

        Raises NotFound for one that is not in the workspace, and alike for one that is somebody
        else's whose usage the caller may not see.
        """
        if not _REQUEST_ID.fullmatch(request_id):
            raise _unknown(request_id)
        found = await self.database.read(
            partial(find, request_id=request_id, workspace_id=principal.workspace_id)
        )
        if found is None:
            raise _unknown(request_id)
        if found.user_id != principal.user_id:
            try:
                await self.sight(principal, found.user_id)
            except PermissionDenied:
                raise _unknown(request_id) from None
        shape = _settled(found) if isinstance(found, EntryRow) else _under_way(found)
        await client.reply(200, {"cache-control": "no-store"}, msgspec.json.encode(shape))


def described(limit: Limit) -> dict[str, Any]:
    """A limit as the API shows it; ``resets_at`` is null where it never does, or does so continuously."""
    window = limit.window
    unit, _, kind = window.meter.partition(":")
    subject = window.subject.partition(":")[0]
    return {
        "unit": unit,
        "tier": kind if kind in _TIERS else None,
        "scope": "member" if subject == "user" else subject,
        "period": _period(window.period),
        "code": limit.code,
        "allowed": limit.allowed,
        "resets_at": limit.resets_at,
    }


def _period(period: str) -> str:
    if period in _OPEN_PERIODS:
        return period
    return "day" if len(period) == _DAY_LENGTH else "month"


def _settled(entry: EntryRow) -> dict[str, Any]:
    shape = asdict(explained(entry))
    return {"object": "usage.receipt", "status": "settled", "id": shape.pop("request_id"), **shape}


def _under_way(hold: HoldRow) -> dict[str, Any]:
    """What is known before it ends; the tokens are bounds."""
    return {
        "object": "usage.receipt",
        "status": "in_progress",
        "id": hold.request_id,
        "workspace_id": hold.workspace_id,
        "user_id": hold.user_id,
        "key_id": hold.key_id,
        "endpoint": hold.endpoint,
        "model": hold.model,
        "provider": hold.provider,
        "upstream_model": hold.upstream_model,
        "plan": hold.plan,
        "tier": hold.tier,
        "held_messages": hold.messages,
        "held_prompt_tokens": hold.prompt_tokens,
        "held_completion_tokens": hold.completion_tokens,
        "started_at": hold.started_at,
    }


def _unknown(request_id: str) -> NotFound:
    return NotFound(
        f"There is no request '{request_id[:100]}' in this workspace that you may see. Its id is the "
        "x-request-id of its answer; what was refused has no receipt, and old ones are kept as sums only.",
        param="request_id",
        code="request_not_found",
    )
