"""OpenAI's own request types as judges of what is sent to it: what they do not name, it refuses."""

from __future__ import annotations

from typing import Any

from openai.types import completion_create_params as completions
from openai.types.chat import completion_create_params as chat
from openai.types.responses import response_create_params as responses
from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from tests.fakes import judging
from tests.fakes.openai_answers import refusal
from writingmate.types import DialectName

_STRICTLY = ConfigDict(extra="forbid", strict=True)


def _adapter(whole: Any, streamed: Any) -> dict[bool, TypeAdapter[Any]]:
    return {
        False: TypeAdapter(list[whole], config=_STRICTLY),
        True: TypeAdapter(list[streamed], config=_STRICTLY),
    }


_TYPES: dict[DialectName, dict[bool, TypeAdapter[Any]]] = {
    "chat": _adapter(chat.CompletionCreateParamsNonStreaming, chat.CompletionCreateParamsStreaming),
    "completions": _adapter(
        completions.CompletionCreateParamsNonStreaming, completions.CompletionCreateParamsStreaming
    ),
    "responses": _adapter(
        responses.ResponseCreateParamsNonStreaming, responses.ResponseCreateParamsStreaming
    ),
}


def fault(dialect: DialectName, request: dict[str, Any]) -> dict[str, Any] | None:
    """The envelope that OpenAI would refuse a request with, None if it would not."""
    said = {name: value for name, value in request.items() if name != "stream" or value}
    if isinstance(said.get("messages"), list):
        said["messages"] = [_returned(message) for message in said["messages"]]
    if _tokens(said.get("prompt")):
        said["prompt"] = "tokens"  # its type reads a list of them as one of numbers
    try:
        judging.read(_TYPES[dialect][bool(request.get("stream"))].validate_python([said]))
    except ValidationError as error:
        return _refusal(error.errors()[0], error, request)
    return None


def _returned(message: Any) -> Any:
    """Its own messages are taken back as they came, with what the type of a request does not name."""
    if not isinstance(message, dict) or message.get("role") != "assistant":
        return message
    return {name: value for name, value in message.items() if name != "annotations"}


def _tokens(prompt: object) -> bool:
    return isinstance(prompt, list) and all(
        isinstance(each, list) and all(type(token) is int for token in each) for each in prompt
    )


def _refusal(found: ErrorDetails, error: ValidationError, request: dict[str, Any]) -> dict[str, Any]:
    place = found["loc"][1:]
    if not place or place[0] not in {*request, "model", "messages", "prompt"}:
        return refusal(f"Invalid value: {error}", code="invalid_value")  # inside of an iterable
    param = _param(place)
    if found["type"] == "extra_forbidden":
        return refusal(f"Unknown parameter: '{param}'.", param=param, code="unknown_parameter")
    if found["type"] == "missing":
        message = f"Missing required parameter: '{param}'."
        return refusal(message, param=param, code="missing_required_parameter")
    return refusal(f"Invalid value for '{param}': {error}", param=param, code="invalid_value")


def _param(place: tuple[int | str, ...]) -> str:
    named = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return named.removeprefix(".")
