"""Texts that can be found again: each has a mark of its own at both ends."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator
from typing import Any

import msgspec

from tests.fuzz.said import PIECES


class Marks:
    """Hands out texts, and remembers those that have to arrive, and those the model reads."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._number = 0
        self.carried: list[str] = []
        self.read: list[str] = []
        self.labels: list[str] = []

    def text(self) -> str:
        """A text of a prompt: it has to arrive, and counts as what the model reads."""
        made = f"{self.name()}{self._chance.choice(PIECES)}{self._number}#"
        self.carried.append(made)
        self.read.append(made)
        return made

    def name(self) -> str:
        """A word that is nowhere else; nobody waits for it."""
        self._number += 1
        return f"#{self._number}_"

    def word(self) -> str:
        """An id or a name, which has to arrive."""
        self._number += 1
        made = f"w{self._number}w"
        self.carried.append(made)
        return made

    def label(self) -> str:
        """A file's name, for which some providers have no place."""
        self.labels.append(made := f"{self.name()[1:]}label")
        return made

    def payload(self) -> str:
        """Base64 that has to arrive."""
        made = base64.b64encode(f"payload {self.name()} of a file".encode()).decode()
        self.carried.append(made)
        return made

    def address(self) -> str:
        """Of a picture; it has to arrive."""
        made = f"https://pictures.example/{self.name()[1:]}.png"
        self.carried.append(made)
        return made


def leaves(value: Any) -> Iterator[str]:
    """Every string in it, keys and the JSON in strings included."""
    if isinstance(value, str):
        yield value
        if value.startswith("{"):
            try:
                yield from leaves(msgspec.json.decode(value))
            except (msgspec.DecodeError, ValueError):
                return
    elif isinstance(value, dict):
        for key, member in value.items():
            yield key
            yield from leaves(member)
    elif isinstance(value, list):
        for member in value:
            yield from leaves(member)


def missing(expected: list[str], found: Any) -> list[str]:
    """Those that are not in it."""
    everything = "\x01".join(leaves(found))
    return [each for each in expected if each not in everything]
