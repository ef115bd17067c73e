"""Rules for single fields: what becomes of one on its way to a provider that differs in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from writingmate.dialects import faults
from writingmate.dialects.grammar import given
from writingmate.errors import UnsupportedParameter
from writingmate.wire import document
from writingmate.wire.document import Document

#: Groq's word for leaving the effort to the model, which is what every other provider does unasked.
UNSAID = "default"


class Rule(Protocol):
    """What becomes of one field."""

    def apply(self, name: str, sent: Document) -> bool:
        """Change the document that is sent; True if the caller is to be told that the field is left out.

        Raises UnsupportedParameter: refused by name.
        """

    def words(self) -> str:
        """What becomes of the field, for people."""


@dataclass(frozen=True, slots=True)
class Renamed:
    """The provider has another name for it."""

    to: str

    def apply(self, name: str, sent: Document) -> bool:
        """Under the other name, unless it says nothing."""
        said, raw = given(sent, name), sent.pop(name)
        if said:
            sent[self.to] = raw
        return False

    def words(self) -> str:
        """Which name."""
        return f"sent as `{self.to}`"


@dataclass(frozen=True, slots=True)
class Unneeded:
    """The provider does not know it, and the answer is the same without it."""

    def apply(self, name: str, sent: Document) -> bool:
        """Left out."""
        del sent[name]
        return False

    def words(self) -> str:
        """That it is left out."""
        return "left out: the answer is the same"


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider refuses it, or would ignore it.

    Values of ``same`` say what is so anyway and are left out. So are those of ``told``, which ask for
    what the model cannot do but need not matter to who sent them; the answer's head says so.
    """

    same: tuple[object, ...] = ()
    told: tuple[object, ...] = ()

    def apply(self, name: str, sent: Document) -> bool:
        """Left out, or refused."""
        value = document.value(sent[name])
        if value is not None and value not in (*self.same, *self.told):
            raise _refusal(name, value if any(self.same) else None)
        del sent[name]
        return value in self.told

    def words(self) -> str:
        """What is refused, and what not."""
        so_anyway = [_json(value) for value in self.same if value not in ([], {})]
        but = f", but for {' or '.join(so_anyway)}" if so_anyway else ""
        return f"refused{but}" + "".join(
            f"; {_json(each)} is left out, and a header says so" for each in self.told
        )


@dataclass(frozen=True, slots=True)
class Insisted:
    """Some of a router's hosts ignore it: only those that know it may answer, if it is none of ``same``.

    So says the member ``wish`` of the router's own field ``of``; what the caller wishes there stays.
    """

    same: tuple[object, ...] = ()
    of: str = "provider"
    wish: str = "require_parameters"

    def apply(self, name: str, sent: Document) -> bool:
        """Carried, with the wish beside it."""
        if document.value(sent[name]) in (None, *self.same):
            return False
        wishes: Document = {}
        if given(sent, self.of):
            if bytes(memoryview(sent[self.of])[:1]) != b"{":
                return False
            wishes = document.members(sent[self.of])
        sent[self.of] = document.raw({self.wish: True, **wishes})
        return False

    def words(self) -> str:
        """What goes with it."""
        return f"sent with `{self.of}.{self.wish}`, so that no host ignores it"


@dataclass(frozen=True, slots=True)
class Words:
    """Some words are accepted, others become the nearest that is (``near``), or fields of the provider's.

    A word that none of the three has is refused.
    """

    accepted: tuple[str, ...]
    near: Mapping[str, str] = field(default_factory=dict)
    instead: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    def apply(self, name: str, sent: Document) -> bool:
        """The provider's word, or fields, for it."""
        word = document.value(sent[name])
        if word in self.accepted:
            return False
        if word is not None and word not in (*self.near, *self.instead, UNSAID):
            raise _refusal(name, word, f"Send {faults.listed(self.accepted, 'or')}.")
        del sent[name]
        if word in self.near:
            sent[name] = document.raw(self.near[word])
        for other, value in self.instead.get(word, {}).items():
            sent.setdefault(other, document.raw(value))
        return False

    def words(self) -> str:
        """Which are accepted, and what the others become."""
        said = [faults.listed(self.accepted, "or").replace("'", "`")]
        said += [f"`{word}` becomes `{other}`" for word, other in self.near.items()]
        said += [
            f"`{word}` becomes `{other}` of {_json(value)}"
            for word, others in self.instead.items()
            for other, value in others.items()
        ]
        return "; ".join(said)


@dataclass(frozen=True, slots=True)
class AtMost:
    """A number that is lower here than in the grammar."""

    most: int

    def apply(self, name: str, sent: Document) -> bool:
        """Carried, or refused."""
        value = document.value(sent[name])
        if value is not None and value > self.most:
            raise faults.above_maximum(name, value, self.most, "integer")
        return False

    def words(self) -> str:
        """How much."""
        return f"at most {self.most}"


@dataclass(frozen=True, slots=True)
class Kinds:
    """An object of which the provider knows some kinds only, told apart by ``type``."""

    known: tuple[str, ...]

    def apply(self, name: str, sent: Document) -> bool:
        """Carried, or refused."""
        kind = document.members(sent[name]).get("type")
        said = None if kind is None else document.value(kind)
        if said is not None and said not in self.known:
            raise _refusal(f"{name}.type", said, f"Send {faults.listed(self.known, 'or')}.")
        return False

    def words(self) -> str:
        """Which ones."""
        return f"of type {faults.listed(self.known, 'or')}".replace("'", "`")


def _refusal(name: str, value: object, advice: str = "Leave it out.") -> UnsupportedParameter:
    """The refusal of a field, or, unless it is None, of one value of it."""
    if value is None:
        return UnsupportedParameter(
            f"Unsupported parameter: '{name}' is not supported with this model. {advice}", param=name
        )
    shown = faults.shown(value if isinstance(value, str) else _json(value))
    return UnsupportedParameter(
        f"Unsupported value: '{name}' of {shown} is not supported with this model. {advice}",
        param=name,
        code="unsupported_value",
    )


def _json(value: object) -> str:
    return bytes(document.raw(value)).decode()
