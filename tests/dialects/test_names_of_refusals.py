"""A request that another dialect cannot express is refused in the words of the client's own."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from writingmate.dialects.exchange import GRAMMARS, Exchange
from writingmate.errors import InvalidRequest, ProviderRefusal, UnsupportedParameter
from writingmate.types import DialectName
from writingmate.wire import document

MODEL = "claude-haiku-4-5"
SOUND = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}


def refused(spoken: DialectName, **fields: Any) -> InvalidRequest:
    request = document.parse(msgspec.json.encode({"model": "a/b", "input": "hi", **fields}))
    GRAMMARS["responses"].check(request)
    with pytest.raises(InvalidRequest) as caught:
        Exchange.begin("responses", request, [spoken], model=MODEL, slug="a/b", request_id="req_1")
    return caught.value


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"text": {"format": {"type": "json_object"}}}, "text.format"),
        ({"text": {"verbosity": "low"}}, "text.verbosity"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"include": ["message.output_text.logprobs"]}, "include"),
        ({"input": [{"role": "user", "content": [SOUND]}]}, "input"),
        ({"reasoning": {"effort": "low"}, "max_output_tokens": 1024}, "reasoning.effort"),
        ({"moderation": {"model": "m"}}, "moderation"),
    ],
)
def test_the_field_that_the_client_wrote_is_named(fields: dict[str, Any], param: str) -> None:
    error = refused("messages", **fields)
    assert isinstance(error, UnsupportedParameter)
    assert error.param == param
    assert f"'{param}'" in error.message


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"service_tier": "ultrafast"}, "service_tier"),
        ({"prompt_cache_options": {"prewarm": True}}, "prompt_cache_options.prewarm"),
        (
            {"prompt_cache_options": {"comparison_response_id": "resp_1"}},
            "prompt_cache_options.comparison_response_id",
        ),
        ({"prompt_cache_options": {"ttl": "12h"}}, "prompt_cache_options.ttl"),
    ],
)
def test_what_only_responses_have_is_refused_where_a_provider_chats(
    fields: dict[str, Any], param: str
) -> None:
    error = refused("chat", **fields)
    assert (error.param, error.code) == (param, "unsupported_parameter")


@pytest.mark.parametrize(
    ("dialect", "theirs", "ours"),
    [
        ("responses", "messages[3].content[0].type", "input"),
        ("responses", "max_completion_tokens", "max_output_tokens"),
        ("responses", "temperature", "temperature"),
        ("responses", "response_format.type", "text.format"),
        ("responses", None, None),
        ("completions", "messages", "prompt"),
        ("completions", "max_tokens", "max_tokens"),
        ("chat", "messages[0].role", "messages[0].role"),
        ("messages", "response_format.type", "output_config.format"),
        ("messages", "messages[0].role", "messages"),
    ],
)
def test_a_providers_refusal_names_it_too(dialect: DialectName, theirs: str | None, ours: str | None) -> None:
    asked: dict[DialectName, Any] = {
        "responses": {"input": "hi"},
        "completions": {"prompt": "hi"},
        "chat": {"messages": [{"role": "user", "content": "hi"}]},
        "messages": {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 9},
    }
    request = document.parse(msgspec.json.encode({"model": "a/b", **asked[dialect]}))
    exchange = Exchange.begin(dialect, request, ["chat"], model="m", slug="a/b", request_id="req_1")
    error = exchange.told(ProviderRefusal(400, "invalid_request_error", f"Bad '{theirs}'.", param=theirs))
    assert (error.param, error.message) == (ours, f"Bad '{ours}'.")
