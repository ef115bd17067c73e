"""What a plans file may say, and what is said of one that is wrong: every mistake, by its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from writingmate.errors import ConfigurationError
from writingmate.types import Plan
from writingmate.workspaces import plan_file
from writingmate.workspaces.plan_file import SHIPPED, effective, read, shipped


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "plans.toml"


def laid_over(file: Path, text: str) -> dict[str, Plan]:
    file.write_text(text, encoding="utf-8")
    return {plan.name: plan for plan in effective(file)}


def mistakes(file: Path, text: str) -> list[str]:
    """Each as ``LINE: key: words``."""
    file.write_text(text, encoding="utf-8")
    reading = read(file)
    assert not reading.plans
    return [str(mistake) for mistake in reading.mistakes]


def test_what_ships_is_right_and_in_its_order() -> None:
    assert not read(SHIPPED, over=()).mistakes
    assert [plan.name for plan in shipped()] == [
        "free",
        "premium",
        "professional",
        "ultimate",
        "appsumo-tier-1",
        "appsumo-tier-2",
        "appsumo-tier-3",
        "appsumo-tier-4",
        "self-hosted",
    ]
    assert effective(None) == shipped()


def test_what_ships_gives_what_the_product_says() -> None:
    plans = {plan.name: plan for plan in shipped()}
    daily = {name: dict(plan.daily_messages) for name, plan in plans.items() if plan.daily_messages}
    assert daily == {
        "free": {"basic": 30},
        "premium": {"pro": 30},
        "professional": {"pro": 100, "ultimate": 5},
        "ultimate": {"pro": 100, "ultimate": 50},
    }
    assert plans["free"].tiers == ("basic",)
    assert plans["self-hosted"] == Plan("self-hosted", "Self-hosted")
    pools = [plans[f"appsumo-tier-{tier}"] for tier in range(1, 5)]
    assert [plan.pool_period for plan in pools] == ["month", "month", "month", "lifetime"]
    amounts = [plan.pool_messages or 0 for plan in pools]
    assert amounts == sorted(set(amounts))
    assert {plan.name for plan in shipped() if not plan.byok} == {"free"}


def test_a_table_with_a_shipped_name_changes_only_what_it_names(file: Path) -> None:
    before = {plan.name: plan for plan in shipped()}
    text = """
    [plans.professional]
    title = "Pros"
    daily_messages.pro = 7
    images_per_day = "unlimited"
    """
    plans = laid_over(file, text)
    changed = plans.pop("professional")
    assert (changed.title, dict(changed.daily_messages)) == ("Pros", {"pro": 7, "ultimate": 5})
    assert changed.images_per_day is None
    assert changed.video_seconds_per_month == before["professional"].video_seconds_per_month
    del before["professional"]
    assert plans == before


def test_limits_can_be_taken_away(file: Path) -> None:
    text = """
    [plans.premium]
    daily_messages = { pro = "unlimited" }
    requests_per_minute = "unlimited"
    max_body_bytes = "unlimited"
    max_upload_bytes = "unlimited"
    video_seconds_per_month = "unlimited"
    images_per_day = "unlimited"
    [plans.appsumo-tier-4]
    pool_messages = "unlimited"
    """
    plans = laid_over(file, text)
    assert plans["premium"] == Plan("premium", "Premium", tiers=("basic", "pro"))
    pooled = plans["appsumo-tier-4"]
    assert (pooled.pool_messages, pooled.pool_period) == (None, "month")


def test_a_limit_of_a_tier_that_is_taken_out_goes_with_it(file: Path) -> None:
    text = '[plans.professional]\ntiers = ["pro", "basic"]'
    plan = laid_over(file, text)["professional"]
    assert (plan.tiers, dict(plan.daily_messages)) == (("basic", "pro"), {"pro": 100})


def test_every_key_of_a_plan_of_ones_own(file: Path) -> None:
    text = """
    [plans.lab]
    title = "The lab"
    tiers = ["basic"]
    models = ["openai/gpt-5", "local/*"]
    daily_messages = { basic = 10, pro = 0 }
    scope = "workspace"
    requests_per_minute = 1
    max_body_bytes = 2048
    max_upload_bytes = 0
    pool_messages = 1_000
    pool_period = "lifetime"
    video_seconds_per_month = 12
    images_per_day = 0
    byok = false
    """
    plans = laid_over(file, text)
    assert list(plans) == [*(plan.name for plan in shipped()), "lab"]
    assert plans["lab"] == Plan(
        "lab",
        "The lab",
        ("basic",),
        ("openai/gpt-5", "local/*"),
        {"basic": 10, "pro": 0},
        "workspace",
        1,
        2048,
        0,
        1000,
        "lifetime",
        12,
        0,
        byok=False,
    )


def test_a_plan_of_ones_own_needs_little(file: Path) -> None:
    plans = laid_over(file, '[plans.a]\ntiers = ["pro"]\n[plans.b]\nmodels = ["local/*"]')
    assert plans["a"] == Plan("a", "a", tiers=("pro",))
    assert plans["b"] == Plan("b", "b", tiers=(), models=("local/*",))


def test_only_says_which_plans_there_are(file: Path) -> None:
    text = 'only = ["lab", "free"]\n[plans.lab]\ntiers = ["basic"]\n[plans.free]\ntitle = "Gratis"'
    plans = laid_over(file, text)
    assert [(plan.name, plan.title) for plan in plans.values()] == [("lab", "lab"), ("free", "Gratis")]


def test_an_empty_file_changes_nothing(file: Path) -> None:
    assert tuple(laid_over(file, "").values()) == shipped()


NUMBER = 'must be a whole number, or "unlimited", not'
SLUG = 'must be a slug without spaces, such as "openai/gpt-5" or "local/*".'
NAME = "a plan's name has 1 to 64 lower-case letters, digits, '.', '_' and '-'."
NO_POOL = "there is no pool: set pool_messages, or leave pool_period out."
NUMBERS = """[plans.free]
requests_per_minute = 0
max_body_bytes = -1
images_per_day = 1.5
video_seconds_per_month = true
max_upload_bytes = "25 MB"
pool_messages = 0xfffffffffffffffffff
"""
WORDS = """[plans.free]
title = " "
scope = "members"
pool_period = 1
byok = "yes"
pool_messages = 1
"""
LISTS = """[plans.free]
tiers = [
  "basic",
  "utlimate",
  1,
  "basic",
]
models = "local/*"
[plans.premium]
models = ["a b", "", 2020-01-01]
title = []
"""
DAILY = """[plans.free]
daily_messages = { basic = -3, pro = 4, gold = 5 }
[plans.premium.daily_messages]
basic = 1

