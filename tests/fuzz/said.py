"""What a model says, apart from any dialect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from hypothesis import strategies as st

from writingmate.types import Usage

Finish = Literal["stop", "length", "tool_calls", "content_filter"]

#: Pieces of text that somebody might take for something else.
PIECES = (
    "Hello", " ", "\n", "é", "🙂", '"error"', '"usage"', '"response"', "data: [DONE]", "\\", "\u2028",
    "{}", "}", "null", "\r\n\r\n", "event: error\n\n", "a" * 70, "\x00", "<|end|>", "\ufeff", "0", "[]", "\t",
    "\x7f", "ﬃ",
)  # fmt: skip
ARGUMENTS = (
    "{}", '{"city":"Köln"}', '{"a":{"b":[1,2.5,null,true]},"t":"\\n\\"q\\""}', '{"n":18446744073709551615}',
    '{"n":1000000000000000000000000000000}', '{"input":"x"}', '{"":[]}', '{"e":1e300,"z":-0.0}',
)  # fmt: skip


@dataclass(frozen=True)
class Call:
    """A call of a function; ``arguments`` is JSON."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Said:
    """One answer of one choice."""

    text: str = ""
    reasoning: str = ""
    refusal: str = ""
    calls: tuple[Call, ...] = ()
    finish: Finish = "stop"
    usage: Usage | None = None

    def arguments(self) -> list[Any]:
        """Of every call, decoded."""
        return [msgspec.json.decode(call.arguments) for call in self.calls]


TEXTS = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)


@st.composite
def _calls(draw: st.DrawFn) -> tuple[Call, ...]:
    given = draw(st.lists(st.sampled_from(ARGUMENTS), max_size=3))
    names = ("look", "now", "a-b_9")
    return tuple(Call(f"call_{at}", names[at], arguments) for at, arguments in enumerate(given))


@st.composite
def _usage(draw: st.DrawFn) -> Usage | None:
    prompt, completion = draw(st.integers(1, 100_000)), draw(st.integers(1, 5000))
    if draw(st.integers(0, 9)) == 0:
        return None
    cached = draw(st.sampled_from((0, prompt // 2, prompt)))
    thought = draw(st.sampled_from((0, completion // 3, completion)))
    return Usage(prompt, completion, cached, thought, draw(st.sampled_from((0, (prompt - cached) // 2))))


@st.composite
def answers(draw: st.DrawFn, *, tools: bool = True) -> Said:
    """Anything that a model may say; ``tools`` says whether it may call any."""
    calls = draw(_calls()) if tools else ()
    finishes: tuple[Finish, ...] = ("tool_calls", "length") if calls else ("stop", "length", "content_filter")
    text = draw(TEXTS)
    return Said(
        text,
        draw(TEXTS),
        "" if text or calls else draw(TEXTS),
        calls,
        draw(st.sampled_from(finishes)),
        draw(_usage()),
    )
