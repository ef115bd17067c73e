"""What is peculiar to which provider and model: rows of data, each laid over those before it.

Sources, all of November 2026:

* OpenAI: the guide to reasoning models and what the API answers. Models that reason refuse `max_tokens`,
  penalties and biases; o3, o4-mini and all after them refuse `stop`; the first two generations always
  sample as they please, GPT-5.1 to 5.6 only while they reason, GPT-6 always again. Up to GPT-5.4 a
  model with an effort of `none` has it by default.
* OpenRouter: its SDK: hosts get only what they support unless parameters are required, and nobody gets
  `n`. So what a host may lack is required, and the rules of OpenAI's and Anthropic's models, which have no
  other hosts, are those of the same models there. It translates every effort, and `max_tokens`, itself.
* Groq: its page on compatibility and its SDK: `n` above 1, log-probabilities, biases answer 400, penalties
  have no effect.
* Mistral: its SDK; a field that the API does not know answers 422.
* DeepSeek: its guide to thinking and the API's reference. What it does not know is ignored,
  `max_completion_tokens` included; while it thinks, which it does unless told otherwise, so is sampling.
* xAI: its guide to reasoning and its SDK. Together, Fireworks: their SDKs.
* Ollama: `openai/openai.go`; what is not in its requests is ignored. llama.cpp reads `max_tokens`.
* Anthropic: `messages_models`; what Messages has no word for is refused by `messages`, which also
  makes one call of each choice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from writingmate.dialects import messages_models
from writingmate.dialects.quirks import PLAIN, Quirks
from writingmate.dialects.quirks_rules import (
    AtMost,
    Insisted,
    Kinds,
    Refused,
    Renamed,
    Rule,
    Unneeded,
    Words,
)
from writingmate.types import Route


@dataclass(frozen=True, slots=True)
class Row:
    """The quirks of ``provider``'s models whose names begin with ``models``, but for those with ``unless``.

    Both are regular expressions.
    """

    provider: str
    models: str
    quirks: Quirks
    unless: str = ""

    def holds(self, provider: str, model: str) -> bool:
        """Whether it is about this model."""
        if self.provider != provider or not re.match(self.models, model):
            return False
        return not (self.unless and re.search(self.unless, model))


#: Temperature 0 asks for the likeliest answer, and many clients send it with every request.
_SAMPLING: Mapping[str, Rule] = {"temperature": Refused((1,), (0,)), "top_p": Refused((1,))}
_LOGPROBS: Mapping[str, Rule] = {"logprobs": Refused((False,)), "top_logprobs": Refused((0,))}
_PENALTIES: Mapping[str, Rule] = {"frequency_penalty": Refused((0,)), "presence_penalty": Refused((0,))}
_BIAS: Mapping[str, Rule] = {"logit_bias": Refused(({},))}
_SEED: Mapping[str, Rule] = {"seed": Refused()}
_STOP: Mapping[str, Rule] = {"stop": Refused(([],))}
_PARALLEL: Mapping[str, Rule] = {"parallel_tool_calls": Refused((True,))}
_OLD_LIMIT: Mapping[str, Rule] = {"max_completion_tokens": Renamed("max_tokens")}
_NEW_LIMIT: Mapping[str, Rule] = {"max_tokens": Renamed("max_completion_tokens")}
#: Where an answer is stored, who asks, how a prompt is cached, who is served first.
_ASIDE: Mapping[str, Rule] = {
    name: Unneeded()
    for name in (
        "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "safety_identifier",
        "service_tier", "store", "user",
    )
}  # fmt: skip
#: What OpenAI alone has.
_ELSEWHERE: Mapping[str, Rule] = {
    "audio": Refused(),
    "function_call": Refused(),
    "functions": Refused(([],)),
    "modalities": Refused((["text"],)),
    "moderation": Refused(),
    "verbosity": Refused(("medium",)),
    "web_search_options": Refused(),
}


#: What not every host of a model at OpenRouter knows.
_INSISTED: Mapping[str, Rule] = {
    "frequency_penalty": Insisted((0,)),
    "logit_bias": Insisted(({},)),
    "logprobs": Insisted((False,)),
    "presence_penalty": Insisted((0,)),
    "response_format": Insisted(({"type": "text"},)),
    "seed": Insisted(),
    "stop": Insisted(([],)),
    "top_logprobs": Insisted((0,)),
}


def _efforts(*accepted: str, near: Mapping[str, str] | None = None) -> Mapping[str, Rule]:
    return {"reasoning_effort": Words(accepted, near or {})}


_TO_HIGH = {"minimal": "low", "xhigh": "high", "max": "high"}
_O_SERIES = {**_SAMPLING, **_LOGPROBS, **_PENALTIES, **_BIAS, **_PARALLEL}
_GPT_5 = {**_SAMPLING, **_LOGPROBS, **_PENALTIES, **_BIAS, **_STOP}
_GPT_5_1 = Quirks({**_PENALTIES, **_BIAS, **_STOP}, {**_SAMPLING, **_LOGPROBS}, rests=True)
_GPT_5_5 = Quirks({**_PENALTIES, **_BIAS, **_STOP}, {**_SAMPLING, **_LOGPROBS})
_DATED = r"(-mini|-nano)?(-\d{4}-\d\d-\d\d)?$"


def _openai(models: str, quirks: Quirks) -> tuple[Row, Row]:
    """A row of OpenAI's models that reason, and the same ones at OpenRouter."""
    return (
        Row("openai", models, Quirks(_NEW_LIMIT).over(quirks), unless="chat"),
        Row("openrouter", f"openai/({models})", quirks, unless="chat"),
    )


