from __future__ import annotations

from typing import Any

import msgspec
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from openai import BaseModel
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import TypeAdapter

from tests.dialects.recordings import Recording, ending, frames, recordings
from writingmate.dialects.exchange import Exchange
from writingmate.errors import UpstreamBroken
from writingmate.types import Usage
from writingmate.wire import sse

ALL = recordings()
STREAMS = [case for case in ALL if case.streaming]
WHOLE = [case for case in ALL if not case.streaming]
CODECS = {
    "chat",
    "completions",
    "completions_over_chat",
    "chat_over_messages",
    "completions_over_messages",
    "chat_over_gemini",
    "completions_over_gemini",
    "messages",
    "messages_over_chat",
    "responses",
    "responses_over_gemini",
    "responses_over_messages",
    "responses_over_chat",
}


OFFICIAL: dict[str, type[BaseModel]] = {
    "text_completion": Completion,
    "chat.completion": ChatCompletion,
    "chat.completion.chunk": ChatCompletionChunk,
}


def named(case: Recording) -> str:
    return f"{case.codec}/{case.folder.name}"


def stream(case: Recording, exchange: Exchange, *, together: bool) -> tuple[bytes, UpstreamBroken | None]:
    out = []
    try:
        for leg, reply in zip(exchange.legs, case.replies, strict=True):
            batches = [frames(reply)] if together else [[frame] for frame in frames(reply)]
            for batch in batches:
                out.append(exchange.feed(leg, batch))  # noqa: PERF401  # what came before an error counts
            out.append(exchange.end(leg))
    except UpstreamBroken as broken:
        return b"".join(out), broken
    return b"".join(out), None


def observed(exchange: Exchange) -> tuple[Usage | None, str]:
    return exchange.usage, exchange.observed_text()


def expected(case: Recording) -> tuple[Usage | None, str]:
    usage = case.facts["usage"]
    return (None if usage is None else Usage(*usage)), case.facts["observed"]


def test_there_are_cases_of_every_codec() -> None:
    assert {case.codec for case in STREAMS} == CODECS
    assert {case.codec for case in WHOLE} == CODECS


@pytest.mark.parametrize("case", ALL, ids=named)
def test_what_is_sent_upstream(case: Recording) -> None:
    exchange = case.begin()
    assert exchange.streaming is case.streaming
    assert [leg.index for leg in exchange.legs] == list(range(len(case.sent)))
    for leg, sent in zip(exchange.legs, case.sent, strict=True):
        if case.translated:
            assert [leg.dialect] == case.facts["spoken"]
            assert msgspec.json.decode(leg.body) == msgspec.json.decode(sent)
        else:
            assert leg.dialect == case.facts["dialect"]
            assert leg.body == sent
    assert exchange.prompt_text() == case.facts["prompt"]


@pytest.mark.parametrize("case", WHOLE, ids=named)
def test_a_whole_answer(case: Recording) -> None:
    exchange = case.begin()
    if "broken" in case.facts:
        with pytest.raises(UpstreamBroken, match=case.facts["broken"]):
            exchange.reply(case.replies)
    else:
        replies = case.replies
        answer = exchange.reply(replies)
        if case.translated or case.codec == "responses":
            assert answer == case.answer.strip()
        else:
            assert answer is replies[0]
    assert observed(exchange) == expected(case)


@pytest.mark.parametrize("case", STREAMS, ids=named)
@pytest.mark.parametrize("together", [False, True])
def test_a_stream(case: Recording, *, together: bool) -> None:
    exchange = case.begin()
    answer, broken = stream(case, exchange, together=together)
    assert answer + ending(case, exchange, broken=broken is not None) == case.answer
    assert (broken is not None) == ("broken" in case.facts)
    if broken is not None:
        assert case.facts["broken"] in broken.detail
    assert observed(exchange) == expected(case)


def answers_made(case: Recording) -> list[dict[str, Any]]:
    bodies = [sse.data(frame) for frame in frames(case.answer)] if case.streaming else [case.answer]
    return [msgspec.json.decode(body) for body in bodies]


MADE = [
    case
    for case in ALL
    if case.translated and case.answer and not case.codec.startswith(("responses", "messages_"))
]


@pytest.mark.parametrize("case", MADE, ids=named)
def test_the_official_types_read_what_a_codec_makes(case: Recording) -> None:
    for made in answers_made(case):
        for choice in made["choices"]:
            if case.streaming and choice["finish_reason"] is None and made["object"] == "text_completion":
                choice["finish_reason"] = "stop"  # null until the last, which the published type forgets
        answer = OFFICIAL[made["object"]].model_validate(made)
        assert answer.model_dump(exclude_unset=True) == made


EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
MESSAGES = [case for case in ALL if case.codec == "messages_over_chat"]


@pytest.mark.parametrize("case", MESSAGES, ids=named)
def test_anthropics_types_read_what_the_codec_makes(case: Recording) -> None:
    for made in answers_made(case):
        if made["type"] == "error":
            continue
        answer = EVENT.validate_python(made) if case.streaming else Message.model_validate(made)
        assert answer.model_dump(mode="json", exclude_unset=True) == made
