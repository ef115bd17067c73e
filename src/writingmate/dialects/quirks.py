"""How a provider, or a model there, differs in what it makes of a request: rules for single fields.

No field is ignored: it is carried as it is, sent as something that means the same, or refused by name.
What a rule takes away is either so anyway, or the caller is told of it. The rules themselves are data
(`quirks_rows`, made of `quirks_rules`); they are applied in one place, to the document that is about
to be sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from writingmate.dialects.grammar import given
from writingmate.dialects.quirks_rules import UNSAID, Rule
from writingmate.types import DialectName
from writingmate.wire import document
from writingmate.wire.document import Document

_DEVELOPER = b'"developer"'
_NOTHING = frozenset((b"null", b"false", b"{}"))
_SYSTEM = document.raw("system")
#: Fields that mean the same in a chat and in a response: rules for the others are chat's only.
SHARED = frozenset(("temperature", "top_p", "top_logprobs", "parallel_tool_calls"))


@dataclass(frozen=True, slots=True)
class Quirks:
    """All that is peculiar to one model at one provider.

    ``rules`` hold always; those of ``thinking`` stand for them while the model thinks, which it does
    unless it is told not to, or, where it ``rests``, only if it is told to. ``one_choice``: a call has
    one answer, whatever ``n`` says. ``system_only``: there is no role ``developer``. ``lacking`` are
    fields that its completions do not know, so that a completion with one of them is chatted.
    """

    rules: Mapping[str, Rule] = field(default_factory=dict)
    thinking: Mapping[str, Rule] = field(default_factory=dict)
    rests: bool = False
    one_choice: bool = False
    system_only: bool = False
    lacking: frozenset[str] = frozenset()
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
            self.lacking | other.lacking,
        )

    def lacks(self, completion: Document) -> bool:
        """Whether a completion asks for something that completions there do not know."""
        fields = self.lacking.intersection(completion)
        return any(bytes(completion[name]) not in _NOTHING for name in fields)

    def apply(self, sent: Document, dialect: DialectName) -> list[str]:
        """Make the document what the provider takes; the fields that the caller is to be told of.

        Raises UnsupportedParameter: refused by name. A document with no field concerned is not touched.
        """
        told: list[str] = []
        if dialect in ("chat", "responses") and not self.concerned.isdisjoint(sent):
            rules = {**self.rules, **self.thinking} if self._thinks(sent) else self.rules
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
        return not self.rests if effort in (None, UNSAID) else effort != "none"

    def words(self) -> list[str]:
        """Lines for people: fields, and what becomes of them."""
        alike: dict[str, list[str]] = {}
        for name, rule in self.rules.items():
            alike.setdefault(rule.words(), []).append(f"`{name}`")
        unless = "" if self.rests else ", as it does unless told otherwise"
        for name, rule in self.thinking.items():
            alike.setdefault(f"{rule.words()} (while it reasons{unless})", []).append(f"`{name}`")
        lines = [f"{', '.join(names)}: {words}" for words, names in alike.items()]
        lines += ["`n`: a call for each choice"] if self.one_choice else []
        lacking = ", ".join(f"`{name}`" for name in sorted(self.lacking))
        lines += [f"{lacking} of a completion: by chat, or refused"] if lacking else []
        return [*lines, *(["role `developer`: sent as `system`"] if self.system_only else [])]


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
