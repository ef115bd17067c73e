"""Reading plans: those that ship, with a file of the operator's laid over them; every mistake at once."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from writingmate.errors import ConfigurationError
from writingmate.settings import Lines, Place, nearest
from writingmate.types import Plan
from writingmate.workspaces import plan_keys
from writingmate.workspaces.plan_keys import KEYS, NAME, WRONG, Marks, Mistake

SHIPPED = Path(__file__).with_name("plans.toml")

_TOP = ("plans", "only")
_AT_LINE = re.compile(r" \(at line (\d+), column (\d+)\)$")

Named = dict[str, Plan]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file says: its plans, in order, or its mistakes, by line. Never both."""

    plans: tuple[Plan, ...] = ()
    mistakes: tuple[Mistake, ...] = ()


@cache
def shipped() -> tuple[Plan, ...]:
    """The plans that ship, in the file's order."""
    return _agreed(SHIPPED, read(SHIPPED, over=()))


def effective(file: Path | None) -> tuple[Plan, ...]:
    """The plans there are: those that ship with ``file`` laid over them.

    Raises:
        ConfigurationError: names the file, and each mistake by its line.
    """
    return shipped() if file is None else _agreed(file, read(file))


def read(file: Path, *, over: Iterable[Plan] | None = None) -> Reading:
    """Read ``file`` and lay it over the plans given, by default those that ship."""
    text = _text(file)
    parsed = text if isinstance(text, Mistake) else _parsed(text)
    if isinstance(parsed, Mistake):
        return Reading(mistakes=(parsed,))
    raw, marks = parsed
    plans = _plans(raw, {plan.name: plan for plan in (shipped() if over is None else over)}, marks)
    if marks.found:
        return Reading(mistakes=tuple(sorted(marks.found)))
    return Reading(plans=tuple(plans.values()))


def told(file: Path, mistakes: Iterable[Mistake]) -> str:
    """The mistakes in words, one a line: ``FILE:LINE: key: what is wrong``."""
    return "\n".join(f"{file}:{' ' if not mistake.line else ''}{mistake}" for mistake in mistakes)


def _agreed(file: Path, reading: Reading) -> tuple[Plan, ...]:
    if reading.mistakes:
        raise ConfigurationError(told(file, reading.mistakes))
    return reading.plans


def _text(file: Path) -> str | Mistake:
    try:
        return file.read_bytes().decode().replace("\r\n", "\n")
    except OSError as error:
        return Mistake(0, "", f"cannot be read: {error.strerror}.")
    except UnicodeDecodeError as error:
        return Mistake(error.object.count(b"\n", 0, error.start) + 1, "", "is not UTF-8 text.")


def _parsed(text: str) -> tuple[dict[str, Any], Marks] | Mistake:
    try:
        return tomllib.loads(text), Marks(Lines(text))
    except RecursionError:
        return Mistake(0, "", "is nested too deeply.")
    except ValueError as error:  # TOMLDecodeError, or a number with more digits than Python reads
        reason = str(error)
        found = _AT_LINE.search(reason)
        if found is None:
            return Mistake(0, "", f"is not valid TOML: {reason}.")
        return Mistake(int(found[1]), "", f"is not valid TOML: {reason[: found.start()]}.")


def _plans(raw: Mapping[str, Any], base: Named, marks: Marks) -> Named:
    for key, value in raw.items():
        if key not in _TOP:
            advice = f"a plan is a table [plans.{key}]." if isinstance(value, dict) else nearest(key, _TOP)
            marks.add((key,), f"unknown key; {advice}")
    tables = raw.get("plans", {})
    if not isinstance(tables, dict):
        marks.add(("plans",), "must hold tables such as [plans.free].")
        tables = {}
    merged = dict(base)
    for name, table in tables.items():
        plan = _plan(name, table, base, marks)
        if plan is not None:
            merged[name] = plan
    return _only(raw["only"], merged, {*base, *tables}, marks) if "only" in raw else merged


def _only(value: object, merged: Named, known: Iterable[str], marks: Marks) -> Named:
    """Keep the plans that the file's ``only`` names, in its order."""
    reader = partial(plan_keys.word, of=sorted(known), kind="plan")
    kept = plan_keys.listed(value, ("only",), marks, reader)
    if not isinstance(kept, list):
        return merged
    if not kept:
        marks.add(("only",), "must name at least one plan.")
    return {name: merged[name] for name in kept if name in merged}


@dataclass(slots=True)
class _Table:
    """One ``[plans.NAME]``: the values that are right, and the keys of those that are not."""

    place: Place
    values: dict[str, Any] = field(default_factory=dict)
    wrong: set[str] = field(default_factory=set)
    unknown: bool = False


def _plan(name: str, raw: object, base: Named, marks: Marks) -> Plan | None:
    """The plan that a table makes, of the one in ``base`` if that has it; None where it is no table."""
    place = ("plans", name)
    if not NAME.fullmatch(name):
        marks.add(place, "a plan's name has 1 to 64 lower-case letters, digits, '.', '_' and '-'.")
    if not isinstance(raw, dict):
        marks.add(place, f"must be a table, [plans.{name}].")
        return None
    table = _read_table(raw, place, marks)
    plan = _merged(name, table, base.get(name))
    if not table.wrong & {"tiers", "models"} and not plan.models:
        _check_tiers(plan, table, base, marks)
    if "pool_period" in raw and plan.pool_messages is None and "pool_messages" not in table.wrong:
        marks.add((*place, "pool_period"), "there is no pool: set pool_messages, or leave pool_period out.")
    return plan


def _read_table(raw: Mapping[str, Any], place: Place, marks: Marks) -> _Table:
    table = _Table(place)
    for key, value in raw.items():
        if key not in KEYS:
            marks.add((*place, key), f"unknown key; {nearest(key, KEYS)}")
            table.unknown = True
            continue
        checked = KEYS[key](value, (*place, key), marks)
        if checked is WRONG:
            table.wrong.add(key)
        else:
            table.values[key] = checked
    return table


def _merged(name: str, table: _Table, base: Plan | None) -> Plan:
    """``base`` with the table's values; a limit of a tier that is no longer included goes with it."""
    values = dict(table.values)
    own = values.pop("daily_messages", {})
    plan = replace(base or Plan(name, title=name, tiers=()), **values)
    inherited = {
        tier: most for tier, most in plan.daily_messages.items() if tier in plan.tiers or plan.models
    }
    limits = {**inherited, **own}
    ordered = {tier: limits[tier] for tier in plan_keys.TIERS if limits.get(tier) is not None}
    period = plan.pool_period if plan.pool_messages is not None else "month"
    return replace(plan, daily_messages=ordered, pool_period=period)


def _check_tiers(plan: Plan, table: _Table, base: Named, marks: Marks) -> None:
    """A plan that names no models of its own includes a tier, and limits only those it includes."""
    if not plan.tiers:
        if plan.name in base:
            marks.add((*table.place, "tiers"), "allows no model: name a tier, or set models.")
        elif not table.unknown:
            near = nearest(plan.name, base)
            hint = f"; or {near}" if near.startswith("did") else "."
            marks.add(table.place, f"a new plan must set tiers, or models{hint}")
        return
    for tier, most in table.values.get("daily_messages", {}).items():
        if tier not in plan.tiers and most is not None:
            place = (*table.place, "daily_messages", tier)
            marks.add(place, f"the plan does not include this tier, only {', '.join(plan.tiers)}.")
