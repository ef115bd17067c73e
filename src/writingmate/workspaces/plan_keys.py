"""The keys of a plan in a plans file: what each may hold, and the words for what it may not.

Every mistake of a file is told at once, so a wrong value is marked and passed over, not raised.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from types import MappingProxyType
from typing import Final, TypeAlias, get_args

from writingmate.settings import Lines, Place, nearest
from writingmate.types import Tier

TIERS: Final[tuple[Tier, ...]] = get_args(Tier)
UNLIMITED: Final = "unlimited"
NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
MOST: Final = 10**15
LONGEST: Final = 200

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_KINDS: Final[Mapping[type, str]] = MappingProxyType(
    {bool: "true or false", int: "a number", float: "a number with a point", list: "a list", dict: "a table"}
)


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """What is wrong in a plans file: on which line, at which key, and what would do.

    ``line`` is 0 and ``where`` empty where the file cannot be read at all.
    """

    line: int
    where: str
    what: str

    def __str__(self) -> str:
        return ": ".join(
            part for part in (str(self.line) if self.line else "", self.where, self.what) if part
        )


@dataclass(slots=True)
class Marks:
    """The mistakes of one file, marked at the keys that ``lines`` knows."""

    lines: Lines
    found: list[Mistake] = field(default_factory=list)

    def add(self, place: Place, what: str) -> Wrong:
        """Note what is wrong at ``place``."""
        self.found.append(Mistake(self.lines.of(*place), shown(place), what))
        return WRONG


class Wrong:
    """Stands for a value that was marked."""


WRONG: Final = Wrong()
Reader: TypeAlias = Callable[[object, Place, Marks], object]


def shown(place: Place) -> str:
    """A place as it would be written: ``plans."my plan".tiers[1]``."""
    parts = [f"[{part}]" if isinstance(part, int) else f".{_quoted(part)}" for part in place]
    return "".join(parts).removeprefix(".")


def number(value: object, place: Place, marks: Marks, *, least: int = 0) -> object:
    """A whole number from ``least`` on; None for ``"unlimited"``."""
    if value == UNLIMITED:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        return marks.add(place, f'must be a whole number, or "{UNLIMITED}", not {_kind(value)}.')
    if not least <= value <= MOST:
        bound = f"at least {least}" if value < least else f"at most {MOST}"
        return marks.add(place, f'must be {bound}, or "{UNLIMITED}".')
    return value


def text(value: object, place: Place, marks: Marks) -> object:
    """One line of words."""
    if not isinstance(value, str):
        return marks.add(place, f"must be a text in quotes, not {_kind(value)}.")
    if not value.strip() or len(value) > LONGEST or not value.isprintable():
        return marks.add(place, f"must have 1 to {LONGEST} printable characters.")
    return value.strip()


def switch(value: object, place: Place, marks: Marks) -> object:
    """``true`` or ``false``."""
    return (
        value if isinstance(value, bool) else marks.add(place, f"must be true or false, not {_kind(value)}.")
    )


def choice(value: object, place: Place, marks: Marks, *, of: Collection[str]) -> object:
    """One of a few words."""
    if isinstance(value, str) and value in of:
        return value
    words = " or ".join(f'"{word}"' for word in of)
    return marks.add(place, f"must be {words}, not {_kind(value)}.")


def tiers(value: object, place: Place, marks: Marks) -> object:
    """Tiers, in the order of their price whatever order they are written in."""
    named = listed(value, place, marks, _tier)
    return tuple(tier for tier in TIERS if tier in named) if isinstance(named, list) else named


def models(value: object, place: Place, marks: Marks) -> object:
    """Slugs and patterns of them."""
    named = listed(value, place, marks, _pattern)
    return tuple(named) if isinstance(named, list) else named


def daily_messages(value: object, place: Place, marks: Marks) -> object:
    """Tier → messages a day; None where a limit is taken away."""
    if not isinstance(value, Mapping):
        return marks.add(place, f"must be a table such as {{ basic = 30 }}, not {_kind(value)}.")
    read = {
        tier: number(messages, (*place, tier), marks)
        for tier, messages in value.items()
        if _tier(tier, (*place, tier), marks) is not WRONG
    }
    return {tier: messages for tier, messages in read.items() if messages is not WRONG}


def listed(value: object, place: Place, marks: Marks, reader: Reader) -> object:
    """A list of what ``reader`` reads, each once."""
    if not isinstance(value, list):
        return marks.add(place, f"must be a list, in brackets, not {_kind(value)}.")
    read: list[object] = []
    for index, item in enumerate(value):
        one = reader(item, (*place, index), marks)
        if one in read and one is not WRONG:
            one = marks.add((*place, index), f"names {item!r} twice.")
        read.append(one)
    return WRONG if WRONG in read else read


def word(value: object, place: Place, marks: Marks, *, of: Collection[str], kind: str) -> object:
    """One of the words that exist."""
    if not isinstance(value, str):
        return marks.add(place, f"must be a {kind} in quotes, not {_kind(value)}.")
    return value if value in of else marks.add(place, f"no {kind} is called {value!r}; {nearest(value, of)}")


_tier = partial(word, of=TIERS, kind="tier")

KEYS: Final[Mapping[str, Reader]] = MappingProxyType(
    {
        "title": text,
        "tiers": tiers,
        "models": models,
        "daily_messages": daily_messages,
        "scope": partial(choice, of=("member", "workspace")),
        "requests_per_minute": partial(number, least=1),
        "max_body_bytes": partial(number, least=1024),
        "max_upload_bytes": number,
        "pool_messages": number,
        "pool_period": partial(choice, of=("month", "lifetime")),
        "video_seconds_per_month": number,
        "images_per_day": number,
        "byok": switch,
    }
)


def _pattern(value: object, place: Place, marks: Marks) -> object:
    if not isinstance(value, str):
        return marks.add(place, f"must be a model's slug in quotes, not {_kind(value)}.")
    if not 0 < len(value) <= LONGEST or not value.isascii() or not value.isprintable() or " " in value:
        return marks.add(place, 'must be a slug without spaces, such as "openai/gpt-5" or "local/*".')
    return value


def _quoted(name: str) -> str:
    return name if _BARE.fullmatch(name) else f'"{name}"'


def _kind(value: object) -> str:
    """What a value of the wrong sort is, in TOML's words."""
    if isinstance(value, str):
        return f"{value[:LONGEST]!r}"
    return next((word for kind, word in _KINDS.items() if isinstance(value, kind)), "a date or time")
