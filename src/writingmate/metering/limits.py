"""Which limits a request counts against, all of which are held together or none (PRODUCT §3, §4)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from writingmate.types import Limit, Plan, Principal, Tier, Window

DAY: Final = 86_400

_OTHER_KEY: Final = "Use another key, or give this one a higher cap."
_LARGER_PLAN: Final = "Upgrade the plan for more."
_OWN_KEY: Final = "Upgrade the plan, or add your own OpenRouter key, which the plan's limits do not apply to."


def limits(
    principal: Principal, plan: Plan, tier: Tier, now: float, *, byok: bool = False
) -> tuple[Limit, ...]:
    """Every limit of a request for a model of ``tier`` at ``now`` (UNIX seconds), the narrowest first.

    The key's own cap, the plan's messages a day for the tier, its pool, its requests a minute. With
    ``byok`` the caller pays the provider: the plan's message limits do not apply.
    """
    key = f"key:{principal.key_id}"
    found = []
    if principal.daily_cap is not None:
        found.append(_daily(principal, key, "messages", principal.daily_cap, now, _OTHER_KEY))
    if not byok:
        found += _of_plan(principal, plan, tier, now)
    if plan.requests_per_minute is not None:
        found.append(_per_minute(principal, plan))
    return tuple(found)


def every_limit(principal: Principal, plan: Plan, now: float) -> tuple[Limit, ...]:
    """The limits of all the tiers that the plan knows, each once: for showing where they stand."""
    tiers = dict.fromkeys((*plan.tiers, *plan.daily_messages))
    found = (limit for tier in tiers for limit in limits(principal, plan, tier, now))
    return tuple({limit.window: limit for limit in found}.values())


def month_after(now: float) -> int:
    """When the calendar month of ``now`` ends, UTC."""
    moment = datetime.fromtimestamp(now, UTC)
    year, month = divmod(moment.year * 12 + moment.month, 12)
    return int(datetime(year, month + 1, 1, tzinfo=UTC).timestamp())


def _of_plan(principal: Principal, plan: Plan, tier: Tier, now: float) -> list[Limit]:
    found = []
    daily = plan.daily_messages.get(tier)
    advice = _OWN_KEY if plan.byok else _LARGER_PLAN
    if daily is not None:
        found.append(_daily(principal, _subject(principal, plan), f"messages:{tier}", daily, now, advice))
    if plan.pool_messages is not None:
        found.append(_pool(principal, plan, plan.pool_messages, now, advice))
    return found


def _daily(principal: Principal, subject: str, meter: str, allowed: int, now: float, advice: str) -> Limit:
    today = int(now // DAY) * DAY
    period = datetime.fromtimestamp(today, UTC).date().isoformat()
    window = Window(principal.workspace_id, subject, meter, period)
    return Limit(window, allowed, resets_at=today + DAY, advice=advice)


def _pool(principal: Principal, plan: Plan, allowed: int, now: float, advice: str) -> Limit:
    monthly = plan.pool_period == "month"
    period = datetime.fromtimestamp(now, UTC).strftime("%Y-%m") if monthly else "lifetime"
    window = Window(principal.workspace_id, "workspace", "messages:pool", period)
    return Limit(window, allowed, month_after(now) if monthly else None, code="pool_exhausted", advice=advice)


def _per_minute(principal: Principal, plan: Plan) -> Limit:
    window = Window(principal.workspace_id, _subject(principal, plan), "requests", "minute")
    return Limit(window, plan.requests_per_minute or 0, code="rate_limit_exceeded", unit="requests")


def _subject(principal: Principal, plan: Plan) -> str:
    return "workspace" if plan.scope == "workspace" else f"user:{principal.user_id}"
