"""Which limits a request counts against."""

from __future__ import annotations

from datetime import UTC, datetime

from writingmate.types import Limit, Principal, Window

DAY = 86_400


def limits(principal: Principal, now: float) -> tuple[Limit, ...]:
    """Every limit of ``principal`` at ``now`` (UNIX seconds): the key's own cap a UTC day, if it has one."""
    if principal.daily_cap is None:
        return ()
    today = int(now // DAY) * DAY
    period = datetime.fromtimestamp(today, UTC).date().isoformat()
    window = Window(principal.workspace_id, f"key:{principal.key_id}", "messages", period)
    return (Limit(window, principal.daily_cap, resets_at=today + DAY),)
