"""What docs/quirks.md shows of the table; ``python -m tests.dialects.quirks_page`` writes it there."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import msgspec

from tests.architecture.source import ROOT
from writingmate.dialects.exchange import Exchange
from writingmate.dialects.quirks_rows import ROWS, of
from writingmate.errors import InvalidRequest
from writingmate.providers.rows import PATHS
from writingmate.providers.rows import ROWS as PROVIDERS
from writingmate.types import Provider, Route
from writingmate.wire import document

PAGE = ROOT / "docs" / "quirks.md"
FIELDS: dict[str, Any] = {"n": 2, "seed": 7, "stop": ["a"], "logit_bias": {"5": 1}, "logprobs": True}
TABLE = "<!-- fields of each provider: written by tests/dialects/quirks_page.py -->"
ROWS_OF = "<!-- rows: written by tests/dialects/quirks_page.py -->"
END = "<!-- end -->"


def table() -> str:
    """What becomes of the fields that change how an answer is sampled, by provider."""
    lines = [f"| provider | {' | '.join(f'`{name}`' for name in FIELDS)} |", "|---" * (len(FIELDS) + 1) + "|"]
    for name, row in PROVIDERS.items():
        provider = Provider(name, "http://x", {dialect: PATHS[dialect] for dialect in row.dialects})
        cells = [_cell(provider, field, value) for field, value in FIELDS.items()]
        lines.append(f"| `{name}` | {' | '.join(cells)} |")
    return "\n".join([*lines, "| `local` | up to 4 | yes | yes | yes | yes |"])


def _cell(provider: Provider, name: str, value: object) -> str:
    route = Route(provider, "any")
    asked = document.parse(
        msgspec.json.encode({"model": "m", "messages": [{"role": "user", "content": "x"}], name: value})
    )
    try:
        legs = Exchange.begin(
            "chat", asked, provider.paths, model="any", slug="m", request_id="r", quirks=of(route)
        ).legs
    except InvalidRequest:
        return "refused"
    if len(legs) > 1:
        return "a call for each"
    sent = msgspec.json.decode(legs[0].body)
    if name in sent:
        return "yes"
    return next(f"as `{other}`" for other, said in _named(sent) if said == value)


def _named(sent: dict[str, Any]) -> Iterator[tuple[str, object]]:
    """Members and those of objects in them, by their paths."""
    for name, said in sent.items():
        yield name, said
        if isinstance(said, dict):
            yield from ((f"{name}.{inner}", value) for inner, value in _named(said))


def rows() -> str:
    """Every row, under its provider."""
    lines: list[str] = []
    for provider, group in groupby(sorted(ROWS, key=lambda row: row.provider), lambda row: row.provider):
        lines += [f"### {provider}", ""]
        for row in group:
            models = f"Models that begin with `{row.models}`" if row.models else "Every model"
            models += f", but for those with `{row.unless}`" if row.unless else ""
            lines += [f"* {models}:", *(f"  * {sentence}" for sentence in row.quirks.words()), ""]
    return "\n".join(lines).rstrip()


def page(text: str) -> str:
    """The page with both parts as they should be."""
    for mark, part in ((TABLE, table()), (ROWS_OF, rows())):
        head, _, rest = text.partition(mark)
        text = f"{head}{mark}\n\n{part}\n\n{END}{rest.partition(END)[2]}"
    return text


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
