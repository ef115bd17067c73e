"""A live gateway on plans of the tests' own, in front of fake providers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.live import Live, serving, settings_for
from writingmate.settings import ModelSection, ProviderSection
from writingmate.workspaces import store

PLANS = """
[plans.tight]
tiers = ["basic", "pro"]
daily_messages = { basic = 3, pro = 2 }
requests_per_minute = 50
[plans.pooled]
tiers = ["basic"]
scope = "workspace"
pool_messages = 4
pool_period = "lifetime"
[plans.slow]
tiers = ["basic"]
requests_per_minute = 2
"""


@contextmanager
def limited(folder: Path, base_url: str, *, plan: str, **environ: str) -> Iterator[Live]:
    """``fake/m`` is basic and answers up to 100,000 tokens; the first user's workspace is on ``plan``."""
    plans = folder / "plans.toml"
    plans.write_text(PLANS)
    fake = ProviderSection(base_url=base_url, models=("m",), api_key="k" * 20)
    settings = settings_for(
        folder,
        plans=plans,
        providers={"fake": fake},
        environ=environ,
        models={"fake/m": ModelSection(tier="basic", context_length=400_000, max_output_tokens=100_000)},
    )
    with serving(settings) as live:
        with live.database.transaction() as connection:
            store.set_plan(connection, live.user.home_workspace_id, plan, by=None)
        yield live
