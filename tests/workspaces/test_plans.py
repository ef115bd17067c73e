from __future__ import annotations

import asyncio
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from writingmate.errors import ConfigurationError, InvalidRequest, PermissionDenied
from writingmate.telemetry import log
from writingmate.types import Principal
from writingmate.workspaces.plan_file import shipped
from writingmate.workspaces.plans import Plans

LAB = '[plans.lab]\ntiers = ["basic"]\n'


def caller(plan: str) -> Principal:
    return Principal("user", "workspace", "key", plan, 1)


def look_again(plans: Plans) -> None:
    asyncio.run(plans.refresh())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "plans.toml"
    made.write_text(LAB)
    return made


@pytest.fixture
def lines() -> Iterator[io.TextIOWrapper]:
    """What is logged."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    log.start(stream)
    yield stream
    log.stop()


def events(stream: io.TextIOWrapper) -> list[dict[str, Any]]:
    log.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return [json.loads(line) for line in buffer.getvalue().splitlines()]


def test_without_a_file_the_plans_that_ship_count() -> None:
    plans = Plans()
    assert plans.all() == shipped()
    assert plans.get("free") is plans.of(caller("free"))
    assert plans.get("lab") is None


def test_a_workspace_on_a_plan_that_is_not_configured_is_refused() -> None:
    with pytest.raises(PermissionDenied) as caught:
        Plans().of(caller("gold"))
    error = caught.value
    assert (error.status, error.type, error.code) == (403, "permission_error", "model_not_in_plan")
    assert "`gold`" in error.message


def test_a_plan_that_is_asked_for_by_a_wrong_name_is_refused_with_the_nearest(file: Path) -> None:
    plans = Plans(file)
    assert plans.require("lab").name == "lab"
    with pytest.raises(InvalidRequest) as caught:
        plans.require("premuim")
    assert caught.value.message == "There is no plan 'premuim'; did you mean 'premium'?"


def test_a_wrong_file_does_not_start(file: Path) -> None:
    file.write_text("[plans.free]\nbyok = 1")
    with pytest.raises(ConfigurationError, match=r"plans\.toml:2: plans\.free\.byok: must be true or false"):
        Plans(file)


def test_a_changed_file_counts_from_the_next_look_on(file: Path, lines: io.TextIOWrapper) -> None:
    plans = Plans(file)
    file.write_text(LAB + "[plans.free]\ndaily_messages.basic = 31\n")
    assert plans.of(caller("free")).daily_messages == {"basic": 30}
    look_again(plans)
    assert plans.of(caller("free")).daily_messages == {"basic": 31}
    look_again(plans)
    assert [(line["event"], line["plans"]) for line in events(lines)] == [("plans_changed", 10)]


def test_a_file_of_the_same_size_put_in_its_place_counts_too(file: Path) -> None:
    plans = Plans(file)
    other = file.with_name("other")
    other.write_text(LAB.replace('"basic"', '"pro"  '))
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    other.replace(file)
    look_again(plans)
    plan = plans.get("lab")
    assert plan is not None
    assert plan.tiers == ("pro",)


@pytest.mark.parametrize("broken", ["[plans.lab]\ntiers = 7\n", None], ids=["wrong", "gone"])
def test_a_broken_file_keeps_the_plans_and_is_told_once(
    file: Path, lines: io.TextIOWrapper, broken: str | None
) -> None:
    plans = Plans(file)
    before = plans.all()
    if broken is None:
        file.unlink()
    else:
        file.write_text(broken)
    for _ in range(3):
        look_again(plans)
    assert plans.all() == before
    (line,) = events(lines)
    assert (line["event"], line["level"], line["error"]) == ("plans_broken", "error", "ConfigurationError")
    assert ("cannot be read" if broken is None else "plans.lab.tiers: must be a list") in line["detail"]
    file.write_text(LAB + LAB.replace("lab", "lab2"))
    look_again(plans)
    assert plans.get("lab2") is not None


def test_without_a_file_there_is_nothing_to_look_at() -> None:
    plans = Plans()
    look_again(plans)
    assert plans.all() == shipped()
