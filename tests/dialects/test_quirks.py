"""Every field of a chat to every provider: carried, sent as something else, told of, or refused by name."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import writingmate.catalog
from tests.dialects import quirks_page
from tests.fakes import manners
from writingmate.dialects import chat, messages_models
from writingmate.dialects.exchange import Exchange
from writingmate.dialects.quirks import PLAIN, Quirks
from writingmate.dialects.quirks_rows import ROWS, of, quirks
from writingmate.dialects.quirks_rules import AtMost, Insisted, Kinds, Refused, Renamed, Rule, Unneeded, Words
from writingmate.errors import InvalidRequest, UnsupportedParameter
from writingmate.local.manifest import manifest
from writingmate.types import DialectName, Provider, Route
from writingmate.wire import document

HELLO = [{"role": "user", "content": "Hello"}]
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}

#: Of every field: values that mean something, and those that say what is so anyway.
FIELDS: dict[str, tuple[list[Any], list[Any]]] = {
    "model": (["a/b"], []),
    "messages": ([HELLO, [{"role": "developer", "content": "Be kind."}, *HELLO]], []),
    "audio": ([{"voice": "alloy", "format": "mp3"}], [None]),
    "frequency_penalty": ([0.5, -1], [0, 0.0, None]),
    "function_call": (["auto"], []),
    "functions": ([[{"name": "f"}]], []),
    "logit_bias": ([{"50256": -100}], [{}, None]),
    "logprobs": ([True], [False, None]),
    "max_completion_tokens": ([7], [None]),
    "max_tokens": ([7], [None]),
    "metadata": ([{"a": "b"}], [None]),
    "modalities": ([["text", "audio"]], [["text"], None]),
    "moderation": ([{"model": "omni"}], [None]),
    "n": ([2], [1, None]),
    "parallel_tool_calls": ([False], [True]),
    "prediction": ([{"type": "content", "content": "x"}], [None]),
    "presence_penalty": ([-1], [0, None]),
    "prompt_cache_key": (["k"], [None]),
    "prompt_cache_options": ([{"mode": "explicit"}], []),
    "prompt_cache_retention": (["24h"], [None]),
    "reasoning_effort": (["none", "minimal", "low", "medium", "high", "xhigh", "max"], ["default", None]),
    "response_format": ([SCHEMA, {"type": "json_object"}], [{"type": "text"}]),
    "safety_identifier": (["u-2"], [None]),
    "seed": ([1], [None]),
    "service_tier": (["flex"], [None]),
    "stop": (["a", ["a", "b"]], [[], None]),
    "store": ([True], [False, None]),
    "stream": ([True], [False, None]),
    "stream_options": ([{"include_usage": True}], []),
    "temperature": ([0.5, 2], [1, 1.0, None]),
    "tool_choice": (["none", "required"], ["auto"]),
    "tools": ([[TOOL]], []),
    "top_logprobs": ([3, 20], [0, None]),
    "top_p": ([0.5], [1, None]),
    "user": (["u-1"], []),
    "verbosity": (["low"], ["medium", None]),
    "web_search_options": ([{}], []),
}
BESIDE: dict[str, dict[str, Any]] = {
    "tool_choice": {"tools": [TOOL]},
    "top_logprobs": {"logprobs": True},
    "stream_options": {"stream": True},
    "function_call": {"functions": [{"name": "f"}]},
}
#: Models that are not in the catalog, so that every row has one.
FURTHER = {
    "openai": ("o1", "o3", "o3-mini", "o4-mini", "gpt-5-chat-latest", "gpt-5.1", "gpt-6-sol", "gpt-6-luna"),
    "anthropic": ("claude-opus-5-5", "claude-fable", "claude-haiku-5-5"),
    "groq": ("llama-3.3-70b-versatile",),
    "xai": ("grok-3", "grok-4.20-non-reasoning"),
    "openrouter": (
        "openai/o1", "openai/o3", "openai/gpt-6-sol",
        "anthropic/claude-opus-5.5", "anthropic/claude-haiku-5.5", "anthropic/claude-fable",
    ),
    "ollama": ("llama3.2",),
    "vllm": ("our/model",),
    "llamacpp": ("our/model",),
}  # fmt: skip


def served() -> Iterator[tuple[str, str]]:
    """Every provider's model that the catalog names, and some that it does not."""
    shipped = Path(writingmate.catalog.__file__).with_name("catalog.toml").read_text(encoding="utf-8")
    for row in tomllib.loads(shipped).values():
        yield from ((route["provider"], route["model"]) for route in row["routes"])
    yield from ((provider, model) for provider, models in FURTHER.items() for model in models)


