"""Lines of keys, held against `tomllib`: what it finds in a document, and nothing else, has a line."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from writingmate.settings import Lines, Place

NASTY = '''# comment = 1
title = "a # b = [c]" # [table]
text = """
[not.a.table]
key = "\\""" still the text
ends in quotes"""""
other = \'\'\'
x = \\\'\'\'\'
"dotted".'and quoted'.bare_1-2 = 1979-05-27 07:32:00
"esc\\u0041ped\\"]" = [ # [
  1, # a, comment ]
  [ 2, { deep = "}", er = [
    3 ] } ],
  "]", \'"\',
]
[ tab . le ] # = [x]
empty = []
none = {}
inline = { a.b = 1, "c" = [true], d = { e = -1.5e3 } }
[[array]]
x = 1
[array.sub]
y = 2
[[array]]
z = [
  { w = 1 },
]
[[array.more]]
v = 1
'''
LINES = {
    ("title",): 2,
    ("text",): 3,
    ("other",): 7,
    ("dotted", "and quoted", "bare_1-2"): 9,
    ('escAped"]',): 10,
    ('escAped"]', 0): 11,
    ('escAped"]', 1): 12,
    ('escAped"]', 1, 1, "deep"): 12,
    ('escAped"]', 1, 1, "er", 0): 13,
    ('escAped"]', 3): 14,
    ("tab", "le"): 16,
    ("tab", "le", "inline", "d", "e"): 19,
    ("array", 0): 20,
    ("array", 0, "sub", "y"): 23,
    ("array", 1): 24,
    ("array", 1, "z", 0, "w"): 26,
    ("array", 1, "more", 0, "v"): 29,
}


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Every key and element of a document that was read."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*at, key)
        yield from places(item, (*at, key))


@pytest.mark.parametrize(("place", "line"), LINES.items(), ids=str)
def test_the_line_of_a_key(place: Place, line: int) -> None:
    assert Lines(NASTY).of(*place) == line


def test_every_key_has_a_line_and_nothing_else_has() -> None:
    assert Lines(NASTY).places() == set(places(tomllib.loads(NASTY)))


def test_windows_line_ends_are_ends_of_lines() -> None:
    assert Lines("a = 1\r\n[b]\r\nc = [\r\n1]\r\n").of("b", "c", 0) == 4


def test_what_is_missing_is_where_it_would_be() -> None:
    lines = Lines("a = 1\n[b.c]\nd = 2\n")
    assert lines.of("b", "c", "missing", 7) == 2
    assert lines.of("missing") == 1
    assert Lines("").of("x") == 1


names = st.one_of(st.sampled_from(["a", "b", "c-d", "1"]), st.text(max_size=4))
scalars = st.one_of(st.integers(), st.booleans(), st.text(max_size=8))
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=8,
)


GAP = " # ] , x = {\n"


def quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def inline(value: Any) -> str:
    """The value as TOML, with a comment and the end of a line wherever an array may have one."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(key)} = {inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + GAP + ("," + GAP).join(map(inline, value)) + GAP + "]"
    return quoted(value) if isinstance(value, str) else json.dumps(value)


@given(st.dictionaries(names, st.dictionaries(names, values, max_size=3), max_size=3))
def test_any_document(tables: dict[str, dict[str, Any]]) -> None:
    written = []
    for table, pairs in tables.items():
        written.append(f"[ {quoted(table)} ] # [x]")
        written += [f"{quoted(key)} = {inline(value)} # y" for key, value in pairs.items()]
    text = "\n".join(written)
    lines = Lines(text)
    assert lines.places() == set(places(tomllib.loads(text)))
    for table, pairs in tables.items():
        for key in pairs:
            assert text.split("\n")[lines.of(table, key) - 1].startswith(f"{quoted(key)} = ")
