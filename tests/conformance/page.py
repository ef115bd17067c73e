"""docs/conformance.md: the cells as tables, with what a reader must know before them."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from tests.conformance.endpoints import FEATURES
from tests.conformance.matrix import Cell

PATH = Path(__file__).parents[2] / "docs" / "conformance.md"

_LEAD = """# Conformance

What works with which provider, at which endpoint. Nobody writes this page: `python -m tests.conformance
--write` does. Every cell is the outcome of real requests, sent by OpenAI's own client or Anthropic's, which
are told to check every answer against their types, through a running gateway to a stand-in for the provider.
The stand-in refuses what the vendor's published types do not allow, and what the provider is known to refuse.
`make test` runs all of it again and fails if this page says anything else.

| cell | what it means |
|---|---|
| `native` | the provider speaks the endpoint's own dialect: the request is passed on as it came |
| `translated` | the provider speaks another dialect: request and answer are translated |
| refused: `field` | 400, which names the field: nothing is dropped silently |
| - | the endpoint has no such thing |

A cell is of whole and of streamed answers alike; where they differ it says whole / streamed.

| column | what was tried |
|---|---|
| text | a question and its answer |
| tools | a call that the model must make, and the answer after its result |
| schema | structured output: an answer that must fit a JSON schema, parsed by the client |
| vision | a picture as a `data:` URL |
| reasoning | an effort that reaches the provider, and thoughts that come back |

Whether a *model* can do something is its maker's to say. `local` is the embedded models. A self-hosted server
that speaks more than its row says is told so with `dialects` ([settings](settings.md)).
"""


def page(cells: list[Cell]) -> str:
    """The whole text."""
    sections = [_section(path, list(found)) for path, found in groupby(cells, key=lambda cell: cell.endpoint)]
    return "\n".join([_LEAD, *sections])


def _section(path: str, cells: list[Cell]) -> str:
    tried = [feature for feature in FEATURES if any(cell.feature == feature for cell in cells)]
    lines = [f"## `POST {path}`", "", f"| provider | {' | '.join(tried)} |", f"|---|{'---|' * len(tried)}"]
    for provider, found in groupby(cells, key=lambda cell: cell.provider):
        by_feature = {cell.feature: cell for cell in found}
        lines.append(f"| {provider} | {' | '.join(str(by_feature[feature]) for feature in tried)} |")
    return "\n".join([*lines, ""])
