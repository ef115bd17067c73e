"""What the child is sent: built anew from the fields that work here; the others are refused by name.

Fields that only advise the provider (``user``, ``store``, ``service_tier`` …) and ones that nobody
here has heard of have nothing to do for this model and are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from writingmate.dialects import faults
from writingmate.errors import InvalidRequest, UnsupportedParameter
from writingmate.local import schemas
from writingmate.local.manifest import LocalModel
from writingmate.local.messages import turns
from writingmate.local.tools import Toolbox

_REFUSED = ("audio", "functions", "function_call", "web_search_options")
_ONLY: dict[str, tuple[Any, ...]] = {
    "modalities": (["text"],),
    "reasoning_effort": ("none", "minimal", "default"),
    "verbosity": ("medium",),
}
_CARRIED = ("temperature", "top_p", "presence_penalty", "frequency_penalty")
_VENDORS = ("top_k", "min_p", "repeat_penalty")
_LARGEST_SEED = 0x7FFFFFFF


@dataclass(frozen=True, slots=True)
class Request:
    """A request that the child can be sent, and what its answer must be made into.

    ``alternatives`` is ``top_logprobs``, None if logprobs were not asked for; ``usage`` whether a
    stream ends with it.
    """

    body: bytes
    choices: int
    streaming: bool
    usage: bool
    alternatives: int | None
    toolbox: Toolbox


def prepared(asked: Mapping[str, Any], model: LocalModel) -> Request:
    """Read a document that the chat dialect's grammar allows. Raises InvalidRequest, UnsupportedParameter."""
    _refuse(asked, model)
    toolbox = Toolbox.read(asked)
    choices = asked.get("n") or 1
    if choices > model.slots:
        raise faults.above_maximum("n", choices, model.slots, "integer")
    alternatives = (asked.get("top_logprobs") or 0) if asked.get("logprobs") else None
    outgoing = {
        "messages": turns(asked["messages"], model, toolbox.description()),
        "n": choices,
        "max_tokens": _limit(asked, model),
        "stream": True,
        "stream_options": {"include_usage": True},
        **_sampling(asked, model),
        **_stops(asked),
        **_format(asked.get("response_format"), toolbox, model),
    }
    if alternatives is not None:
        outgoing |= {"logprobs": True, "top_logprobs": max(1, alternatives)}
    return Request(
        msgspec.json.encode(outgoing),
        choices,
        bool(asked.get("stream")),
        bool((asked.get("stream_options") or {}).get("include_usage")),
        alternatives,
        toolbox,
    )


def _refuse(asked: Mapping[str, Any], model: LocalModel) -> None:
    for name in _REFUSED:
        if asked.get(name) is not None:
            raise _unsupported(name, model)
    for name, accepted in _ONLY.items():
        if asked.get(name) not in (None, *accepted):
            raise _unsupported(name, model)


def _unsupported(name: str, model: LocalModel) -> UnsupportedParameter:
    return UnsupportedParameter(
        f"Unsupported parameter: '{name}' is not supported with {model.slug} as it was sent.", param=name
    )


def _limit(asked: Mapping[str, Any], model: LocalModel) -> int:
    limit = asked.get("max_completion_tokens") or asked.get("max_tokens") or model.max_output
    return min(int(limit), model.max_output)


def _sampling(asked: Mapping[str, Any], model: LocalModel) -> dict[str, Any]:
    chosen: dict[str, Any] = {"temperature": model.temperature}
    chosen |= {name: asked[name] for name in _CARRIED if asked.get(name) is not None}
    chosen |= {name: _number(name, asked[name]) for name in _VENDORS if asked.get(name) is not None}
    if asked.get("presence_penalty") or asked.get("frequency_penalty"):
        chosen["repeat_last_n"] = -1  # OpenAI's penalties look at the whole text, not at its end
    if asked.get("seed") is not None:
        chosen["seed"] = asked["seed"] & _LARGEST_SEED
    if asked.get("logit_bias"):
        chosen["logit_bias"] = [[_token(token), bias] for token, bias in asked["logit_bias"].items()]
    return chosen


def _number(name: str, value: Any) -> float:  # noqa: ANN401  # any JSON value
    if type(value) not in {int, float}:
        raise faults.invalid_type(name, "a decimal", value)
    return float(value) if name != "top_k" else int(value)


def _token(text: str) -> int:
    if not text.isdecimal():
        raise InvalidRequest(
            f"Invalid 'logit_bias': '{faults.shown(text)}' is not the id of a token.", param="logit_bias"
        )
    return int(text)


def _stops(asked: Mapping[str, Any]) -> dict[str, list[str]]:
    stop = asked.get("stop")
    stops = [each for each in ([stop] if isinstance(stop, str) else stop or []) if each]
    return {"stop": stops} if stops else {}


def _format(asked: Any, toolbox: Toolbox, model: LocalModel) -> dict[str, Any]:  # noqa: ANN401  # any JSON value
    """``response_format`` for the child: the answer's, the calls', or either's."""
    kind = asked["type"] if asked else "text"
    if kind not in {"text", "json_object", "json_schema"}:
        raise _unsupported("response_format", model)
    if toolbox.functions and toolbox.required:
        return _held_to(toolbox.schema())
    if kind == "text":
        return {}
    schema = {"type": "object"} if kind == "json_object" else _schema(asked)
    return _held_to(toolbox.schema(schema) if toolbox.functions else schema)


def _schema(asked: Mapping[str, Any]) -> Any:  # noqa: ANN401  # any JSON schema
    described = asked.get("json_schema")
    if not isinstance(described, dict):
        raise faults.missing("response_format.json_schema")
    if not isinstance(described.get("name"), str):
        raise faults.missing("response_format.json_schema.name")
    schema = described.get("schema")
    if schema is None:
        return {"type": "object"}
    if not isinstance(schema, dict):
        raise faults.invalid_type("response_format.json_schema.schema", "an object", schema)
    if described.get("strict"):
        schemas.check_strict(schema, "response_format", described["name"])
    return schema


def _held_to(schema: Any) -> dict[str, Any]:  # noqa: ANN401  # any JSON schema
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}}
