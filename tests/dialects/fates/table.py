"""The tables: each field of a client's dialect and what becomes of it over a provider's.

Kept as text beside this file, so that a review sees what a change does to a field, and so that an
SDK which publishes a new one makes the test fail until it is decided what becomes of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import ClassVar

from tests.dialects.fates import answer_reasons
from tests.dialects.fates.answer_fate import answer_fate
from tests.dialects.fates.answers import ANSWERS, Answers
from tests.dialects.fates.fate import WITHOUT, begin, fate
from tests.dialects.fates.pairs import CLIENTS, PROVIDERS, Client, Provider
from tests.dialects.fates.reasons import REASONS, Reason, reason
from writingmate.errors import UnsupportedParameter

FOLDER = Path(__file__).with_name("tables")
_WIDTH = 60


@dataclass(frozen=True)
class Table:
    """What becomes of requests of one dialect over a provider of another."""

    client: Client
    provider: Provider
    reasons: ClassVar[tuple[Reason, ...]] = REASONS

    @property
    def name(self) -> str:
        return f"{self.client.dialect}_to_{self.provider.dialect}"

    @property
    def title(self) -> str:
        return (
            f"A request in the dialect '{self.client.dialect}', to a provider of '{self.provider.dialect}'."
        )

    @property
    def path(self) -> Path:
        return FOLDER / f"{self.name}.txt"

    @cached_property
    def fates(self) -> list[tuple[str, str]]:
        """Every label and its fate. Raises AssertionError for what cannot be."""
        return [
            (label, fate(self.client, self.provider, label, *pair)) for label, *pair in self.client.rows()
        ]

    def text(self) -> str:
        """As it is kept. Raises AssertionError if a field is lost without a reason."""
        return written([(label, self._reasoned(label, found)) for label, found in self.fates], self.title)

    def used(self) -> set[Reason | None]:
        """The reasons for what is without effect."""
        return {self._reason(label) for label, found in self.fates if found == WITHOUT}

    def _reasoned(self, label: str, found: str) -> str:
        if found != WITHOUT:
            return found
        known = self._reason(label)
        assert known is not None, f"{self.name} loses {label}"
        return f"{WITHOUT}: {known.why}"

    def _reason(self, label: str) -> Reason | None:
        return reason(self.reasons, self.client.dialect, self.provider.dialect, label)


@dataclass(frozen=True)
class AnswerTable(Table):
    """What becomes of answers on the way back, whole or streamed."""

    answers: Answers
    reasons: ClassVar[tuple[Reason, ...]] = answer_reasons.REASONS

    @property
    def name(self) -> str:
        how = "_streamed" if self.answers.streamed else ""
        return f"{self.client.dialect}_from_{self.provider.dialect}{how}"

    @property
    def title(self) -> str:
        what = "A streamed answer" if self.answers.streamed else "An answer"
        return f"{what} of a provider of '{self.provider.dialect}', to a client of '{self.client.dialect}'."

    @cached_property
    def fates(self) -> list[tuple[str, str]]:
        return [
            (row.label, answer_fate(self.client, self.provider, self.answers, row))
            for row in self.answers.rows()
        ]


def tables() -> list[Table]:
    """Those of all pairs that are offered."""
    pairs = [(client, provider) for client in CLIENTS.values() for provider in PROVIDERS.values()]
    met = [pair for pair in pairs if offered(*pair)]
    back = [AnswerTable(*pair, answers) for pair in met for answers in ANSWERS[pair[1].dialect]]
    return [*(Table(*pair) for pair in met), *back]


def offered(client: Client, provider: Provider) -> bool:
    """Whether the two meet; where they do not, the model is refused for that endpoint."""
    try:
        begin(client, provider, client.base)
    except UnsupportedParameter as refusal:
        if refusal.param != "model" or "this endpoint" not in refusal.message:
            raise
        return False
    return True


def written(found: list[tuple[str, str]], title: str) -> str:
    """A table as text. What is within a field and fares like it is only counted."""
    lines = [f"{label.ljust(_WIDTH)}  {said}".rstrip() for label, said in _folded(found)]
    return "\n".join([f"# {title}", *lines, ""])


def _folded(found: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Each top-level field's rows together, if all fare alike; else those of each kind in it; else all."""
    yield from _together(found, depth=1)


def _together(found: list[tuple[str, str]], depth: int) -> Iterator[tuple[str, str]]:
    for start, group in groupby(found, key=lambda row: start_of(row[0], depth)):
        rows = list(group)
        said = {fate for _, fate in rows}
        if len(said) == 1 or depth > _deepest(rows):
            yield from _counted(start, rows) if len(said) == 1 else rows
        else:
            yield from _together(rows, depth + 1)


def _counted(start: str, rows: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    label = rows[0][0] if len(rows) == 1 else f"{start} ({len(rows)})"
    yield label, rows[0][1]


def _deepest(rows: list[tuple[str, str]]) -> int:
    return max(len(steps(label)) for label, _ in rows)


def start_of(label: str, depth: int) -> str:
    """The first so many steps of a label."""
    return "".join(steps(label)[:depth])


def steps(label: str) -> list[str]:
    """``a[b].c="d"`` is ``a``, ``[b]``, ``.c``, ``="d"``."""
    path, equals, word = label.partition("=")
    found = path.replace("[", "\0[").replace(".", "\0.").split("\0")
    return [*found, f"={word}"] if equals else found
