"""The text of a request, for counting tokens where no provider has counted them."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from writingmate.dialects import chat
from writingmate.wire.document import Document

#: Fields that providers put before the model as they are.
_READ_TOO = ("tools", "functions", "response_format")


def text(request: Document) -> str:
    """The messages' text or the prompts, then the JSON of tools and of the answer's format.

    Images and sound have no text. Prompts of token ids are given as their digits, which are at least
    as many tokens.
    """
    return "\n".join((*_messages(request), *_prompt(request), *_definitions(request)))


def _messages(request: Document) -> Iterator[str]:
    messages = _decoded(request, "messages")
    if isinstance(messages, str):
        yield messages
    for message in messages if isinstance(messages, list) else ():
        if isinstance(message, dict):
            yield from chat.written(message)


def _prompt(request: Document) -> Iterator[str]:
    prompt = _decoded(request, "prompt")
    if isinstance(prompt, str):
        yield prompt
    for each in prompt if isinstance(prompt, list) else ():
        yield (
            each if isinstance(each, str) else " ".join(map(str, each if isinstance(each, list) else [each]))
        )


def _definitions(request: Document) -> Iterator[str]:
    for name in _READ_TOO:
        if name in request:
            yield bytes(request[name]).decode("utf-8", "replace")


def _decoded(request: Document, name: str) -> object:
    if name not in request:
        return None
    try:
        return msgspec.json.decode(request[name])
    except (msgspec.DecodeError, ValueError, RecursionError):
        return bytes(request[name]).decode("utf-8", "replace")  # more text than there is, never less
