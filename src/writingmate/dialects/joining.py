"""What joins a client's dialect to those that a provider speaks: the codec, the spoke, what watches."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress

from writingmate.dialects.anthropic_codec import AnthropicOverChat
from writingmate.dialects.anthropic_native import AnthropicNative
from writingmate.dialects.anthropic_watch import AnthropicWatch
from writingmate.dialects.base import Codec, Spoke
from writingmate.dialects.choices_codec import ChoicesOverChat
from writingmate.dialects.completions import choices_asked
from writingmate.dialects.completions_codec import CompletionsOverChat
from writingmate.dialects.gemini import GeminiSpoke
from writingmate.dialects.messages import MessagesSpoke
from writingmate.dialects.quirks import Quirks
from writingmate.dialects.relay import PassThrough
from writingmate.dialects.responses_codec import ResponsesOverChat
from writingmate.dialects.responses_native import ResponsesNative, limited
from writingmate.dialects.responses_watch import ResponsesWatch
from writingmate.dialects.watch import Watch
from writingmate.errors import UnsupportedParameter
from writingmate.types import DialectName
from writingmate.wire.document import Document


def watching(codec: Codec, *, pass_usage: bool) -> Watch:
    """What reads usage and text from the answer to one call."""
    if isinstance(codec, ResponsesNative):
        return ResponsesWatch()
    return AnthropicWatch() if isinstance(codec, AnthropicNative) else Watch(pass_usage=pass_usage)


def spoke(
    dialect: DialectName,
    spoken: Collection[DialectName],
    *,
    slug: str,
    request_id: str,
    cap: int,
    created: int | None,
) -> Spoke | None:
    """What the hub reaches the provider by, if that speaks neither chat nor the client's dialect.

    Arguments as of `Exchange.begin`.
    """
    if "chat" in spoken or dialect in spoken:
        return None
    if "messages" in spoken:
        return MessagesSpoke(slug=slug, request_id=request_id, cap=cap, created=created)
    if "gemini" in spoken:
        return GeminiSpoke(slug=slug, request_id=request_id, created=created)
    return None


def codec(  # noqa: PLR0913  # each is a fact of the route or of the request
    dialect: DialectName,
    request: Document,
    spoken: Collection[DialectName],
    *,
    model: str,
    slug: str,
    request_id: str,
    max_tokens: int | None,
    quirks: Quirks,
    maker: str,
) -> Codec:
    """The codec. Arguments as of `Exchange.begin`; ``maker`` is who can read its own reasoning again.

    Raises UnsupportedParameter if the provider's dialects cannot express the request.
    """
    if dialect == "messages":
        if dialect in spoken:
            return AnthropicNative(request, request_id=request_id, max_tokens=max_tokens)
        if "chat" in spoken:
            return AnthropicOverChat(request, model=model, slug=slug, request_id=request_id)
    elif dialect == "responses":
        found = _responses(
            request, spoken, model=model, slug=slug, request_id=request_id, most=max_tokens, maker=maker
        )
        if found is not None:
            return found
    else:
        found = _completion(dialect, request, spoken, quirks, slug=slug, request_id=request_id)
        if found is not None:
            return found
    raise UnsupportedParameter(
        f"The model '{slug}' cannot be used with this endpoint: its provider offers "
        f"{' and '.join(sorted(spoken)) or 'no text generation'} only.",
        param="model",
    )


def _responses(
    request: Document,
    spoken: Collection[DialectName],
    *,
    model: str,
    slug: str,
    request_id: str,
    most: int | None,
    maker: str,
) -> Codec | None:
    def over_chat() -> Codec:
        return ResponsesOverChat(request, slug=slug, request_id=request_id, origin=f"chat {maker}")

    if "responses" not in spoken:
        return over_chat() if "chat" in spoken else None
    if limited(request, most) and "chat" in spoken:
        with suppress(UnsupportedParameter):
            return over_chat()
    return ResponsesNative(request, model=model, slug=slug, request_id=request_id, provider=maker)


def _completion(
    dialect: DialectName,
    request: Document,
    spoken: Collection[DialectName],
    quirks: Quirks,
    *,
    slug: str,
    request_id: str,
) -> Codec | None:
    """Of a chat or a completion: passed on, or, where each choice is a call of its own, taken apart."""
    apart = quirks.one_choice and "n" in request and choices_asked(request) > 1
    if dialect == "chat":
        if dialect not in spoken:
            return None
        return ChoicesOverChat(request) if apart else PassThrough(dialect, request)
    if "chat" in spoken and (dialect not in spoken or apart or quirks.lacks(request)):
        return CompletionsOverChat(request, slug=slug, request_id=request_id, one_choice=apart)
    return PassThrough(dialect, request) if dialect in spoken else None
