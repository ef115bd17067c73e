"""On which line each key of a TOML file stands, which `tomllib` does not tell.

The text must be valid TOML: read only as far as it takes to find keys and the elements of arrays.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_left
from typing import TypeAlias

Place: TypeAlias = tuple[str | int, ...]
"""Keys from the top of the file down, and indices of arrays: ``("plans", "free", "tiers", 1)``."""

_BLANK = re.compile(r"[ \t]*")
_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_NAME = re.compile(r'[A-Za-z0-9_-]+|"(?:\\.|[^"\\])*"|\'[^\']*\'')
# The forms with three quotes may end in up to two more that are part of the text.
_SCALAR = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:\\.|[^"\\])*"'
    r"|'[^']*'"
    r"|[^,\]}#\n]+",
    re.DOTALL,
)


class Lines:
    r"""The lines of one file's keys, the first of which is 1.

    >>> Lines("a = 1\n[b]\nc = {d = [\n1,\n2]}").of("b", "c", "d", 1)
    5
    """

    def __init__(self, text: str) -> None:
        self._places = _Scan(text).document()

    def of(self, *place: str | int) -> int:
        """The line of that key; where it is not in the file, the line of the table it would be in."""
        while place and place not in self._places:
            place = place[:-1]
        return self._places[place] if place else 1

    def places(self) -> frozenset[Place]:
        """Every key and element there is."""
        return frozenset(self._places)


class _Scan:
    """One walk through the text; ``_at`` is where it is."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._breaks = [match.start() for match in re.finditer("\n", text)]
        self._places: dict[Place, int] = {}
        self._elements: dict[Place, int] = {}

    def document(self) -> dict[Place, int]:
        table: Place = ()
        self._skip(_SPACE)
        while self._at < len(self._text):
            if self._sees("["):
                table = self._header()
            else:
                self._pair(table)
            self._skip(_SPACE)
        return self._places

    def _header(self) -> Place:
        """``[a.b]``, or ``[[a.b]]``, which begins the array's next element."""
        if not self._sees("[["):
            self._at += 1
            table = self._key(())
            self._at += 1
            return table
        line = self._line()
        self._at += 2
        array = self._key(())
        self._at += 2
        element = (*array, self._elements.get(array, 0))
        self._elements[array] = self._elements.get(array, 0) + 1
        self._places[element] = line
        return element

    def _pair(self, table: Place) -> None:
        place = self._key(table)
        self._at += 1
        self._skip(_BLANK)
        self._value(place)

    def _key(self, table: Place) -> Place:
        """A key, dotted or not, with the blanks around it."""
        place = table
        while True:
            self._skip(_BLANK)
            line, name = self._line(), self._name()
            place = (*place, name)
            if self._elements.get(place) and self._sees_more():
                place = (*place, self._elements[place] - 1)
            self._places.setdefault(place, line)
            self._skip(_BLANK)
            if not self._sees("."):
                return place
            self._at += 1

    def _sees_more(self) -> bool:
        """Whether the key goes on after the part just read: then it leads into an array's last element."""
        self._skip(_BLANK)
        return self._sees(".")

    def _name(self) -> str:
        start = self._at
        self._skip(_NAME)
        written = self._text[start : self._at]
        if written.startswith("'"):
            return written[1:-1]
        if written.startswith('"'):
            read: str = tomllib.loads(f"key = {written}")["key"]
            return read
        return written

    def _value(self, place: Place) -> None:
        if self._sees("["):
            self._array(place)
        elif self._sees("{"):
            self._inline_table(place)
        else:
            self._skip(_SCALAR)

    def _array(self, place: Place) -> None:
        index = 0
        self._inside()
        while not self._sees("]"):
            self._places[*place, index] = self._line()
            self._value((*place, index))
            index += 1
            self._after_element()
        self._at += 1

    def _inline_table(self, place: Place) -> None:
        self._inside()
        while not self._sees("}"):
            self._pair(place)
            self._after_element()
        self._at += 1

    def _inside(self) -> None:
        self._at += 1
        self._skip(_SPACE)

    def _after_element(self) -> None:
        self._skip(_SPACE)
        if self._sees(","):
            self._inside()

    def _sees(self, mark: str) -> bool:
        return self._text.startswith(mark, self._at)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise ValueError(f"not TOML at character {self._at}")
        self._at = match.end()

    def _line(self) -> int:
        return bisect_left(self._breaks, self._at) + 1
