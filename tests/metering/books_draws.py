"""What the stateful test of the books draws: plans, callers with their caps, requests, usage, time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from hypothesis import strategies as st

from writingmate.metering.commands import Claim
from writingmate.metering.windows import WindowKey
from writingmate.types import Estimate, Limit, Plan, Principal, Tier, Usage

MOST_NODES: Final = 4
WORKSPACES: Final = ("ws_one", "ws_two")
# Who calls: a member of two workspaces, one with two keys, and a colleague.
CALLERS: Final = (
    ("ws_one", "user_one", "key_one"),
    ("ws_one", "user_one", "key_two"),
    ("ws_one", "user_two", "key_three"),
    ("ws_two", "user_one", "key_four"),
)
TIERS: Final[tuple[Tier, ...]] = ("basic", "pro")
ANSWER_SECONDS: Final = 3_600.0  # how long an answer is kept for its idempotency key

PICK = st.integers(0, 1_000)
NODE = st.integers(0, MOST_NODES - 1)
LAG = st.sampled_from([0.0, 0.5])  # seconds that a request waits for the books
TOKENS = st.integers(0, 60_000) | st.sampled_from([0, 1, 15_999, 16_000, 16_001, 32_000])
PROMPT = st.sampled_from([0, 1, 10, 15_999, 16_000, 16_001]) | st.integers(0, 40_000)
COMPLETION = st.sampled_from([0, 1, 16_000, 64_000]) | st.integers(0, 100_000)
USAGE = st.builds(Usage, TOKENS, TOKENS, TOKENS) | st.none() | st.just(Usage(10, 5))
# Ordinary steps, the edge of a minute, hours, a day, and a clock that is set back.
SECONDS = st.sampled_from([0.5, 20.0, 59.75, 60.0, 3_600.0, 43_200.0, 86_400.0, -5.0])
CAPS = st.tuples(*(st.none() | st.integers(0, 30) for _ in CALLERS))

PLANS = st.builds(
    Plan,
    name=st.sampled_from(["free", "premium", "appsumo-tier-1"]),
    title=st.just("Drawn"),
    daily_messages=st.dictionaries(st.sampled_from(TIERS), st.integers(0, 20)),
    scope=st.sampled_from(["member", "workspace"]),
    requests_per_minute=st.none() | st.integers(0, 12),
    pool_messages=st.none() | st.integers(0, 40),
    pool_period=st.sampled_from(["month", "lifetime"]),
)


@dataclass(frozen=True)
class Order:
    """A request to be made. ``least`` is the share of the answer, in percent, that will do."""

    node: int
    caller: int
    tier: Tier
    prompt: int
    completion: int
    least: int | None
    byok: bool
    once: str | None
    stale: bool


ORDERS = st.builds(
    Order,
    node=NODE,
    caller=st.integers(0, len(CALLERS) - 1),
    tier=st.sampled_from(TIERS),
    prompt=PROMPT,
    completion=COMPLETION,
    least=st.sampled_from([None, 0, 0, 50, 100]),
    byok=st.sampled_from([False, False, False, True]),
    once=st.sampled_from([None, None, "once", "twice"]),
    stale=st.sampled_from([False] * 9 + [True]),
)


@dataclass(frozen=True)
class Asked:
    """The same as the ledger is asked for it, at ``started_at`` by its node's clock."""

    name: str
    principal: Principal
    estimate: Estimate
    claim: Claim | None
    started_at: float
    marks: frozenset[str]

    @property
    def windows(self) -> dict[WindowKey, int]:
        """What messages are held in, and how many each allows."""
        return {_key(limit): limit.allowed for limit in self.estimate.limits if limit.unit == "messages"}

    @property
    def rates(self) -> dict[WindowKey, int]:
        """Whose requests are counted, and how many a minute each allows."""
        return {_key(limit): limit.allowed for limit in self.estimate.limits if limit.unit == "requests"}

    @property
    def day(self) -> str:
        """The UTC day that it counts on."""
        return datetime.fromtimestamp(self.started_at, UTC).strftime("%Y-%m-%d")


def windows_by_the_book(
    principal: Principal, plan: Plan, tier: Tier, now: float, *, byok: bool
) -> dict[WindowKey, int]:
    """What the documentation says a request counts against, written down once more."""
    moment = datetime.fromtimestamp(now, UTC)
    member = "workspace" if plan.scope == "workspace" else f"user:{principal.user_id}"
    expected: dict[tuple[str, str, str], int | None] = {
        (f"key:{principal.key_id}", "messages", f"{moment:%Y-%m-%d}"): principal.daily_cap,
        (member, "requests", "minute"): plan.requests_per_minute,
    }
    if not byok:
        pool = "lifetime" if plan.pool_period == "lifetime" else f"{moment:%Y-%m}"
        expected[member, f"messages:{tier}", f"{moment:%Y-%m-%d}"] = plan.daily_messages.get(tier)
        expected["workspace", "messages:pool", pool] = plan.pool_messages
    return {
        (principal.workspace_id, *window): allowed
        for window, allowed in expected.items()
        if allowed is not None
    }


def _key(limit: Limit) -> WindowKey:
    window = limit.window
    return (window.workspace_id, window.subject, window.meter, window.period)
