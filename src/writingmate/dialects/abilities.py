"""Refusing by name what a model does not do, where its provider would ignore it without a word.

OpenRouter's list says of each model which of OpenAI's fields it honours (``supported_parameters``) and drops
the others. Those are refused that change what an answer is; how a model samples is left to OpenRouter.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from writingmate.errors import UnsupportedParameter
from writingmate.types import DialectName
from writingmate.wire import document
from writingmate.wire.document import Document

#: Fields of a request, and the words of which the list must have one.
_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "functions": ("tools",),
    "logit_bias": ("logit_bias",),
    "logprobs": ("logprobs",),
    "reasoning_effort": ("reasoning_effort", "reasoning"),
    "response_format": ("response_format", "structured_outputs"),
    "seed": ("seed",),
    "stop": ("stop",),
    "tool_choice": ("tool_choice",),
    "tools": ("tools",),
    "top_logprobs": ("top_logprobs", "logprobs"),
}
#: Values that ask for nothing, beside null.
_IDLE: Final[Mapping[str, tuple[object, ...]]] = {
    "functions": ([],),
    "logit_bias": ({},),
    "logprobs": (False,),
    "reasoning_effort": ("none",),
    "response_format": ({"type": "text"},),
    "stop": ([],),
    "tool_choice": ("auto", "none"),
    "tools": ([],),
    "top_logprobs": (0,),
}

#: What a field is called in the client's dialect, where that is not chat.
_THERE: Final[Mapping[DialectName, Mapping[str, str]]] = {
    "messages": {
        "reasoning_effort": "thinking",
        "response_format": "output_config.format",
        "stop": "stop_sequences",
    },
    "responses": {
        "logprobs": "include",
        "reasoning_effort": "reasoning.effort",
        "response_format": "text.format",
    },
}


@lru_cache(maxsize=1024)
def lacking(parameters: tuple[str, ...] | None) -> frozenset[str]:
    """The fields of a request that a model does not honour which honours these; none if nobody knows."""
    if parameters is None:
        return frozenset()
    honoured = frozenset(parameters)
    return frozenset(name for name, words in _NEEDED.items() if honoured.isdisjoint(words))


def words(lacks: frozenset[str]) -> list[str]:
    """What is refused, as a sentence for people, without its full stop; none if nothing is."""
    if not lacks:
        return []
    named = ", ".join(f"`{name}`" for name in sorted(lacks))
    return [f"the provider's list says that the model ignores {named}: refused"]


def refuse(lacks: frozenset[str], request: Document, dialect: DialectName = "chat") -> None:
    """Raise UnsupportedParameter if the request, read as chat, asks for something of ``lacks``.

    ``dialect`` is the client's, whose name of the field is told.
    """
    if lacks.isdisjoint(request):
        return
    for name in request:
        if name in lacks and document.value(request[name]) not in (None, *_IDLE.get(name, ())):
            told = _THERE.get(dialect, {}).get(name, name)
            raise UnsupportedParameter(
                f"Unsupported parameter: '{told}' is not supported with this model. "
                "Leave it out, or choose another model.",
                param=told,
            )
