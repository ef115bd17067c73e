"""The careful count of a prompt, for when its cheap bound does not fit: slow, and still a bound.

What is understood is counted as its vendor counts it; what is not, by its bytes; and what a provider
has to fetch first, as much as a model can read. Nothing in a request is an error here.
"""

from __future__ import annotations

from dataclasses import dataclass

from writingmate.dialects import attachments, demand
from writingmate.dialects.grammar import given
from writingmate.metering.prompts.families import family
from writingmate.metering.prompts.tally import Tally, elements
from writingmate.types import DialectName
from writingmate.wire.document import Document

#: Tokens that templates put around each definition of a tool.
_DEFINITION = 16


@dataclass(frozen=True, slots=True)
class Careful:
    """Tokens that a prompt has at most, and of what; the kinds may add up to more than the whole.

    ``text`` includes what templates put around messages.
    """

    prompt_tokens: int
    text: int = 0
    images: int = 0
    files: int = 0
    audio: int = 0
    tools: int = 0


def careful(request: Document, *, dialect: DialectName, slug: str, window: int | None = None) -> Careful:
    """Count the prompt of a request that its grammar allows. Run it in a thread.

    Takes milliseconds for a megabyte, the first time half a second for the vocabulary, and never much
    more than a second. It is never above `attachments.cheap`.

    Args:
        request: the client's document.
        dialect: the endpoint's.
        slug: the model's, or the provider's name for it: its family's rules are used.
        window: tokens that the model can read, where that is known for sure; none has more.
    """
    rules = family(slug)
    tally = Tally(rules)
    if dialect == "completions":
        _prompts(request, tally)
    else:
        tally.add("text", rules.preamble)
        for message in elements(request["messages"], tally) if "messages" in request else ():
            tally.message(message)
    _definitions(request, tally)
    kinds = tally.total()
    size = sum(len(name) + len(memoryview(raw)) for name, raw in request.items())
    most = min(sum(kinds.values()), attachments.cheap(request, size))
    return Careful(most if window is None else min(most, max(0, window)), **kinds)


def _prompts(request: Document, tally: Tally) -> None:
    """Each prompt goes out once, however many choices are made of it."""
    tally.add("text", tally.rules.preamble * demand.prompts(request))
    if "prompt" in request:
        tally.prompt(request["prompt"])
    if "suffix" in request:
        tally.said("text", request["suffix"])


def _definitions(request: Document, tally: Tally) -> None:
    """Tools and schemas, which a template may lay out anew: what comes first besides covers that."""
    for name in attachments.DEFINITIONS:
        if given(request, name):
            tally.add("tools", tally.rules.defined)
            tally.written("tools", request[name])
            if name != "response_format":
                tally.add("tools", _DEFINITION * len(elements(request[name], tally, "tools")))
    tally.add("tools", attachments.HOSTED * attachments.hosted(request))
