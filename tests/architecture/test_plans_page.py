"""The page about plans says what the shipped file says, and explains every key."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from tests.architecture.source import ROOT
from writingmate.types import Plan
from writingmate.workspaces.plan_file import read, shipped
from writingmate.workspaces.plan_keys import KEYS

PAGE = (ROOT / "docs" / "plans.md").read_text(encoding="utf-8")
UPLOAD = 25 << 20


def row(plan: Plan) -> str:
    """A plan as the first table shows it."""
    daily = ", ".join(f"{most} {tier}" for tier, most in plan.daily_messages.items())
    period = "a month" if plan.pool_period == "month" else "for life"
    cells = (
        f"`{plan.name}`",
        ", ".join(plan.tiers),
        daily,
        "" if plan.pool_messages is None else f"{plan.pool_messages} {period}",
        plan.requests_per_minute,
        plan.images_per_day,
        plan.video_seconds_per_month,
        "" if plan.max_body_bytes is None else f"{plan.max_body_bytes / (1 << 20):g} MiB",
        "yes" if plan.byok else "no",
    )
    return "| " + " | ".join("" if cell is None else str(cell) for cell in cells) + " |"


def test_the_table_of_plans_is_the_shipped_file() -> None:
    first = PAGE.partition("\n## ")[0]
    shown = [line for line in first.splitlines() if line.startswith("| `")]
    assert [line.replace("|  |", "| |") for line in shown] == [
        re.sub(r"\| +(?=\|)", "| ", row(plan)) for plan in shipped()
    ]


def test_what_the_page_says_beside_the_table_is_so() -> None:
    assert {plan.max_upload_bytes for plan in shipped() if plan.name != "self-hosted"} == {UPLOAD}
    assert all(plan.scope == "member" and not plan.models for plan in shipped())


def test_every_key_is_explained_and_no_other() -> None:
    second = PAGE.partition("| key of `[plans.NAME]`")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", second, re.MULTILINE) == list(KEYS)


def test_every_field_of_a_plan_can_be_set() -> None:
    assert KEYS.keys() | {"name"} == {field.name for field in fields(Plan)}


def test_the_example_is_valid(tmp_path: Path) -> None:
    (example,) = (part.partition("```")[0] for part in PAGE.split("```toml\n")[1:])
    file = tmp_path / "plans.toml"
    file.write_text(example, encoding="utf-8")
    assert not read(file).mistakes
