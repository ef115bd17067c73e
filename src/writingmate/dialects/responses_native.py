"""Responses for providers that speak them: the client's own document, the provider's own answer (WIRE §7).

What is kept between requests is ours, never the provider's: nothing is stored there, nothing there is
referred to, and the answer's id is ours. An item keeps the provider's id, and reasoning comes with its
``encrypted_content``, asked for or not: without it a provider that stores nothing cannot read its own
reasoning again. So clients that send an answer's items back lose nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from operator import is_

import msgspec

from writingmate.dialects.grammar import given
from writingmate.dialects.responses_codec import refuse_unkept
from writingmate.dialects.responses_echo import Echo, kept
from writingmate.dialects.responses_native_stream import NativeStream
from writingmate.dialects.responses_reasoning import ENCRYPTED, opened, ours
from writingmate.dialects.watch import UNREADABLE, Watch, excerpt
from writingmate.errors import UnsupportedParameter, UpstreamBroken
from writingmate.types import DialectName
from writingmate.wire import document
from writingmate.wire.document import Document

#: What the provider would need a response, a conversation or a job of its own for.
OURS = ("previous_response_id", "conversation", "background", "background_options")

#: Tokens: OpenAI refuses a lower limit of a response, but not of chat.
LEAST = 16

#: Models of which reasoning can be had encrypted, by the provider's name; others refuse to be asked.
_REASONS = re.compile(r"(?:[^/]*/)*(?:o[1-9]\b|gpt-[5-9](?!.*-chat)|gpt-oss|codex|computer-use)")

_FALSE = msgspec.Raw(b"false")


class _Item(msgspec.Struct, gc=False):
    type: str | None = None
    encrypted_content: str | None = None


class ResponsesNative:
    """One responses request as one call of the same. ``answered`` is the response as the client got it.

    ``answered`` is None until it is over. ``provider`` is who reads its own reasoning again. Raises
    UnsupportedParameter when made.
    """

    target: DialectName = "responses"

    def __init__(
        self, request: Document, *, model: str, slug: str, request_id: str, provider: str = ""
    ) -> None:
        refuse_unkept(request)
        if given(request, "prompt"):
            raise UnsupportedParameter(
                "Unsupported parameter: 'prompt' is not supported here: stored prompts are not kept, so send "
                "'instructions' and 'input'.",
                param="prompt",
            )
        self.answered: bytes | None = None
        self._request = request
        self._reasons = _REASONS.match(model) is not None
        self._slug = slug
        self._request_id = request_id
        self._origin = f"responses {provider}"
        said = {"id": f"resp_{request_id.removeprefix('req_')}", **kept(request)}
        self._said = {name: document.raw(value) for name, value in said.items()}

    def requests(self) -> list[Document]:
        """One leg: the request as it came, but for what is kept, and reasoning that cannot be read again."""
        sent = {name: raw for name, raw in self._request.items() if name not in OURS}
        sent["store"] = _FALSE
        if self._reasons:
            _ask_for_reasoning(sent)
        if given(sent, "input") and bytes(sent["input"]).find(b'"reasoning"') >= 0:
            sent["input"] = _legible(sent["input"], self._origin)
        return [sent]

    def reply(self, bodies: Sequence[bytes], watches: Sequence[Watch]) -> bytes:
        """The provider's response as one of ours."""
        watches[0].body(bodies[0])
        try:
            self.answered = self.ours(msgspec.json.decode(bodies[0], type=Document))
        except UNREADABLE:
            raise UpstreamBroken(f"the answer is no response: {excerpt(bodies[0])}") from None
        return self.answered

    def stream(self, leg: int, watches: Sequence[Watch]) -> NativeStream:
        """The provider's events, those that hold the response with it as one of ours."""
        return NativeStream(self, watches[leg])

    def ours(self, response: Document) -> bytes:
        """A response object of the provider's with our id, and what is kept as the client asked for it."""
        return document.encode(response | self._said)

    def echo(self) -> Echo:
        """A response of ours, for where the provider has not sent one."""
        return Echo(self._request, slug=self._slug, request_id=self._request_id)


def limited(request: Document, max_tokens: int | None) -> bool:
    """Whether the answer is held down to less than a response may be limited to, by request or by us."""
    asked = document.value(request["max_output_tokens"]) if given(request, "max_output_tokens") else LEAST
    return min(asked, LEAST if max_tokens is None else max_tokens) < LEAST


def _ask_for_reasoning(sent: Document) -> None:
    asked = document.value(sent["include"]) if given(sent, "include") else []
    if ENCRYPTED not in asked:
        sent["include"] = document.raw([*asked, ENCRYPTED])


def _legible(raw: msgspec.Raw, origin: str) -> msgspec.Raw:
    """The input with what ``origin`` had made, and without reasoning that it cannot read.

    That is another's, or has only a name or a summary left, which OpenAI answers with 404.
    """
    if memoryview(raw)[0] != ord("["):
        return raw
    items = document.elements(raw)
    legible = [read for item in items if (read := _read(item, origin)) is not None]
    same = len(legible) == len(items) and all(map(is_, legible, items))
    return raw if same else document.raw(legible)


def _read(raw: msgspec.Raw, origin: str) -> msgspec.Raw | None:
    try:
        item = msgspec.json.decode(raw, type=_Item)
    except UNREADABLE:
        return raw
    if item.type != "reasoning":
        return raw
    if ours(item.encrypted_content):
        return opened(item.encrypted_content, origin)
    return raw if item.encrypted_content else None