ultimate = 2
[plans.ultimate]
daily_messages = 6
"""
POOLS = """[plans.free]
pool_period = "month"
[plans.appsumo-tier-1]
pool_messages = "unlimited"
pool_period = "lifetime"
"""
ODD: dict[str, list[str]] = {
    "plns = 1\n[free]\ntiers = []\n[plans.free]\ndaily_mesages = { basic = 3 }": [
        "1: plns: unknown key; did you mean 'plans'?",
        "2: free: unknown key; a plan is a table [plans.free].",
        "5: plans.free.daily_mesages: unknown key; did you mean 'daily_messages'?",
    ],
    NUMBERS: [
        '2: plans.free.requests_per_minute: must be at least 1, or "unlimited".',
        '3: plans.free.max_body_bytes: must be at least 1024, or "unlimited".',
        f"4: plans.free.images_per_day: {NUMBER} a number with a point.",
        f"5: plans.free.video_seconds_per_month: {NUMBER} true or false.",
        f"6: plans.free.max_upload_bytes: {NUMBER} '25 MB'.",
        '7: plans.free.pool_messages: must be at most 1000000000000000, or "unlimited".',
    ],
    WORDS: [
        "2: plans.free.title: must have 1 to 200 printable characters.",
        """3: plans.free.scope: must be "member" or "workspace", not 'members'.""",
        '4: plans.free.pool_period: must be "month" or "lifetime", not a number.',
        "5: plans.free.byok: must be true or false, not 'yes'.",
    ],
    LISTS: [
        "4: plans.free.tiers[1]: no tier is called 'utlimate'; did you mean 'ultimate'?",
        "5: plans.free.tiers[2]: must be a tier in quotes, not a number.",
        "6: plans.free.tiers[3]: names 'basic' twice.",
        "8: plans.free.models: must be a list, in brackets, not 'local/*'.",
        f"10: plans.premium.models[0]: {SLUG}",
        f"10: plans.premium.models[1]: {SLUG}",
        "10: plans.premium.models[2]: must be a model's slug in quotes, not a date or time.",
        "11: plans.premium.title: must be a text in quotes, not a list.",
    ],
    DAILY: [
        '2: plans.free.daily_messages.basic: must be at least 0, or "unlimited".',
        "2: plans.free.daily_messages.gold: no tier is called 'gold'; known are basic, pro, ultimate.",
        "2: plans.free.daily_messages.pro: the plan does not include this tier, only basic.",
        "6: plans.premium.daily_messages.ultimate: the plan does not include this tier, only basic, pro.",
        "8: plans.ultimate.daily_messages: must be a table such as { basic = 30 }, not a number.",
    ],
    '[plans.free]\ntiers = []\n[plans.premum]\nbyok = true\n[plans.xyz]\ntitle = "X"': [
        "2: plans.free.tiers: allows no model: name a tier, or set models.",
        "3: plans.premum: a new plan must set tiers, or models; or did you mean 'premium'?",
        "5: plans.xyz: a new plan must set tiers, or models.",
    ],
    POOLS: [f"2: plans.free.pool_period: {NO_POOL}", f"5: plans.appsumo-tier-1.pool_period: {NO_POOL}"],
    'plans.Big.tiers = ["pro"]\nplans."".tiers = ["pro"]\nplans.small = 1': [
        f"1: plans.Big: {NAME}",
        f'2: plans."": {NAME}',
        "3: plans.small: must be a table, [plans.small].",
    ],
    'only = ["free", "preimum", 3, "free"]': [
        "1: only[1]: no plan is called 'preimum'; did you mean 'premium'?",
        "1: only[2]: must be a plan in quotes, not a number.",
        "1: only[3]: names 'free' twice.",
    ],
    "only = []": ["1: only: must name at least one plan."],
    'only = "free"': ["1: only: must be a list, in brackets, not 'free'."],
    "[[plans]]\n": ["1: plans: must hold tables such as [plans.free]."],
    "[plans.free]\n\ntitle = x\n": ["3: is not valid TOML: Invalid value."],
    'title = """': ["is not valid TOML: Unterminated string (at end of document)."],
    "x = " + "[" * 10_000: ["is nested too deeply."],
}