SERVED = sorted(set(served()))
CHATTING = [(provider, model) for provider, model in SERVED if provider in {row.provider for row in ROWS}]


def begin(provider: str, model: str, /, **fields: Any) -> Exchange:
    asked = document.parse(msgspec.json.encode({"model": "a/b", "messages": HELLO, **fields}))
    chat.GRAMMAR.check(asked)
    spoken: DialectName = "messages" if provider == "anthropic" else "chat"
    return Exchange.begin(
        "chat",
        asked,
        [spoken],
        model=model,
        slug="a/b",
        request_id="r",
        stream_usage="always" if provider == "mistral" else "option",
        quirks=quirks(provider, model),
    )


def sent(provider: str, model: str, /, **fields: Any) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.json.decode(begin(provider, model, **fields).legs[0].body)
    return body


def refusal(provider: str, model: str, /, **fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        begin(provider, model, **fields)
    assert caught.value.param is not None
    assert caught.value.param in caught.value.message
    return caught.value


def test_every_field_of_chat_has_values() -> None:
    assert FIELDS.keys() == chat.GRAMMAR.rules.keys()


def outcome(provider: str, model: str, fields: dict[str, Any]) -> list[dict[str, Any]] | str:
    """What is sent in chat's words, or the field that is refused."""
    try:
        legs = begin(provider, model, **fields).legs
    except InvalidRequest as refused:
        return re.split(r"[.[]", str(refused.param))[0]
    return [msgspec.json.decode(leg.body) for leg in legs if leg.dialect == "chat"]


@pytest.mark.parametrize(("provider", "model"), CHATTING)
def test_what_is_sent_is_neither_refused_nor_ignored(provider: str, model: str) -> None:
    for name, (meant, neutral) in FIELDS.items():
        beside = BESIDE.get(name, {})
        for value in (*meant, *neutral):
            bodies = outcome(provider, model, {**beside, name: value})
            if isinstance(bodies, str):
                assert bodies in {name, *beside}, (name, value)
                assert value in meant or bodies in beside, (name, value)
                continue
            for body in bodies:
                assert manners.fault(provider, body) is None, (name, value)
                assert not manners.ignored(provider, body), (name, value)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.provider}-{row.models}")
def test_every_row_is_of_some_model(row: Any) -> None:
    assert any(row.holds(provider, model) for provider, model in SERVED)


@pytest.mark.parametrize("value", [0, 0.0])
@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("openai", "gpt-5"),
        ("openai", "gpt-5.6-luna"),
        ("openrouter", "openai/gpt-5"),
        ("openrouter", "anthropic/claude-opus-4.8"),
        ("anthropic", "claude-opus-5"),
        ("deepseek", "deepseek-v4-pro"),
    ],
)
def test_temperature_0_is_left_out_where_there_is_none_and_told(
    provider: str, model: str, value: float
) -> None:
    exchange = begin(provider, model, temperature=value)
    assert exchange.dropped == ("temperature",)
    assert "temperature" not in msgspec.json.decode(exchange.legs[0].body)
    assert refusal(provider, model, temperature=0.7).code in {"unsupported_value", "unsupported_parameter"}


@pytest.mark.parametrize(
    ("provider", "model", "effort", "samples"),
    [
        ("openai", "gpt-5.4", None, True),
        ("openai", "gpt-5.4", "none", True),
        ("openai", "gpt-5.4", "default", True),
        ("openai", "gpt-5.4", "low", False),
        ("openai", "gpt-5.5", None, False),
        ("openai", "gpt-5.5", "none", True),
        ("openai", "gpt-6-sol", "none", False),
        ("openai", "gpt-4.1", None, True),
        ("openai", "gpt-5-chat-latest", None, True),
        ("anthropic", "claude-haiku-4-5", None, True),
        ("anthropic", "claude-haiku-4-5", "low", False),
        ("deepseek", "deepseek-v4-flash", "none", True),
        ("deepseek", "deepseek-v4-flash", "max", False),
    ],
)
def test_some_models_sample_only_while_they_do_not_reason(
    provider: str, model: str, effort: str | None, *, samples: bool
) -> None:
    asked = {"temperature": 0} if effort is None else {"temperature": 0, "reasoning_effort": effort}
    exchange = begin(provider, model, **asked)
    assert ("temperature" in msgspec.json.decode(exchange.legs[0].body)) is samples
    assert exchange.dropped == (() if samples else ("temperature",))


