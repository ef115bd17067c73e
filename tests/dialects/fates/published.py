"""Walks a vendor's published types and makes an example of every field in them.

A row is a label such as ``messages[user].content[image_url].image_url.detail="low"``, a value in which
that field says something, and the same value without it (or, where it is required, with another
value in it). ``[user]`` is the kind of an object among several, ``[]`` a list of one kind.
"""

from __future__ import annotations

import collections.abc
import os
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import typing_extensions
from pydantic import BaseModel

ABSENT: Any = type("Absent", (), {"__repr__": lambda _: "ABSENT"})()
#: Makes the list in which an item stands; ABSENT gives the list without it, or ABSENT.
Around = Callable[[str, Any], Any]

_LISTS = (list, collections.abc.Iterable, collections.abc.Sequence, tuple)
_WRAPPERS = (
    typing.Annotated, typing.Required, typing.NotRequired, typing_extensions.Required,
    typing_extensions.NotRequired,
)  # fmt: skip
_PLAIN: dict[Any, Any] = {
    str: "x7", int: 7, float: 0.5, bool: True, object: "x7", Any: "x7", bytes: "QUFB",
    datetime: "2026-11-22T10:00:00Z",
}  # fmt: skip
#: What an SDK reads itself, before anything is sent.
_FILES = (typing.IO, os.PathLike)
_TAGS = ("type", "role", "kind", "object")


@dataclass(frozen=True, slots=True)
class Row:
    """``other`` is the value to compare with, ABSENT for nothing at all."""

    label: str
    value: Any
    other: Any = ABSENT


@dataclass(frozen=True, slots=True)
class Field:
    name: str
    hint: Any
    required: bool


class Walker:
    """Examples of the fields of types.

    Args:
        values: what a field must say to make sense, by the end of its label; of an object, what its
            least example has beside what is required.
        around: makes the list in which an item stands.
    """

    def __init__(self, values: Mapping[str, Any], around: Around | None = None) -> None:
        self._values = values
        self._around = around or _alone

    def rows(self, hint: Any, label: str = "", seen: tuple[Any, ...] = ()) -> Iterator[Row]:
        """A row for each field, kind and word in a type."""
        found = alternatives(hint)
        for each in found:
            yield from self._rows(each, named(label, each, found) if is_object(each) else label, seen)

    def least(self, hint: Any, label: str, seen: tuple[Any, ...] = ()) -> Any:
        """The smallest value that the type allows and that makes sense."""
        first = alternatives(hint)[0]
        if is_object(first):
            return self._least_object(first, named(label, first, alternatives(hint)), seen)
        given = self._given(label)
        if given is not ABSENT:
            return given
        if words := _words(first):
            return words[0]
        if get_origin(first) in _LISTS:
            return self._around(label, self.least(get_args(first)[0], f"{label}[]", seen))
        if get_origin(first) in (dict, collections.abc.Mapping):
            return {"k": self.least(get_args(first)[1], f"{label}.k", seen)}
        return {} if first is dict else _PLAIN[first]

    def _rows(self, hint: Any, label: str, seen: tuple[Any, ...]) -> Iterator[Row]:
        if is_object(hint):
            yield from self._of_object(hint, label, seen)
        elif get_origin(hint) in _LISTS:
            for row in self.rows(get_args(hint)[0], f"{label}[]", seen):
                yield Row(row.label, self._around(label, row.value), self._around(label, row.other))
        elif words := _words(hint):
            for word in words:
                yield Row(label if len(words) == 1 else f'{label}="{word}"', word)
        else:
            yield Row(label, self.least(hint, label, seen))

    def _of_object(self, hint: Any, label: str, seen: tuple[Any, ...]) -> Iterator[Row]:
        least = self._least_object(hint, label, seen)
        if label:
            yield Row(label, least)
        if hint in seen:
            return
        for field in fields(hint):
            inner = f"{label}.{field.name}" if label else field.name
            without = {name: value for name, value in least.items() if name != field.name}
            for row in self.rows(field.hint, inner, (*seen, hint)):
                other = row.other
                if other is ABSENT and field.required:
                    other = self._another(field, inner, row, (*seen, hint))
                    if other is ABSENT:
                        continue
                yield Row(
                    row.label,
                    {**without, field.name: row.value},
                    without if other is ABSENT else {**without, field.name: other},
                )

    def _another(self, field: Field, label: str, row: Row, seen: tuple[Any, ...]) -> Any:
        """Another value of a field that must be there, ABSENT if there is none."""
        found = alternatives(field.hint)
        words = [word for each in found for word in _words(each)]
        if row.value in words:
            return next((word for word in words if word != row.value), ABSENT)
        if isinstance(row.value, str | bool | int | float):
            return varied(row.value)
        for each in found:
            other = self.least(each, label, seen)
            if other != row.value:
                return other
        return ABSENT

    def _least_object(self, hint: Any, label: str, seen: tuple[Any, ...]) -> dict[str, Any]:
        least = {
            field.name: self.least(
                field.hint, f"{label}.{field.name}" if label else field.name, (*seen, hint)
            )
            for field in fields(hint)
            if field.required
        }
        given = self._given(label)
        return least if given is ABSENT else {**least, **given}

    def _given(self, label: str) -> Any:
        ends = [end for end in self._values if label == end or label.endswith(_end(end))]
        return self._values[max(ends, key=len)] if ends else ABSENT