@pytest.mark.parametrize(("text", "expected"), ODD.items(), ids=range(len(ODD)))
def test_every_mistake_is_told_by_its_line(file: Path, text: str, expected: list[str]) -> None:
    assert mistakes(file, text) == expected


def test_an_unknown_key_that_is_near_to_none_is_told_which_there_are(file: Path) -> None:
    (told,) = mistakes(file, '[plans.free]\n"my key" = 2')
    assert told.startswith('2: plans.free."my key": unknown key; known are title, tiers, ')


def test_a_number_that_python_does_not_read_is_a_mistake(file: Path) -> None:
    (told,) = mistakes(file, "x = " + "9" * 5000)
    assert told.startswith("is not valid TOML: Exceeds the limit")


def test_a_file_that_cannot_be_read_says_why(file: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        effective(file)
    assert str(caught.value) == f"{file}: cannot be read: No such file or directory."
    file.write_bytes(b"a = 1\nb = '\xff'")
    with pytest.raises(ConfigurationError) as caught:
        effective(file)
    assert str(caught.value) == f"{file}:2: is not UTF-8 text."


def test_all_mistakes_are_one_error(file: Path) -> None:
    file.write_text("only = []\n[plans.free]\nbyok = 1")
    with pytest.raises(ConfigurationError) as caught:
        effective(file)
    assert str(caught.value).splitlines() == [
        f"{file}:1: only: must name at least one plan.",
        f"{file}:3: plans.free.byok: must be true or false, not a number.",
    ]


def test_a_mistake_that_ships_is_not_passed_over(monkeypatch: pytest.MonkeyPatch, file: Path) -> None:
    file.write_text("[plans.free]\nbyok = true")
    monkeypatch.setattr(plan_file, "SHIPPED", file)
    shipped.cache_clear()
    try:
        with pytest.raises(ConfigurationError, match="a new plan must set tiers"):
            effective(None)
    finally:
        shipped.cache_clear()