def test_a_switch_of_the_providers_own_counts() -> None:
    off = {"type": "disabled"}
    assert sent("deepseek", "deepseek-v4-pro", temperature=0.5, thinking=off)["temperature"] == 0.5
    on = {"type": "enabled", "budget_tokens": 1024}
    assert refusal("anthropic", "claude-haiku-4-5", temperature=0.5, thinking=on).param == "temperature"


@pytest.mark.parametrize("row", messages_models.FAMILIES, ids=lambda row: str(row.names))
def test_anthropics_families_are_told_apart_as_its_dialect_does(row: Any) -> None:
    for provider, model in SERVED:
        if provider == "anthropic" and messages_models.family(model) is row:
            assert ("temperature" in quirks(provider, model).rules) is not row.samples
            assert (
                quirks("openrouter", f"anthropic/{model}").rules.keys()
                >= quirks(provider, model).rules.keys()
            )


@pytest.mark.parametrize(
    ("provider", "model", "asked", "becomes"),
    [
        ("openai", "gpt-5", {"max_tokens": 5}, {"max_completion_tokens": 5}),
        ("openai", "gpt-4.1", {"max_tokens": 5}, {"max_tokens": 5}),
        ("openai", "gpt-5", {"max_tokens": None, "max_completion_tokens": 5}, {"max_completion_tokens": 5}),
        ("mistral", "m", {"max_completion_tokens": 5, "seed": 3}, {"max_tokens": 5, "random_seed": 3}),
        ("deepseek", "m", {"max_completion_tokens": 5}, {"max_tokens": 5}),
        ("deepseek", "m", {"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
        ("deepseek", "m", {"reasoning_effort": "medium"}, {"reasoning_effort": "medium"}),
        ("groq", "openai/gpt-oss-20b", {"reasoning_effort": "xhigh"}, {"reasoning_effort": "high"}),
        ("xai", "grok-4.5", {"reasoning_effort": "minimal"}, {"reasoning_effort": "low"}),
        ("xai", "grok-4.5", {"reasoning_effort": "default"}, {}),
        ("ollama", "m", {"max_completion_tokens": 5, "user": "u"}, {"max_tokens": 5}),
        ("vllm", "m", {"max_completion_tokens": 5, "seed": 3}, {"max_completion_tokens": 5, "seed": 3}),
        ("unheard-of", "gpt-5", {"temperature": 0, "seed": 3}, {"temperature": 0, "seed": 3}),
    ],
)
def test_what_a_provider_calls_otherwise_is_sent_as_that(
    provider: str, model: str, asked: dict[str, Any], becomes: dict[str, Any]
) -> None:
    assert sent(provider, model, **asked) == {"model": model, "messages": HELLO, **becomes}


def test_a_lowered_limit_goes_by_the_name_that_the_provider_reads() -> None:
    asked = document.parse(msgspec.json.encode({"model": "a/b", "messages": HELLO}))
    for provider, name in {"deepseek": "max_tokens", "openai": "max_completion_tokens"}.items():
        exchange = Exchange.begin(
            "chat", asked, ["chat"], model="m", slug="a/b", request_id="r", max_tokens=9,
            quirks=quirks(provider, "m"),
        )  # fmt: skip
        assert msgspec.json.decode(exchange.legs[0].body)[name] == 9


@pytest.mark.parametrize(
    ("provider", "model", "asked", "param", "code"),
    [
        ("openai", "o3", {"stop": ["a"]}, "stop", "unsupported_parameter"),
        ("openai", "gpt-5", {"temperature": 0.7}, "temperature", "unsupported_value"),
        ("openai", "gpt-5.2", {"reasoning_effort": "minimal"}, "reasoning_effort", "unsupported_value"),
        ("openai", "gpt-5", {"logprobs": True}, "logprobs", "unsupported_parameter"),
        ("openai", "o3", {"parallel_tool_calls": False}, "parallel_tool_calls", "unsupported_value"),
        ("mistral", "m", {"logit_bias": {"5": 1}}, "logit_bias", "unsupported_parameter"),
        ("deepseek", "m", {"seed": 0}, "seed", "unsupported_parameter"),
        ("deepseek", "m", {"response_format": SCHEMA}, "response_format.type", "unsupported_value"),
        ("xai", "grok-4.7", {"logprobs": True, "top_logprobs": 9}, "top_logprobs", "integer_above_max_value"),
        ("ollama", "m", {"tools": [TOOL], "tool_choice": "required"}, "tool_choice", "unsupported_value"),
        ("openrouter", "anthropic/claude-opus-5", {"seed": 1}, "seed", "unsupported_parameter"),
    ],
)
def test_what_it_cannot_do_is_refused_by_name(
    provider: str, model: str, asked: dict[str, Any], param: str, code: str
) -> None:
    refused = refusal(provider, model, **asked)
    assert (refused.status, refused.param, refused.code) == (400, param, code)


def test_developers_are_systems_where_there_are_none() -> None:
    odd = (
        b'{"model":"m","messages":[{"role" : "developer","content":"Be \\u006bind"},'
        b'{"content":"a \\"developer\\"","role":"user"},'
        b'{"role":"user","content":"developer",  "name":"developer"}, 7]}'
    )
    request = document.parse(odd)
    assert quirks("mistral", "m").apply(request, "chat") == []
    assert document.encode(request) == odd.replace(b'"role" : "developer"', b'"role":"system"').replace(
        b',  "name"', b',"name"'
    ).replace(b"}, 7]", b"},7]")
    kept = document.parse(odd)
    quirks("openai", "gpt-5").apply(kept, "chat")
    assert document.encode(kept) == document.encode(document.parse(odd))


def test_a_document_that_concerns_no_rule_is_not_touched() -> None:
    asked = b'{"model":"m","messages":[{"role":"user",  "content":"h\\u00e9"}],"seed":1e0,"x":{"a": 1}}'
    for provider, model in (("openai", "gpt-5"), ("xai", "grok-4.7"), ("vllm", "m")):
        request = document.parse(asked)
        before = dict(request)
        assert quirks(provider, model).apply(request, "chat") == []
        assert request == before
        assert document.encode(request) == asked


def test_a_response_has_only_the_rules_that_mean_the_same_there() -> None:
    peculiar = quirks("openai", "gpt-5.4")
    request = document.parse(
        b'{"model":"m","temperature":0,"reasoning":{"effort":"low"},"stop":1,"max_tokens":2}'
    )
    assert peculiar.apply(request, "responses") == ["temperature"]
    assert list(request) == ["model", "reasoning", "stop", "max_tokens"]
    resting = document.parse(b'{"model":"m","temperature":0,"reasoning":{"effort":null}}')
    assert peculiar.apply(resting, "responses") == []
    completion = document.parse(b'{"model":"m","temperature":0,"prompt":"x"}')
    assert quirks("openai", "gpt-5").apply(completion, "completions") == []
    native = b'{"model":"m","temperature":1,"thinking":{"type":"enabled","budget_tokens":1024},"messages":[]}'
    message = document.parse(native)
    assert quirks("anthropic", "claude-haiku-4-5").apply(message, "messages") == []
    assert document.encode(message) == native


def test_rows_are_laid_over_each_other() -> None:
    under = Quirks({"a": Unneeded(), "b": Unneeded()}, {"c": Unneeded()}, one_choice=True)
    over = Quirks({"b": Renamed("x"), "c": AtMost(1)}, {"d": Unneeded()}, rests=True).over(under)
    assert over == Quirks(
        {"a": Unneeded(), "b": Renamed("x"), "c": AtMost(1)}, {"d": Unneeded()}, rests=True, one_choice=True
    )
    assert quirks("openai", "gpt-4.1") is PLAIN
    both = Quirks(thinking={"a": Refused()}).over(Quirks({"a": Renamed("b")}))
    resting = document.parse(b'{"a":1,"reasoning_effort":"none"}')
    both.apply(resting, "chat")
    assert "b" in resting
    with pytest.raises(UnsupportedParameter):
        both.apply(document.parse(b'{"a":1}'), "chat")


def test_quirks_go_by_the_provider_its_dialect_or_what_settings_say() -> None:
    def route(name: str, dialect: DialectName, quirks_of: str = "") -> Route:
        return Route(Provider(name, "http://x", {dialect: "/x"}, quirks=quirks_of), "gpt-5")

    assert of(route("openai", "chat")) == quirks("openai", "gpt-5")
    assert of(route("azure", "chat")) is PLAIN
    assert of(route("azure", "chat", "openai")) == quirks("openai", "gpt-5")
    assert of(route("openai", "chat", "none")) is PLAIN
    assert of(route("lab", "messages")) == quirks("anthropic", "gpt-5")


def test_each_rule_has_words() -> None:
    said: list[tuple[Rule, str]] = [
        (Renamed("x"), "sent as `x`"),
        (Unneeded(), "left out: the answer is the same"),
        (Refused(), "refused"),
        (Refused(([],)), "refused"),
        (Refused((1,), (0,)), "refused, but for 1; 0 is left out, and a header says so"),
        (AtMost(8), "at most 8"),
        (Insisted(), "sent with `provider.require_parameters`, so that no host ignores it"),
        (Kinds(("a", "b")), "of type `a` or `b`"),
        (
            Words(("a", "b"), {"max": "b"}, {"none": {"t": {"off": True}}}),
            '`a` or `b`; `max` becomes `b`; `none` becomes `t` of {"off":true}',
        ),
    ]
    for rule, words in said:
        assert rule.words() == words
    alike = {"a": Unneeded(), "b": Unneeded()}
    whole = Quirks(alike, {"c": Refused()}, False, True, True, frozenset("xw"))  # noqa: FBT003  # one of each
    assert whole.words() == [
        "`a`, `b`: left out: the answer is the same",
        "`c`: refused (while it reasons, as it does unless told otherwise)",
        "`n`: a call for each choice",
        "`w`, `x` of a completion: by chat, or refused",
        "role `developer`: sent as `system`",
    ]
    assert Quirks(thinking={"c": Refused()}, rests=True).words() == ["`c`: refused (while it reasons)"]


@pytest.mark.parametrize(
    ("asked", "wishes"),
    [
        ({"seed": 1}, {"require_parameters": True}),
        ({"seed": None, "stop": [], "logprobs": False, "response_format": {"type": "text"}}, None),
        ({"seed": 1, "provider": {"sort": "price"}}, {"require_parameters": True, "sort": "price"}),
        ({"seed": 1, "provider": {"require_parameters": False}}, {"require_parameters": False}),
        ({"seed": 1, "provider": None}, {"require_parameters": True}),
        ({"seed": 1, "provider": "odd"}, "odd"),
        ({"temperature": 0.5, "provider": {"sort": "price"}}, {"sort": "price"}),
    ],
)
def test_a_routers_hosts_have_to_know_what_changes_an_answer(asked: dict[str, Any], wishes: Any) -> None:
    body = sent("openrouter", "z-ai/glm-5.3", **asked)
    assert body.get("provider") == wishes
    assert {name: body[name] for name in asked if name != "provider"} == {
        name: value for name, value in asked.items() if name != "provider"
    }


@pytest.mark.parametrize(
    ("asked", "dialect"),
    [
        ({}, "completions"),
        ({"echo": False, "logprobs": None, "logit_bias": {}, "n": 1}, "completions"),
        ({"echo": True}, "chat"),
        ({"logprobs": 0}, "chat"),
        ({"best_of": 1}, "chat"),
        ({"n": 2}, "chat"),
    ],
)
def test_a_completion_that_its_provider_would_not_understand_is_chatted(
    asked: dict[str, Any], dialect: str
) -> None:
    request = document.parse(msgspec.json.encode({"model": "a/b", "prompt": "x", **asked}))
    exchange = Exchange.begin(
        "completions", request, ["chat", "completions"], model="m", slug="a/b", request_id="r",
        quirks=quirks("ollama", "m"),
    )  # fmt: skip
    assert {leg.dialect for leg in exchange.legs} == {dialect}
    biased = document.parse(b'{"model":"a/b","prompt":"x","logit_bias":{"5":1}}')
    with pytest.raises(UnsupportedParameter, match="logit_bias"):
        Exchange.begin(
            "completions", biased, ["chat", "completions"], model="m", slug="a/b", request_id="r",
            quirks=quirks("ollama", "m"),
        )  # fmt: skip


def test_fields_without_a_shape_are_refused_by_name() -> None:
    odd = document.parse(
        b'{"reasoning_effort":7,"response_format":{"type":3},"thinking":[1],"temperature":1}'
    )
    rule = Words(("low",))
    with pytest.raises(UnsupportedParameter, match="'reasoning_effort' of 7"):
        rule.apply("reasoning_effort", odd)
    with pytest.raises(UnsupportedParameter, match=r"'response_format\.type' of 3"):
        Kinds(("text",)).apply("response_format", odd)
    assert Quirks(thinking={"temperature": Refused((1,))}).apply(odd, "chat") == []


def test_the_page_says_how_many_choices_an_embedded_model_gives() -> None:
    assert {model.slots for model in manifest()} == {4}
    assert "`local` | up to 4 |" in quirks_page.PAGE.read_text(encoding="utf-8")


def test_the_page_shows_the_table() -> None:
    text = quirks_page.PAGE.read_text(encoding="utf-8")
    assert text == quirks_page.page(text), "run python -m tests.dialects.quirks_page"
