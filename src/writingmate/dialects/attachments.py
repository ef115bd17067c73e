"""How much a prompt can be at most, from its bytes and from what it names without holding it.

A token is at least a byte of text; but a few bytes can name a picture, a file or a search that a
provider fetches, and a provider puts words of its own around a prompt. For those there are rules.
"""

from __future__ import annotations

from typing import Final

import msgspec

from writingmate.dialects import demand
from writingmate.dialects.grammar import REFUSED, given
from writingmate.wire.document import Document

#: Tokens that a model's template puts before a prompt: gpt-oss, Qwen and Llama have the longest.
PREAMBLE: Final = 256
#: Tokens that come with tools or a schema: Anthropic's own words for tools took 530 at most.
DEFINED: Final = 1_024
#: Tokens of the dearest picture: eight tiles of gpt-4o-mini (2,833 and 5,667 each).
IMAGE: Final = 48_169
#: Tokens of the largest context window: nothing that a provider fetches can be more.
WINDOW: Final = 2_097_152
#: Tokens that one search or tool of the provider's own may bring into a prompt.
HOSTED: Final = 32_000
#: Tokens of an earlier answer's sound, named by its id: the longest answer of an audio model.
SPOKEN: Final = 16_384

#: Parts of a message by what they are; any other may be of any size.
TEXTS: Final = frozenset(("text", "refusal", "input_text", "output_text", "thinking"))
IMAGES: Final = frozenset(("image_url", "input_image", "image"))
#: Definitions that are put before the model, perhaps laid out anew with more spaces.
DEFINITIONS: Final = ("tools", "functions", "response_format")
#: Fields by which a provider is told to search.
SEARCHES: Final = ("web_search_options", "search_parameters", "search_settings", "plugins", "enable_search")
#: Tools that the caller runs.
CALLED: Final = frozenset(("function", "custom"))

_ARRAY = ord("[")
_OFF = frozenset(b"nf")  # null, false
#: Objects in messages longer than so many bytes that are looked at: the event loop waits meanwhile.
_NESTED, _LARGE = 20_000, 262_144


class _Typed(msgspec.Struct, gc=False):
    type: str = ""


class _Spoken(msgspec.Struct, gc=False):
    """An earlier answer's sound; that it is there is enough."""


class _Message(msgspec.Struct, gc=False):
    content: str | list[_Typed] | None = None
    audio: _Spoken | None = None


_MESSAGES = msgspec.json.Decoder(list[_Message]).decode
_TYPED = msgspec.json.Decoder(list[_Typed]).decode


def cheap(request: Document, body_bytes: int) -> int:
    """Tokens that the prompt has at most: a byte each, and the rule's amount for what it names.

    Takes microseconds: one typed look at the messages, which skips their text. What has an unusual
    shape counts as large as a prompt can be, and so does all of it together at most; it is for
    `careful` to look closer.
    """
    tokens = max(0, body_bytes)
    beyond = PREAMBLE * _prompts(request) + HOSTED * hosted(request)
    if "messages" in request:
        beyond += _attached(request["messages"])
    for name in DEFINITIONS:
        if name in request and given(request, name):
            tokens += len(memoryview(request[name]))
            beyond += DEFINED
    return tokens + min(WINDOW, beyond)


def attached(request: Document) -> bool:
    """Whether a message has more than text: then `cheap` may be many times what the prompt really is."""
    return "messages" in request and _attached(request["messages"]) > 0


def hosted(request: Document) -> int:
    """How many of the provider's own tools a request asks for: searches, interpreters, anything unknown."""
    asked = sum([memoryview(request[name])[0] not in _OFF for name in SEARCHES if name in request])
    if given(request, "tools"):
        try:
            asked += sum(tool.type not in CALLED for tool in _TYPED(request["tools"]))
        except REFUSED:
            asked += 1
    return asked + bytes(request.get("model", b"")).endswith(b':online"')


def _prompts(request: Document) -> int:
    prompt = request.get("prompt")
    return 1 if prompt is None or memoryview(prompt)[0] != _ARRAY else demand.prompts(request)


def _attached(messages: msgspec.Raw) -> int:
    if len(memoryview(messages)) > _LARGE and bytes(messages).count(b"{") > _NESTED:
        return WINDOW
    try:
        found = _MESSAGES(messages)
    except REFUSED:
        return WINDOW
    spoken = sum([message.audio is not None for message in found])
    kinds = [part.type for message in found if message.content.__class__ is list for part in message.content]
    images, unbounded = 0, False
    for kind in kinds:
        if kind in IMAGES:
            images += 1
        elif kind not in TEXTS:
            unbounded = True
    return SPOKEN * spoken + IMAGE * images + WINDOW * unbounded
