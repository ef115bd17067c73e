"""How a provider, or a model there, differs in what it makes of a request: rules for single fields.

No field is ignored: it is carried as it is, sent as something that means the same, or refused by name.
What a rule takes away is either so anyway, or the caller is told of it. The rules themselves are data
(`quirks_rows`); they are applied in one place, to the document that is about to be sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from writingmate.dialects import faults
from writingmate.dialects.grammar import given
from writingmate.errors import UnsupportedParameter
from writingmate.types import DialectName
from writingmate.wire import document
from writingmate.wire.document import Document

_DEVELOPER = b'"developer"'
_SYSTEM = document.raw("system")
#: Fields that mean the same in a chat and in a response: rules for the others are chat's only.
SHARED = frozenset(("temperature", "top_p", "top_logprobs", "parallel_tool_calls"))
#: Groq's word for leaving the effort to the model, which is what every other provider does unasked.
_UNSAID = "default"


class Rule(Protocol):
    """What becomes of one field."""

    def apply(self, name: str, sent: Document) -> bool:
        """Change the document that is sent; True if the caller is to be told that the field is left out.

        Raises UnsupportedParameter: refused by name.
        """

    def words(self, name: str) -> str:
        """The rule as a sentence for people, without its full stop."""


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

    def words(self, name: str) -> str:
        """Which name."""
        return f"`{name}` is sent as `{self.to}`"


@dataclass(frozen=True, slots=True)
class Unneeded:
    """The provider does not know it, and the answer is the same without it."""

    def apply(self, name: str, sent: Document) -> bool:
        """Left out."""
        del sent[name]
        return False

    def words(self, name: str) -> str:
        """That it is left out."""
        return f"`{name}` is left out: the answer is the same"


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

    def words(self, name: str) -> str:
        """What is refused, and what not."""
        so_anyway = [_json(value) for value in self.same if value not in ([], {})]
        beside = f" other than {' or '.join(so_anyway)}" if so_anyway else ""
        told = "".join(f"; {_json(value)} is left out, and a header says so" for value in self.told)
        return f"`{name}`{beside} is refused{told}"


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
        if word is not None and word not in (*self.near, *self.instead, _UNSAID):
            raise _refusal(name, word, f"Send {faults.listed(self.accepted, 'or')}.")
        del sent[name]
        if word in self.near:
            sent[name] = document.raw(self.near[word])
        for other, value in self.instead.get(word, {}).items():
            sent.setdefault(other, document.raw(value))
        return False

    def words(self, name: str) -> str:
        """Which are accepted, and what the others become."""
        said = [f"`{name}` may be {faults.listed(self.accepted, 'or')}".replace("'", "`")]
        said += [f"`{word}` becomes `{other}`" for word, other in self.near.items()]
        said += [
            f"`{word}` becomes `{name}` of {_json(value)}"
            for word, others in self.instead.items()
            for name, value in others.items()
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

    def words(self, name: str) -> str:
        """How much."""
        return f"`{name}` is at most {self.most}"


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

    def words(self, name: str) -> str:
        """Which ones."""
        return f"`{name}` may be of type {faults.listed(self.known, 'or')}".replace("'", "`")


@dataclass(frozen=True, slots=True)
class Quirks:
    """All that is peculiar to one model at one provider.

    ``rules`` hold always, ``thinking`` only while the model thinks, which it does unless it is told
    not to, or, where it ``rests``, only if it is told to. ``one_choice``: a call has one answer,
    whatever ``n`` says. ``system_only``: there is no role ``developer``.
    """

    rules: Mapping[str, Rule] = field(default_factory=dict)
    thinking: Mapping[str, Rule] = field(default_factory=dict)
    rests: bool = False
    one_choice: bool = False
    system_only: bool = False
    concerned: frozenset[str] = field(init=False, default=frozenset())

    def __post_init__(self) -> None:
        object.__setattr__(self, "concerned", frozenset((*self.rules, *self.thinking)))

    def over(self, other: Quirks) -> Quirks:
        """These laid over ``other``: a field's rule here stands for the one there."""
        kept = {name: rule for name, rule in other.thinking.items() if name not in self.rules}
        return Quirks(
            {**other.rules, **self.rules},
            {**kept, **self.thinking},
            self.rests or other.rests,
            self.one_choice or other.one_choice,
            self.system_only or other.system_only,
        )

    def apply(self, sent: Document, dialect: DialectName) -> list[str]:
        """Make the document what the provider takes; the fields that the caller is to be told of.

        Raises UnsupportedParameter: refused by name. A document with no field concerned is not touched.
        """
        told: list[str] = []
        if dialect != "completions" and not self.concerned.isdisjoint(sent):
            rules = {**self.thinking, **self.rules} if self._thinks(sent) else self.rules
            named = [name for name in sent if name in rules and (dialect == "chat" or name in SHARED)]
            told = [name for name in named if rules[name].apply(name, sent)]
        if self.one_choice and dialect == "chat":
            sent.pop("n", None)
        if self.system_only and dialect == "chat":
            _as_system(sent)
        return told

    def _thinks(self, sent: Document) -> bool:
        """Whether the model will think, as far as the request says."""
        native = _member(sent, "thinking", "type")
        if native is not None:
            return native != "disabled"
        effort: object = _member(sent, "reasoning", "effort")
        if given(sent, "reasoning_effort"):
            effort = document.value(sent["reasoning_effort"])
        return not self.rests if effort in (None, _UNSAID) else effort != "none"

    def words(self) -> list[str]:
        """Each of them as a sentence for people, without its full stop."""
        said = [rule.words(name) for name, rule in self.rules.items()]
        resting = "reasons" if self.rests else "reasons, which it does unless it is told not to"
        said += [
            f"while it {resting}, {rule.words(name)}"
            for name, rule in self.thinking.items()
            if name not in self.rules
        ]
        if self.one_choice:
            said.append("`n` is as many calls, one for each choice")
        if self.system_only:
            said.append("messages of the `developer` are sent as the `system`'s")
        return said


#: Nothing is.
PLAIN = Quirks()


def _member(sent: Document, name: str, member: str) -> object:
    raw = sent.get(name)
    if raw is None or bytes(memoryview(raw)[:1]) != b"{":
        return None
    said = document.members(raw).get(member)
    return None if said is None else document.value(said)


def _as_system(sent: Document) -> None:
    """Messages of the developer's become the system's, which is what they are elsewhere."""
    raw = sent.get("messages")
    if raw is None or bytes(raw).find(_DEVELOPER) < 0:
        return
    sent["messages"] = document.raw([_as_systems(each) for each in document.elements(raw)])


def _as_systems(message: msgspec.Raw) -> msgspec.Raw | Document:
    text = bytes(message)
    if not text.startswith(b"{") or _DEVELOPER not in text:
        return message
    members = document.members(message)
    if bytes(members.get("role", b"")) == _DEVELOPER:
        members["role"] = _SYSTEM
    return members


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
