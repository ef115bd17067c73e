"""Google's own types and client as judges of what is sent to Gemini, and the rules that they do not tell.

Its client, given the same request as its types, must send the very same document.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from typing import Any

from google.genai import Client, _common, models, types
from pydantic import ValidationError

_CLIENT = Client(api_key="AIza-judge")._api_client  # its only way to say what it would send
_NOT_IN_CONFIG = ("contents", "generationConfig")
_MOST_STOPS = 5
_FREE = ("args", "response", "responseJsonSchema", "parametersJsonSchema")  # whose names are the caller's


def fault(request: dict[str, Any], model: str) -> str | None:
    """What Google would refuse a request for, None if it would not."""
    unknown = request.keys() - {
        "contents",
        "systemInstruction",
        "tools",
        "toolConfig",
        "generationConfig",
        "serviceTier",
    }
    if unknown:
        return f'Invalid JSON payload received. Unknown name "{min(unknown)}": Cannot find field.'
    config = request.get("generationConfig", {}) | {
        name: value for name, value in request.items() if name not in _NOT_IN_CONFIG
    }
    try:
        types.GenerationConfig.model_validate(request.get("generationConfig", {}))
        typed = types._GenerateContentParameters.model_validate(
            {"model": model, "contents": request["contents"], "config": config}
        )
        theirs = models._GenerateContentParameters_to_mldev(_CLIENT, typed)
    except (ValidationError, ValueError, KeyError) as error:
        return f"Invalid JSON payload received. {error}"
    told = {name: value for name, value in theirs.items() if name not in {"_url", "config"}}
    ours, told = {"generationConfig": {}, **request}, {"generationConfig": {}, **told}
    if spelt(_plain(told)) != _plain(ours):
        return f"the official client would send {_plain(told)} instead of {_plain(ours)}"
    return next(_broken(request, model), None)


def spelt(value: Any) -> Any:
    """A request in camel case: Google reads names in snake case too, and its own client mixes them."""
    if isinstance(value, list):
        return [spelt(member) for member in value]
    if not isinstance(value, dict):
        return value
    members = {re.sub("_([a-z])", lambda at: at[1].upper(), name): member for name, member in value.items()}
    return {name: member if name in _FREE else spelt(member) for name, member in members.items()}


def _plain(value: object) -> object:
    """Its documents hold types of its own; enums by value, bytes by their base64."""
    if isinstance(value, _common.BaseModel):
        value = value.model_dump(exclude_none=True, by_alias=True)
    if isinstance(value, dict):
        return {name: _alike(name, _plain(member)) for name, member in value.items() if member is not None}
    if isinstance(value, list):
        return [_plain(member) for member in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, str):
        return str(getattr(value, "value", value))
    return value


def _alike(name: str, member: object) -> object:
    """Base64 has two alphabets, which are both read."""
    if name in {"thoughtSignature", "thought_signature"}:
        return str(member).replace("-", "+").replace("_", "/")
    return member


def _broken(request: dict[str, Any], model: str) -> Iterator[str]:
    contents = request["contents"]
    if not contents:
        yield "contents is not specified"
    yield from _shapeless(contents)
    for before, after in zip(contents, [*contents[1:], {"parts": []}], strict=True):
        yield from _unanswered(before, after)
        if not model.startswith("gemini-2"):
            yield from _unsigned(before)
    yield from _thinking(request.get("generationConfig", {}).get("thinkingConfig", {}), model)
    yield from _configured(request)


def _configured(request: dict[str, Any]) -> Iterator[str]:
    config = request.get("generationConfig", {})
    if len(config.get("stopSequences", ())) > _MOST_STOPS:
        yield "The number of stop sequences must be at most 5."
    if "responseJsonSchema" in config and config.get("responseMimeType") != "application/json":
        yield "responseJsonSchema needs responseMimeType application/json"
    for tool in request.get("tools", ()):
        if not tool["functionDeclarations"]:
            yield "tools: at least one function declaration is needed"


def _shapeless(contents: list[dict[str, Any]]) -> Iterator[str]:
    for content in contents:
        if content.get("role") not in {"user", "model"}:
            yield "Please use a valid role: user, model."
        if not content.get("parts"):
            yield "GenerateContentRequest.contents.parts must not be empty."
        for part in content["parts"]:
            if part.get("text") == "" and "thoughtSignature" not in part:
                yield "Unable to submit request because it has an empty text parameter."


def _unanswered(before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    called = [part["functionCall"] for part in before["parts"] if "functionCall" in part]
    answered = [part["functionResponse"] for part in after["parts"] if "functionResponse" in part]
    if sorted((call["id"], call["name"]) for call in called) != sorted(
        (answer["id"], answer["name"]) for answer in answered
    ):
        yield (
            "Please ensure that the number of function response parts is equal to the number of function "
            "call parts of the function call turn."
        )


def _unsigned(content: dict[str, Any]) -> Iterator[str]:
    calls = [part for part in content["parts"] if "functionCall" in part]
    if calls and not any("thoughtSignature" in call for call in calls):
        yield "Function call is missing a thought_signature in functionCall parts."


def _thinking(config: dict[str, Any], model: str) -> Iterator[str]:
    level, budget = config.get("thinkingLevel"), config.get("thinkingBudget")
    if level is not None and budget is not None:
        yield "You can only set only one of thinking budget and thinking level."
    if level is not None and model.startswith("gemini-2"):
        yield "Thinking level is not supported for this model."
    if budget == 0 and not model.startswith("gemini-2.5-flash"):
        yield "Budget 0 is invalid. This model only works in thinking mode."
    if level == "MINIMAL" and ("pro" in model or model.startswith("gemini-3.8")):
        yield "Thinking level MINIMAL is not supported for this model."
