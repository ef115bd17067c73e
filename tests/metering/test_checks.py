"""Rows that are right, and each way in which one can be wrong by itself."""

from __future__ import annotations

import pytest

from writingmate.metering.applied import Applied, applied
from writingmate.metering.checks import entry_faults, hold_faults
from writingmate.metering.commands import EntryRow, HoldRow

PLAN = '["user:u","messages:pro","2026-11-22",10,%d]'
CAP = '["key:k","messages","2026-11-22",10,%d]'
DAY = 1_795_348_800.0

ENTRY = EntryRow(
    "ws", "r", "u", "k", "m", "p", "um", "chat.completions", 20_000, 10, 0, 0, 2, 3,
    f"[{PLAN % 8}]", "", None, "2026-11-22", DAY, DAY + 1, "premium", "pro",
)  # fmt: skip
HOLD = HoldRow(
    "ws", "r", "n", "u", "k", "m", "p", "um", "chat.completions", 20_000, 10, 2,
    '[["user:u","messages:pro","2026-11-22",2]]', DAY, "premium", "pro",
)  # fmt: skip


def complaints(entry: EntryRow) -> list[str]:
    return [fault.column for fault in entry_faults(entry, applied(entry.windows))]


def test_limits_are_read_as_every_version_wrote_them() -> None:
    assert applied("[]") == ()
    assert applied('[["workspace","m","2026-11"]]') == (Applied("workspace", "m", "2026-11"),)
    assert applied('[["s","m","p",5],["s","m","q",5,-3]]') == (
        Applied("s", "m", "p", 5),
        Applied("s", "m", "q", 5, -3),
    )
    assert Applied("s", "m", "p").key("ws") == ("ws", "s", "m", "p")


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[1]", '[["s","m"]]', '[["s","m","p","5"]]', '[["s","m","p",5,1.5]]', '[[1,"m","p"]]', "[["],
)
def test_what_nobody_writes_is_not_read(text: str) -> None:
    assert applied(text) is None


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"windows": "[]"},
        {"windows": '[["user:u","messages:pro","2026-11-22"]]'},
        {"windows": f"[{PLAN % -5}]"},
        {"windows": f"[{CAP % 8}]", "flags": "byok"},
        {"windows": "[]", "flags": "byok"},
        {"flags": "clamped"},
        {"flags": "clamped failed", "messages": 0, "prompt_tokens": 0, "completion_tokens": 0},
        {"flags": "overrun", "messages": 4, "prompt_tokens": 60_000, "windows": f"[{PLAN % 6}]"},
        # held before limits were kept, and settled since
        {"windows": '[["user:u","messages:pro","2026-11-22",0,-5]]', "plan": ""},
    ],
)
def test_a_right_entry_has_no_fault(change: dict[str, object]) -> None:
    assert complaints(ENTRY._replace(**change)) == []  # type: ignore[arg-type]  # columns by name


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        ({"messages": 3}, ["messages", "left of user:u/messages:pro/2026-11-22"]),
        ({"cached_tokens": 20_000}, ["messages"]),
        ({"flags": "failed"}, ["messages", "tokens"]),
        ({"flags": "failed", "messages": 0}, ["tokens"]),
        ({"flags": "overrun"}, ["overrun"]),
        ({"held_messages": 1}, ["overrun"]),
        ({"day": "2026-11-23"}, ["day"]),
        ({"started_at": DAY + 43_200}, ["day"]),
        ({"windows": "[["}, ["windows"]),
        ({"windows": '[["user:u","messages:pro","2026-11-22",10,"8"]]'}, ["windows"]),
        ({"windows": f"[{PLAN % 9}]"}, ["left of user:u/messages:pro/2026-11-22"]),
        ({"windows": f"[{PLAN % 8}]", "flags": "byok"}, ["windows"]),
        ({"windows": f"[{CAP % 8},{PLAN % 8}]", "flags": "byok"}, ["windows"]),
        ({"windows": "[]", "flags": "clamped"}, ["windows"]),
        ({"held_messages": 11, "flags": "clamped"}, ["held against user:u/messages:pro/2026-11-22"]),
    ],
)
def test_a_wrong_entry_is_told_by_its_column(change: dict[str, object], faults: list[str]) -> None:
    assert complaints(ENTRY._replace(**change)) == faults  # type: ignore[arg-type]  # columns by name


@pytest.mark.parametrize(
    ("change", "faults"),
    [
        ({}, []),
        ({"windows": "[]"}, []),
        ({"messages": 3}, ["messages", "held against user:u/messages:pro/2026-11-22"]),
        ({"windows": "nothing"}, ["windows"]),
        ({"windows": '[["s","m","p",1]]'}, ["held against s/m/p"]),
    ],
)
def test_a_hold(change: dict[str, object], faults: list[str]) -> None:
    hold = HOLD._replace(**change)  # type: ignore[arg-type]  # columns by name
    assert [fault.column for fault in hold_faults(hold, applied(hold.windows))] == faults
