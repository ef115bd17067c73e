"""The whole conversation of one request, without a socket: what to send, and what to answer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, NamedTuple

from writingmate.dialects import (
    anthropic,
    anthropic_reading,
    chat,
    completions,
    demand,
    edits,
    joining,
    prompt,
    responses,
    watch,
)
from writingmate.dialects.anthropic_codec import AnthropicOverChat
from writingmate.dialects.anthropic_native import AnthropicNative
from writingmate.dialects.base import Codec, Leg, Spoke
from writingmate.dialects.completions_codec import CompletionsOverChat
from writingmate.dialects.grammar import Grammar, on
from writingmate.dialects.names import as_sent
from writingmate.dialects.quirks import PLAIN, Quirks
from writingmate.dialects.relay import PassThrough
from writingmate.dialects.responses_codec import ResponsesOverChat
from writingmate.dialects.responses_native import ResponsesNative
from writingmate.dialects.responses_reading import read
from writingmate.errors import ApiError, InvalidRequest
from writingmate.types import DialectName, Usage
from writingmate.wire import document
from writingmate.wire.document import Document

__all__ = ["GRAMMARS", "Exchange", "Leg"]

#: To check a request with, before its exchange begins.
GRAMMARS: dict[DialectName, Grammar] = {
    "chat": chat.GRAMMAR,
    "completions": completions.GRAMMAR,
    "responses": responses.GRAMMAR,
    "messages": anthropic.GRAMMAR,
}

#: Tokens; what a model whose cap nobody knows may write.
DEFAULT_CAP = 8192
_HUB: tuple[DialectName, ...] = ("chat",)
#: Dialects whose streams report their usage unasked.
_UNASKED: tuple[DialectName, ...] = ("responses", "messages")


def readable(dialect: DialectName, request: Document) -> Document:
    """The request as what reads prompts and limits understands it: chat, or completions.

    Raises InvalidRequest if it makes no sense.
    """
    if dialect == "responses":
        return read(request)
    return anthropic_reading.read(request) if dialect == "messages" else request


class Exchange:
    """One client request, as one or more calls (legs) to a provider; made by `begin`.

    ``streaming`` says which half is used: `reply` with every leg's body, or, leg after leg, `feed` and
    `end`, and then `closing`. ``max_tokens`` is what each choice was held down to, None for not at all;
    ``dropped`` are fields that were left out although they mean something (`quirks.Refused.told`).
    """

    def __init__(  # noqa: PLR0913  # what `begin` has found out
        self,
        request: Document,
        codec: Codec,
        legs: tuple[Leg, ...],
        *,
        streaming: bool,
        max_tokens: int | None = None,
        spoke: Spoke | None = None,
        dropped: tuple[str, ...] = (),
        sent: tuple[DialectName, Document],
    ) -> None:
        self.streaming = streaming
        self.max_tokens = max_tokens
        self.dropped = dropped
        self.legs = legs
        self._request = request
        self._codec = codec
        self._spoke = spoke
        self._sent = sent
        pass_usage = isinstance(codec, PassThrough) and chat.usage_asked(request)
        self._watches = [joining.watching(codec, pass_usage=pass_usage) for _ in legs]
        self._streams = [codec.stream(leg.index, self._watches) for leg in legs] if streaming else []
        self._spoken = [spoke.stream(reports=pass_usage) for _ in self._streams] if spoke is not None else []

    @classmethod
    def begin(  # noqa: PLR0913  # each is a fact of the route or of the request, and none belong together
        cls,
        dialect: DialectName,
        request: Document,
        spoken: Collection[DialectName],
        *,
        model: str,
        slug: str,
        request_id: str,
        stream_usage: Literal["option", "always"] = "option",
        max_tokens: int | None = None,
        cap: int = DEFAULT_CAP,
        created: int | None = None,
        quirks: Quirks = PLAIN,
        provider: str = "",
    ) -> Exchange:
        """Plan the calls for a request that its grammar allows.

        Raises UnsupportedParameter, naming the client's field, for what the provider or the model lacks.

        Args:
            dialect: the client's.
            request: the client's document.
            spoken: the dialects that the provider speaks.
            model: the provider's name of the model.
            slug: what the client called it.
            request_id: ids of ours are made from it.
            stream_usage: whether a stream's usage must be asked for (`types.Provider`).
            max_tokens: tokens that each choice may take at most, None for no such limit.
            cap: what the model writes at most, for dialects that must be told a limit.
            created: UNIX seconds that an answer of ours is made at, None for now.
            quirks: what is peculiar to the model at this provider.
            provider: its name, by which it is told what it made itself.
        """
        spoke = joining.spoke(dialect, spoken, slug=slug, request_id=request_id, cap=cap, created=created)
        codec = joining.codec(
            dialect,
            request,
            spoken if spoke is None else _HUB,
            model=model,
            slug=slug,
            request_id=request_id,
            max_tokens=max_tokens,
            quirks=quirks,
            maker=provider if spoke is None else spoke.dialect,
        )
        streaming = on(request, "stream")
        asking = _Asking(dialect, request, model, streaming, stream_usage, max_tokens)
        legs, dropped = _legs(codec, spoke, quirks, asking)
        read = codec.chat if isinstance(codec, ResponsesOverChat | AnthropicOverChat) else request
        return cls(
            read,
            codec,
            legs,
            streaming=streaming,
            max_tokens=max_tokens,
            spoke=spoke,
            dropped=dropped,
            sent=(dialect, request),
        )

    def reply(self, bodies: Sequence[bytes]) -> bytes:
        """The client's body from the provider's, one a leg; the very same where nothing is translated.

        Raises UpstreamBroken if one is not JSON, has no choices or is an error.
        """
        if self._spoke is not None:
            bodies = [self._spoke.reply(body) for body in bodies]
        return self._codec.reply(bodies, self._watches)

    def feed(self, leg: Leg, frames: Sequence[bytes]) -> bytes:
        """Frames for the client, b"" if none. The end, and usage nobody asked for, are withheld.

        Raises UpstreamBroken on an error frame.
        """
        if self._spoken:
            frames = self._spoken[leg.index].feed(frames)
        return self._streams[leg.index].feed(frames)

    def end(self, leg: Leg) -> bytes:
        """The leg's stream is over: its last frames.

        Raises UpstreamBroken if it ended without [DONE] and before every choice had its finish_reason.
        """
        stream = self._streams[leg.index]
        last = self._spoken[leg.index].end() if self._spoken else []
        return stream.feed(last) + stream.end() if last else stream.end()

    def closing(self) -> bytes:
        """What ends the client's stream, once the request is settled."""
        return self._streams[-1].closing()

    def failure(self, error: ApiError) -> bytes:
        """An error after the stream began, in the client's dialect (WIRE §2.4); the last frames."""
        return self._streams[-1].failure(error)

    def told(self, error: ApiError) -> ApiError:
        """A provider's refusal of what it was sent, naming the field that the client wrote."""
        translated = isinstance(self._codec, CompletionsOverChat | ResponsesOverChat | AnthropicOverChat)
        return as_sent(*self._sent, error) if translated else error

    @property
    def usage(self) -> Usage | None:
        """The sum over the legs so far; None if one of them answered and reported none.

        Or if nothing is said to have been written though something was: it was reported before that.
        """
        found = watch.summed(self._watches)
        early = found is not None and found.completion_tokens == 0 and self.observed_text()
        return None if early else found

    @property
    def usage_so_far(self) -> Usage | None:
        """The same of streams that may have stopped early, by their providers' last word; None if unknown."""
        both = zip(self._watches, self._spoken, strict=False)
        found = [seen.usage or spoken.usage for seen, spoken in both if seen.heard]
        known = [each for each in found if each is not None]
        return sum(known, Usage()) if known and len(known) == len(found) else None

    @property
    def begun(self) -> Usage | None:
        """What the provider said of the prompt before it broke off, where it says that first."""
        return self._watches[-1].begun

    @property
    def answered(self) -> bytes | None:
        """The response object as it is to be kept; None before it is over, and in other dialects."""
        codec = self._codec
        return codec.answered if isinstance(codec, ResponsesOverChat | ResponsesNative) else None

    def observed_text(self) -> str:
        """All that the model wrote so far: text, reasoning, calls of tools."""
        return "".join(seen.text() for seen in self._watches)

    def prompt_text(self) -> str:
        """The text of the prompt, and of what a model reads beside it: tools and the answer's format."""
        native = self._codec.target if isinstance(self._codec, ResponsesNative | AnthropicNative) else "chat"
        return prompt.text(readable(native, self._request))

    def unreported(self) -> tuple[Usage, str, str]:
        """Where not every leg's usage is known: the sum of those known, and the others' prompts and answers.

        A prompt that several legs share was read by each; of several prompts the share is a guess.
        """
        known = [seen.usage for seen in self._watches if seen.heard and seen.usage is not None]
        silent = [seen for seen in self._watches if seen.heard and seen.usage is None]
        text = self.prompt_text()
        if len(self.legs) > 1 and silent:
            prompts = demand.prompts(self._request)
            times, rest = divmod(len(silent), prompts)
            text = text * times + text[: len(text) * rest // prompts]
        return sum(known, Usage()), text, "".join(seen.text() for seen in silent)


class _Asking(NamedTuple):
    """What every call of a request says alike, and what the client sent."""

    dialect: DialectName
    sent: Document
    model: str
    streaming: bool
    stream_usage: Literal["option", "always"]
    max_tokens: int | None


def _legs(
    codec: Codec, spoke: Spoke | None, quirks: Quirks, asking: _Asking
) -> tuple[tuple[Leg, ...], tuple[str, ...]]:
    """The calls, and the fields that were left out of them although they mean something."""
    legs: list[Leg] = []
    dropped: dict[str, None] = {}
    for index, outgoing in enumerate(codec.requests()):
        outgoing["model"] = edits.text(asking.model)
        if asking.streaming and codec.target not in _UNASKED:
            edits.ask_for_usage(outgoing, asking.stream_usage)
        if asking.max_tokens is not None and codec.target != "messages":
            edits.clamp(outgoing, codec.target, asking.max_tokens)
        target, place = codec.target, ""
        try:
            if quirks is not PLAIN:
                dropped |= dict.fromkeys(quirks.apply(outgoing, codec.target))
            if spoke is not None:
                target, place = spoke.dialect, spoke.place(asking.model, streaming=asking.streaming)
                outgoing = spoke.request(outgoing)  # noqa: PLW2901  # the same, translated
        except InvalidRequest as refused:
            raise as_sent(asking.dialect, asking.sent, refused) from None
        legs.append(Leg(target, document.encode(outgoing), index, place))
    return tuple(legs), tuple(dropped)