def _anthropic() -> tuple[Row, ...]:
    """Anthropic's models, here and at OpenRouter, where versions are written with a dot."""
    unlike = [row.names for row in messages_models.FAMILIES if not row.samples]
    nothing = Quirks({**_SEED, **_LOGPROBS, **_PENALTIES, **_BIAS})
    return (
        Row("anthropic", "", Quirks(thinking=_SAMPLING, rests=True, one_choice=True)),
        *(Row("anthropic", names, Quirks(_SAMPLING)) for names in unlike),
        Row("openrouter", "anthropic/", Quirks(thinking=_SAMPLING, rests=True).over(nothing)),
        *(Row("openrouter", f"anthropic/({_dotted(names)})", Quirks(_SAMPLING)) for names in unlike),
    )


def _dotted(names: str) -> str:
    """``claude-opus-4-[78]`` as OpenRouter writes it, ``claude-opus-4.8``."""
    return re.sub(r"(?<=\d)-(?=\d|\[)", r"[-.]", names)


ROWS: tuple[Row, ...] = (
    Row("openrouter", "", Quirks(_INSISTED, one_choice=True)),
    *_openai(r"o1|o3-mini", Quirks(_O_SERIES)),
    *_openai(r"o3(?!-mini)|o4", Quirks({**_O_SERIES, **_STOP})),
    *_openai(r"gpt-5(?![.\d])", Quirks(_GPT_5)),
    *_openai(r"gpt-5\.[1-4]", _GPT_5_1),
    *_openai(r"gpt-5\.[5-9]", _GPT_5_5),
    *_openai(r"gpt-[6-9]", Quirks(_GPT_5)),
    Row("openai", r"o\d", Quirks(_efforts("low", "medium", "high"))),
    Row("openai", rf"gpt-5{_DATED}", Quirks(_efforts("minimal", "low", "medium", "high"))),
    Row("openai", rf"gpt-5\.1{_DATED}", Quirks(_efforts("none", "low", "medium", "high"))),
    Row("openai", rf"gpt-5\.(2|3|4|5){_DATED}", Quirks(_efforts("none", "low", "medium", "high", "xhigh"))),
    Row(
        "openai",
        r"gpt-5\.6|gpt-6-(sol|luna)$",
        Quirks(_efforts("none", "low", "medium", "high", "xhigh", "max")),
    ),
    Row("openai", r"gpt-6(?!-(sol|luna)$)", Quirks(_efforts("low", "medium", "high", "xhigh", "max"))),
    *_anthropic(),
    Row(
        "groq",
        "",
        Quirks(
            {**_LOGPROBS, **_PENALTIES, **_BIAS, "metadata": Unneeded(), "store": Unneeded()},
            one_choice=True,
        ),
    ),
    Row("groq", r"openai/gpt-oss", Quirks(_efforts("low", "medium", "high", near=_TO_HIGH))),
    Row(
        "mistral",
        "",
        Quirks(
            {**_OLD_LIMIT, "seed": Renamed("random_seed"), **_BIAS, **_ASIDE, **_ELSEWHERE},
            system_only=True,
        ),
    ),
    Row(
        "deepseek",
        "",
        Quirks(
            {
                **_OLD_LIMIT,
                **_SEED,
                **_BIAS,
                **_PARALLEL,
                **_ASIDE,
                **_ELSEWHERE,
                "metadata": Unneeded(),
                "prediction": Unneeded(),
                "response_format": Kinds(("text", "json_object")),
                "reasoning_effort": Words(
                    ("minimal", "low", "medium", "high", "xhigh", "max"),
                    instead={"none": {"thinking": {"type": "disabled"}}},
                ),
            },
            {**_SAMPLING, **_PENALTIES},
            one_choice=True,
            system_only=True,
        ),
    ),
    Row("xai", "", Quirks({**_ELSEWHERE, **_BIAS, "top_logprobs": AtMost(8)})),
    Row("xai", r"grok-[4-9]", Quirks({**_PENALTIES, **_STOP}), unless="non-reasoning"),
    Row("xai", r"grok-4\.5", Quirks(_efforts("low", "medium", "high", near=_TO_HIGH))),
    Row(
        "together",
        "",
        Quirks(
            {
                **_OLD_LIMIT,
                **_PARALLEL,
                **_LOGPROBS,
                **_ASIDE,
                **_ELSEWHERE,
                **_efforts("low", "medium", "high", near=_TO_HIGH),
                "metadata": Unneeded(),
                "prediction": Unneeded(),
            },
            system_only=True,
        ),
    ),
    Row(
        "fireworks",
        "",
        Quirks(
            {
                **{
                    name: rule
                    for name, rule in _ASIDE.items()
                    if name not in ("prompt_cache_key", "service_tier", "user")
                },
                **{name: rule for name, rule in _ELSEWHERE.items() if not name.startswith("function")},
                **_efforts("none", "low", "medium", "high", near=_TO_HIGH),
            },
            system_only=True,
        ),
    ),
    Row(
        "ollama",
        "",
        Quirks(
            {
                **_OLD_LIMIT,
                **_BIAS,
                **_PARALLEL,
                **_ASIDE,
                **_ELSEWHERE,
                "metadata": Unneeded(),
                "prediction": Unneeded(),
                "tool_choice": Refused(("auto",)),
            },
            one_choice=True,
            system_only=True,
            lacking=frozenset(("best_of", "echo", "logit_bias", "logprobs")),
        ),
    ),
    Row("vllm", "", Quirks(_ELSEWHERE, system_only=True)),
    Row("llamacpp", "", Quirks({**_ELSEWHERE, **_OLD_LIMIT}, system_only=True)),
)


@lru_cache(maxsize=4096)
def quirks(provider: str, model: str) -> Quirks:
    """What is peculiar to ``provider``'s model of that name there; kept, for there are only so many."""
    found = PLAIN
    for row in ROWS:
        if row.holds(provider, model):
            found = row.quirks.over(found)
    return found


def of(route: Route) -> Quirks:
    """What is peculiar to a route's model.

    Whoever speaks Messages only is taken for Anthropic; settings may say whose quirks a provider has.
    """
    provider = route.provider
    messages = "messages" in provider.paths and "chat" not in provider.paths
    return quirks(provider.quirks or ("anthropic" if messages else provider.name), route.model)