def _end(name: str) -> str:
    return name if name.startswith("[") else f".{name}"


def varied(value: Any) -> Any:
    """Another value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value / 2
    return '{"b":2}' if value.startswith("{") else f"{value}z"


def alternatives(hint: Any) -> list[Any]:
    """What a type may be, without null; words are left out where any string will do."""
    hint = unwrapped(hint)
    if get_origin(hint) in (Union, types.UnionType):
        found = [each for arg in get_args(hint) for each in alternatives(arg)]
        found = [each for at, each in enumerate(found) if each not in found[:at]]
        words = [each for each in found if _words(each)]
        if any(typing_extensions.is_typeddict(each) for each in found):
            # What an SDK read from an answer may be given back as it is: the same by another type.
            found = [each for each in found if not _is_model(each)]
        return [each for each in found if str not in found or each not in words]
    return [] if hint in (type(None), Enum) or get_origin(hint) in _FILES else [hint]


def _words(hint: Any) -> tuple[Any, ...]:
    """What a literal or an enum may be; nothing for other types."""
    if isinstance(hint, type) and issubclass(hint, Enum):
        return tuple(each.value for each in hint)
    return get_args(hint) if get_origin(hint) is Literal else ()


def unwrapped(hint: Any) -> Any:
    """The type itself."""
    while True:
        if get_origin(hint) in _WRAPPERS:
            hint = get_args(hint)[0]
        elif hasattr(hint, "__value__"):
            hint = hint.__value__
        else:
            return hint


def is_object(hint: Any) -> bool:
    return typing_extensions.is_typeddict(hint) or _is_model(hint)


def _is_model(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, BaseModel)


def fields(hint: Any) -> list[Field]:
    """The fields of a TypedDict or of a model, by the names they have on the wire."""
    if _is_model(hint):
        return [
            Field(field.alias or name, field.annotation, field.is_required())
            for name, field in hint.model_fields.items()
        ]
    hints = get_type_hints(hint, include_extras=True)
    aliased = {name: _alias(each) or name for name, each in hints.items()}
    return [Field(aliased[name], each, _required(hint, name, each)) for name, each in hints.items()]


def _alias(hint: Any) -> str | None:
    """What the SDK puts on the wire for a name that Python reserves."""
    while get_origin(hint) in _WRAPPERS:
        for note in getattr(hint, "__metadata__", ()):
            if getattr(note, "alias", None):
                return str(note.alias)
        hint = get_args(hint)[0]
    return None


def _required(owner: Any, name: str, hint: Any) -> bool:
    while get_origin(hint) in _WRAPPERS:
        if get_origin(hint) in (typing.Required, typing_extensions.Required):
            return True
        hint = get_args(hint)[0]
    for base in getattr(owner, "__orig_bases__", ()):
        if typing_extensions.is_typeddict(base) and name in base.__annotations__:
            return _required(base, name, hint)
    return bool(owner.__total__)


def named(label: str, hint: Any, among: list[Any]) -> str:
    """The label of an object: its kind, where there are several."""
    if len(among) == 1:
        return label
    tags = [tag(each) for each in among if is_object(each)]
    kind = tag(hint) if tags.count(tag(hint)) == 1 else hint.__name__.removesuffix("Param")
    return f"{label.removesuffix('[]')}[{kind}]"


def tag(hint: Any) -> str:
    """The kind of an object: the word that says so, or the name of its type."""
    by_name = {field.name: field.hint for field in fields(hint)}
    for name in _TAGS:
        found = alternatives(by_name[name]) if name in by_name else []
        words = get_args(found[0]) if len(found) == 1 and get_origin(found[0]) is Literal else ()
        if words and all(str(word).startswith(str(words[0])) for word in words):
            return str(words[0])
    return str(hint.__name__).removesuffix("Param")


def _alone(_label: str, item: Any) -> Any:
    return item if item is ABSENT else [item]
