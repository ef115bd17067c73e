"""How families of models count what o200k does not: their text, pictures, pages and sound. Data.

OpenAI's models since gpt-4o count text in o200k exactly. For others o200k's count is raised by what
was found in November 2026, and a text is never more than its bytes:

* Claude to 4.6 takes 1.09 to 1.3 times as many tokens as o200k for English and code (measured with
  Anthropic's counting endpoint, by several), and since 4.7 another 1.0 to 1.47 times: 1.5, then 2.
* Gemini is within a few hundredths of o200k for prose, a quarter above it for tables: each digit is a
  token, where o200k puts three into one. So do Mistral, Qwen and most small models.
* DeepSeek, Kimi, GLM, Llama and gpt-4 before gpt-4o have two thirds of o200k's vocabulary, and less
  beyond ASCII: a further token for each such character. Vocabularies of 32,000 to 49,000 fall back
  to bytes there, which is two further.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from writingmate.dialects.attachments import DEFINED, PREAMBLE
from writingmate.metering import tokens
from writingmate.metering.prompts.vision import (
    Rule,
    Size,
    anything,
    claude,
    gemini,
    gemini_tiles,
    patches,
    tiles,
)

#: A page as it is shown to a model: A4 at 150 pixels an inch.
PAGE: Final = Size(1_240, 1_754)
_DIGITS = bytes(range(ord("0"), ord("9") + 1))


@dataclass(frozen=True, slots=True)
class Family:
    """Models that count alike.

    Text takes ``percent`` of o200k's tokens, one more for each digit if ``digits``, and
    ``beyond_ascii`` more for each character outside ASCII. A page of a PDF takes ``page`` tokens
    (None: those of its picture), and its text besides if ``page_text``. Sound takes ``second`` tokens
    each. ``preamble`` comes before a prompt and ``defined`` before tools or a schema.
    """

    percent: int = 150
    digits: bool = True
    beyond_ascii: int = 2
    picture: Rule = anything
    page: int | None = 3_000
    page_text: bool = True
    second: int = 50
    preamble: int = PREAMBLE
    defined: int = DEFINED

    def texts(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text at most. Off the event loop."""
        counted = tokens.bounds(texts)
        if (self.percent, self.digits, self.beyond_ascii) == (100, False, 0):
            return counted
        return [self._raised(text, count) for text, count in zip(texts, counted, strict=True)]

    def pages(self) -> int:
        """Tokens of a page, without its text."""
        return self.picture(PAGE, "") if self.page is None else self.page

    def _raised(self, text: str, count: int) -> int:
        encoded = text.encode("utf-8", "replace")
        more = -(-count * self.percent // 100)
        if self.digits:
            more += len(encoded) - len(encoded.translate(None, _DIGITS))
        if self.beyond_ascii and not text.isascii():
            more += self.beyond_ascii * (len(text) - len(text.encode("ascii", "ignore")))
        return min(more, len(encoded))


ANY: Final = Family()
_OPENAI = Family(
    100, digits=False, beyond_ascii=0, page=None, second=20, preamble=16, defined=128,
    picture=patches(2_500, auto=30_000, original=30_000),
)  # fmt: skip
_OLD_OPENAI = replace(_OPENAI, percent=130, beyond_ascii=2, picture=tiles(85, 170))
_CLAUDE = Family(200, digits=False, beyond_ascii=1, picture=claude(4_784), page=None, preamble=64)
_OLD_CLAUDE = replace(_CLAUDE, percent=150, picture=claude(1_568))
_GEMINI = Family(140, beyond_ascii=0, picture=gemini, page=1_120, page_text=False, second=32, preamble=64)
_WIDE = Family(130, beyond_ascii=1)


def _openai(picture: Rule) -> Family:
    return replace(_OPENAI, picture=picture)


#: The first pattern that is found in a slug decides.
ROWS: Final[tuple[tuple[str, Family], ...]] = (
    (r"gpt-oss", replace(_OPENAI, preamble=PREAMBLE, picture=anything, page=3_000)),
    (r"gpt-4o-mini", _openai(tiles(2_833, 5_667))),
    (r"gpt-(4\.1|5|5\.4)-mini", _openai(patches(1_536, percent=162))),
    (r"gpt-(4\.1|5|5\.4)-nano", _openai(patches(1_536, percent=246))),
    (r"\bo4-mini", _openai(patches(1_536, percent=172))),
    (r"gpt-4o|gpt-4\.[15]|gpt-audio|chatgpt-4o", _openai(tiles(85, 170))),
    (r"gpt-4|gpt-3\.5", _OLD_OPENAI),
    (r"(^|/)o[13]\b", _openai(tiles(75, 150))),
    (r"gpt-5\.[123]\b|codex", _openai(patches(1_536))),
    (r"gpt-5\.4\b", _openai(patches(2_500, original=10_000))),
    (r"gpt-5\.5\b", _openai(patches(2_500, auto=10_000, original=10_000))),
    (r"gpt-5(?!\.?\d)", _openai(tiles(70, 140))),
    (r"gpt-\d|openai/", _OPENAI),
    (r"claude-(2|3|instant|(opus|sonnet|haiku)-4([.-][0-6](?!\d)|-20\d{6}|(?![.-]?\d)))", _OLD_CLAUDE),
    (r"claude|anthropic/", _CLAUDE),
    (r"gemini-[12](?!\d)", replace(_GEMINI, picture=gemini_tiles)),
    (r"gemini", _GEMINI),
    (r"gemma", replace(_WIDE, percent=140)),
    (r"qwen|qwq", _WIDE),
    (r"deepseek|kimi|moonshot|glm|llama-?[34]", replace(_WIDE, digits=False)),
    (r"grok", replace(_WIDE, percent=150)),
    (r"mi[sx]tral-(small|medium|large|nemo)|codestral|devstral|magistral|ministral|pixtral", _WIDE),
)
_COMPILED = tuple((re.compile(pattern), family) for pattern, family in ROWS)


def family(slug: str) -> Family:
    """The family of a model by its slug, or by a provider's name for it; the most cautious if unknown."""
    name = slug.lower()
    return next((found for pattern, found in _COMPILED if pattern.search(name)), ANY)
