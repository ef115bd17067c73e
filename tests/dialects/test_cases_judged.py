"""The vendors' own types judge every recorded case: what is sent, and what a client is answered with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

from tests.dialects.fates.pairs import PROVIDERS
from tests.dialects.recordings import Recording, frames, recordings
from tests.fakes import gemini_judge
from writingmate.wire import sse

ALL = recordings()
#: Those that we have made; what is passed on is its provider's own.
MADE = [case for case in ALL if case.answer and (case.translated or case.codec == "responses")]
#: What clients know beside the published fields: thinking, the ways to return it to its vendor, and
#: Anthropic's marks of where a cache ends.
EXTENSIONS = {"cache_control", "extra_content", "reasoning_content", "reasoning_details"}
OWN = {"context_management", "new_field", "top_k", "x_vendor"}
#: What OpenAI sends (WIRE §5.3, §7.2, §7.3) although its types do not say so: of responses, of deltas, of
#: calls that are done, of custom calls, of the tokens of a text.
UNPUBLISHED = {"store", "frequency_penalty", "presence_penalty", "obfuscation", "name", "status", "bytes"}
EVENTS: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
MESSAGES: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
WHOLE: dict[str, type[BaseModel]] = {
    "chat.completion": ChatCompletion,
    "chat.completion.chunk": ChatCompletionChunk,
    "response": Response,
    "text_completion": Completion,
}


def named(case: Recording) -> str:
    return f"{case.codec}/{case.folder.name}"


def own_extras(case: Recording) -> set[str]:
    """Fields that the client sent although its dialect has no such: they are some provider's own."""
    fault = PROVIDERS[case.facts["dialect"]].fault(asked(case))
    return OWN & asked(case).keys() if fault is not None else set()


def published(value: Any) -> Any:
    """Without extensions, wherever they are."""
    if isinstance(value, dict):
        return {name: published(member) for name, member in value.items() if name not in EXTENSIONS}
    return [published(each) for each in value] if isinstance(value, list) else value


def asked(case: Recording) -> dict[str, Any]:
    body: dict[str, Any] = json.loads((case.folder / "client.json").read_bytes())
    return body


@pytest.mark.parametrize("case", ALL, ids=named)
def test_what_is_sent_is_what_its_vendor_takes(case: Recording) -> None:
    for leg in case.begin().legs:
        sent = msgspec.json.decode(leg.body)
        sent = {name: value for name, value in sent.items() if name not in own_extras(case)}
        if leg.dialect != "messages":
            sent = published(sent)
        if leg.dialect == "gemini":  # which judges by the model too
            assert gemini_judge.fault(sent, case.facts["model"]) is None
        else:
            assert PROVIDERS[leg.dialect].fault(sent) is None


def answers(case: Recording) -> Iterator[dict[str, Any]]:
    """The bodies and events that the client got, but for the comments, errors and the end."""
    bodies = [sse.data(frame) for frame in frames(case.answer)] if case.streaming else [case.answer]
    for body in bodies:
        if body.lstrip().startswith(b"{") and "error" not in (said := json.loads(body)).keys() - {"object"}:
            yield said
        elif body.lstrip().startswith(b"{") and json.loads(body).get("object") == "response":
            yield json.loads(body)


def parsed(said: dict[str, Any]) -> Any:
    """As the official client reads it. Raises ValidationError for what is missing or of another kind."""
    if str(said.get("type", "")).startswith("response."):
        return EVENTS.validate_python(said)
    if "object" not in said:
        return Message.model_validate(said) if said["type"] == "message" else MESSAGES.validate_python(said)
    if said["object"] == "text_completion":
        for choice in said["choices"]:
            choice["finish_reason"] = choice["finish_reason"] or "stop"  # the published type forgets null
    return WHOLE[said["object"]].model_validate(said)


def extras(model: object) -> Iterator[str]:
    """Fields that the published types do not name, wherever they are."""
    if isinstance(model, BaseModel):
        yield from model.model_extra or ()
        for name in type(model).model_fields:
            yield from extras(getattr(model, name))
    elif isinstance(model, list):
        for each in model:
            yield from extras(each)


@pytest.mark.parametrize("case", MADE, ids=named)
def test_what_is_answered_is_what_the_official_types_say(case: Recording) -> None:
    found = list(answers(case))
    for said in found:
        assert set(extras(parsed(said))) <= EXTENSIONS | UNPUBLISHED
    assert found or "broken" in case.facts
