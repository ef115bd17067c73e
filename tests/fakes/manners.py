"""What real providers do with a chat request, field by field, as their SDKs and references have it.

Written down apart from the gateway's own table, so that one can judge the other: `fault` is what a
provider would answer 400 or 422 for, `ignored` what it would say nothing about and not do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

Json = dict[str, Any]

_SAMPLING = ("temperature", "top_p")
_CHANCES = ("logprobs", "top_logprobs")
_PENALTIES = ("frequency_penalty", "presence_penalty")
_EVERYONES = frozenset((
    "model", "messages", "stream", "temperature", "top_p", "stop", "tools", "tool_choice", "response_format",
    *_PENALTIES,
))  # fmt: skip

#: Fields of the request types in ``mistralai``, ``together``, ``fireworks-ai``, DeepSeek's reference, Ollama.
KNOWN: Mapping[str, frozenset[str]] = {
    "mistral": _EVERYONES | {
        "max_tokens", "random_seed", "metadata", "min_tokens", "n", "prediction", "parallel_tool_calls",
        "reasoning_effort", "prompt_mode", *_CHANCES,
    },
    "deepseek": _EVERYONES | {"max_tokens", "thinking", "reasoning_effort", "stream_options", *_CHANCES},
    "together": _EVERYONES | {"max_tokens", "n", "seed", "logit_bias", "reasoning_effort", "stream_options"},
    "fireworks": _EVERYONES | {
        "max_tokens", "max_completion_tokens", "n", "seed", "logit_bias", "reasoning_effort", "metadata",
        "parallel_tool_calls", "prediction", "prompt_cache_key", "service_tier", "user", "function_call",
        "functions", "stream_options", *_CHANCES,
    },
    "ollama": (_EVERYONES - {"tool_choice"}) | {
        "max_tokens", "seed", "reasoning", "reasoning_effort", "stream_options", *_CHANCES,
    },
}  # fmt: skip
STRICT = ("mistral", "fireworks")

#: Of these nobody's answer is another.
ASIDE = frozenset((
    "user", "store", "metadata", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention",
    "safety_identifier", "service_tier", "prediction", "stream_options",
))  # fmt: skip
NO_DEVELOPER = ("mistral", "deepseek", "together")


def fault(provider: str, body: Json) -> str | None:
    """The field that the provider refuses a request for, None if it answers."""
    return next(_faults(provider, body), None)


def ignored(provider: str, body: Json) -> set[str]:
    """Fields that would have changed the answer and do not."""
    known = KNOWN.get(provider, frozenset(body))
    lost = {name for name in body if name not in known and name not in ASIDE}
    if provider == "groq":
        lost |= {name for name in _PENALTIES if body.get(name)}
    if provider == "deepseek" and body.get("thinking", {}).get("type") != "disabled":
        lost |= {name for name in (*_SAMPLING, *_PENALTIES) if name in body}
    if provider == "openrouter":
        lost |= {"n"} & body.keys()
        if not body.get("provider", {}).get("require_parameters"):
            lost |= {
                name for name in (*_CHANCES, *_PENALTIES, "logit_bias", "seed", "stop") if body.get(name)
            }
        maker, _, model = body["model"].partition("/")
        if maker in {"openai", "anthropic"}:  # which nobody else serves
            lost |= set(_faults(maker, {**body, "model": model}))
        lost -= {"max_tokens", "reasoning_effort", "messages"}  # it translates these
    if provider == "xai":
        lost |= {"logit_bias"} & body.keys()
    return lost


def _faults(provider: str, body: Json) -> Iterator[str]:
    if provider in STRICT:
        yield from (name for name in body if name not in KNOWN[provider])
    if provider in NO_DEVELOPER and any(message["role"] == "developer" for message in body["messages"]):
        yield "messages"
    if provider == "openai":
        yield from _openai(body)
    if provider == "groq":
        yield from (name for name in (*_CHANCES, "logit_bias") if name in body)
        yield from ("n" for _ in range(body.get("n", 1) != 1))
        if "gpt-oss" in body["model"] and body.get("reasoning_effort") not in {None, "low", "medium", "high"}:
            yield "reasoning_effort"
    if provider == "xai" and re.match(r"grok-4(?!.*non-reasoning)", body["model"]):
        yield from (name for name in (*_PENALTIES, "stop") if name in body)
        yield from ("top_logprobs" for _ in range((body.get("top_logprobs") or 0) > 8))
    if provider in {"together", "fireworks"}:
        words = {None, "low", "medium", "high", *(("none",) if provider == "fireworks" else ())}
        yield from ("reasoning_effort" for _ in range(body.get("reasoning_effort") not in words))
    if provider == "deepseek" and body.get("response_format", {}).get("type") == "json_schema":
        yield "response_format"
    if provider == "anthropic":
        yield from (name for name in ("n", "seed", *_CHANCES, *_PENALTIES, "logit_bias") if name in body)


_EFFORTS = (
    (r"o\d", ("low", "medium", "high")),
    (r"gpt-5(-mini|-nano)?$", ("minimal", "low", "medium", "high")),
    (r"gpt-5\.1$", ("none", "low", "medium", "high")),
    (r"gpt-5\.[2-5]$", ("none", "low", "medium", "high", "xhigh")),
    (r"gpt-5\.6", ("none", "low", "medium", "high", "xhigh", "max")),
    (r"gpt-6-(sol|luna)$", ("none", "low", "medium", "high", "xhigh", "max")),
    (r"gpt-6", ("low", "medium", "high", "xhigh", "max")),
)


def _openai(body: Json) -> Iterator[str]:
    model = body["model"]
    if not re.match(r"o\d|gpt-[5-9](?!.*chat)", model):
        return
    effort = body.get("reasoning_effort") or ("none" if re.match(r"gpt-5\.[1-4]", model) else "medium")
    allowed = next((words for names, words in _EFFORTS if re.match(names, model)), None)
    if "reasoning_effort" in body and allowed is not None and effort not in allowed:
        yield "reasoning_effort"
    if "max_tokens" in body:
        yield "max_tokens"
    yield from (name for name in _PENALTIES if body.get(name))
    yield from ("logit_bias" for _ in range(bool(body.get("logit_bias"))))
    samples = re.match(r"gpt-5\.", model) and effort == "none"
    if not samples:
        yield from (name for name in _SAMPLING if body.get(name, 1) != 1)
        yield from (name for name in _CHANCES if body.get(name))
    if "stop" in body and not re.match(r"o1|o3-mini", model):
        yield "stop"
    if re.match(r"o\d", model) and "parallel_tool_calls" in body:
        yield "parallel_tool_calls"
