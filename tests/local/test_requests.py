from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.local.wheels import model
from writingmate.errors import InvalidRequest, UnsupportedParameter
from writingmate.local.requests import prepared

MODEL = model(b"x")
MESSAGES = [{"role": "user", "content": "hi"}]
TOOL = {"type": "function", "function": {"name": "now"}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


def sent(**fields: Any) -> dict[str, Any]:
    request = prepared({"model": "tiny", "messages": MESSAGES, **fields}, MODEL)
    body: dict[str, Any] = msgspec.json.decode(request.body)
    return body


def test_a_plain_request() -> None:
    assert sent() == {
        "messages": [{"role": "system", "content": "You are a helpful assistant."}, MESSAGES[0]],
        "n": 1,
        "max_tokens": 2048,
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.2,
    }


def test_what_the_client_wants_is_remembered() -> None:
    request = prepared(
        {"messages": MESSAGES, "stream": True, "stream_options": {"include_usage": True}, "n": 3}, MODEL
    )
    assert (request.streaming, request.usage, request.choices) == (True, True, 3)
    assert prepared({"messages": MESSAGES, "stream_options": None, "n": None}, MODEL).choices == 1


@pytest.mark.parametrize(
    ("fields", "limit"),
    [
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 7}, 7),
        ({"max_tokens": 32000}, 2048),
        ({"max_tokens": None}, 2048),
    ],
)
def test_no_answer_is_longer_than_the_models_limit(fields: dict[str, Any], limit: int) -> None:
    assert sent(**fields)["max_tokens"] == limit


def test_sampling_is_carried() -> None:
    fields = {"temperature": 0, "top_p": 0.5, "top_k": 3, "min_p": 0.1, "repeat_penalty": 1.1}
    assert sent(**fields).items() >= fields.items()
    assert sent(temperature=None)["temperature"] == 0.2


def test_penalties_look_at_the_whole_text() -> None:
    assert sent(presence_penalty=1)["repeat_last_n"] == -1
    assert "repeat_last_n" not in sent(presence_penalty=0)


@pytest.mark.parametrize(("seed", "used"), [(7, 7), (-1, 0x7FFFFFFF), (1 << 40, 0), (0, 0)])
def test_any_seed_is_one_here(seed: int, used: int) -> None:
    assert sent(seed=seed)["seed"] == used


def test_biases_are_of_this_models_tokens() -> None:
    assert sent(logit_bias={"5": -100})["logit_bias"] == [[5, -100]]
    with pytest.raises(InvalidRequest) as caught:
        sent(logit_bias={"Paris": 1})
    assert caught.value.param == "logit_bias"


@pytest.mark.parametrize(
    ("stop", "stops"), [("a", ["a"]), (["a", ""], ["a"]), ("", None), ([], None), (None, None)]
)
def test_an_empty_stop_is_none(stop: object, stops: object) -> None:
    assert sent(stop=stop).get("stop") == stops


@pytest.mark.parametrize(("fields", "asked"), [({}, 1), ({"top_logprobs": 0}, 1), ({"top_logprobs": 5}, 5)])
def test_logprobs_are_asked_for(fields: dict[str, int], asked: int) -> None:
    assert sent(logprobs=True, **fields)["top_logprobs"] == asked
    request = prepared({"messages": MESSAGES, "logprobs": True, **fields}, MODEL)
    assert request.alternatives == fields.get("top_logprobs", 0)


def test_no_more_choices_than_slots() -> None:
    assert sent(n=4)["n"] == 4
    with pytest.raises(InvalidRequest, match="<= 4, but got 5") as caught:
        sent(n=5)
    assert (caught.value.param, caught.value.code) == ("n", "integer_above_max_value")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("audio", {"voice": "alloy"}),
        ("functions", [{"name": "f"}]),
        ("function_call", "auto"),
        ("web_search_options", {}),
        ("modalities", ["text", "audio"]),
        ("reasoning_effort", "high"),
        ("verbosity", "low"),
        ("response_format", {"type": "grammar"}),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(UnsupportedParameter, match=field) as caught:
        sent(**{field: value})
    assert (caught.value.param, caught.value.code) == (field, "unsupported_parameter")


def test_advice_and_unknown_fields_are_left_out() -> None:
    advice = {
        "user": "u",
        "store": True,
        "metadata": {"a": "b"},
        "service_tier": "auto",
        "verbosity": "medium",
    }
    assert (
        sent(**advice, reasoning_effort="none", modalities=["text"], id_slot=1, grammar="root ::= x")
        == sent()
    )


@pytest.mark.parametrize("field", ["top_k", "min_p", "repeat_penalty"])
def test_vendors_fields_are_numbers(field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        sent(**{field: "x"})
    assert (caught.value.param, caught.value.code) == (field, "invalid_type")


def test_formats() -> None:
    described = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA, "strict": True}}
    assert sent(response_format=described)["response_format"]["json_schema"]["schema"] == SCHEMA
    loose = sent(response_format={"type": "json_object"})["response_format"]["json_schema"]["schema"]
    assert loose == {"type": "object"}
    assert "response_format" not in sent(response_format={"type": "text"})
    bare = {"type": "json_schema", "json_schema": {"name": "x"}}
    assert sent(response_format=bare)["response_format"]["json_schema"]["schema"] == {"type": "object"}


@pytest.mark.parametrize(
    ("described", "param"),
    [
        (None, "response_format.json_schema"),
        ({}, "response_format.json_schema.name"),
        ({"name": "x", "schema": 1}, "response_format.json_schema.schema"),
        ({"name": "x", "schema": {"not": {}}, "strict": True}, "response_format"),
    ],
)
def test_a_wrong_format_is_named(described: object, param: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        sent(response_format={"type": "json_schema", "json_schema": described})
    assert caught.value.param == param


def test_only_a_strict_schema_must_be_kept_to() -> None:
    loose = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"not": {}}}}
    assert sent(response_format=loose)["response_format"]["json_schema"]["schema"] == {"not": {}}


def test_tools_are_described_and_forced() -> None:
    assert "<tools>" in sent(tools=[TOOL])["messages"][0]["content"]
    assert "response_format" not in sent(tools=[TOOL])
    forced = sent(tools=[TOOL], tool_choice="required")["response_format"]["json_schema"]["schema"]
    assert [each["properties"]["name"] for each in forced["anyOf"]] == [{"const": "now"}]
    either = sent(tools=[TOOL], response_format={"type": "json_object"})["response_format"]["json_schema"]
    assert len(either["schema"]["anyOf"]) == 2
    assert "<tools>" not in sent(tools=[TOOL], tool_choice="none")["messages"][0]["content"]
