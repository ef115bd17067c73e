from __future__ import annotations

from typing import Any

import msgspec
import pytest
from openai.types import completion_create_params

from writingmate.dialects.completions_codec import FOREIGN, MOST_PROMPTS, TRANSLATED
from writingmate.dialects.exchange import GRAMMARS, Exchange
from writingmate.errors import InvalidRequest, UnsupportedParameter, UpstreamBroken
from writingmate.types import DialectName, Usage
from writingmate.wire import document, sse

BASE = {"model": "a/b", "prompt": "hi"}
SPOKEN: tuple[DialectName, ...] = ("chat",)


def begin(fields: dict[str, Any]) -> Exchange:
    request = document.parse(msgspec.json.encode(BASE | fields))
    GRAMMARS["completions"].check(request)
    return Exchange.begin("completions", request, SPOKEN, model="b", slug="a/b", request_id="r")


def sent(fields: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.json.decode(begin(fields).legs[0].body)
    return body


def refused(fields: dict[str, Any]) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        begin(fields)
    assert caught.value.status == 400
    return caught.value


#: Every field of the dialect: a value, and what becomes of it: sent as it is, as something else, refused.
MESSAGES = [{"role": "user", "content": "hi"}]
FIELDS: dict[str, tuple[Any, dict[str, Any] | str]] = {
    "model": ("a/b", {"model": "b"}),
    "prompt": ("hi", {"messages": MESSAGES}),
    "best_of": (2, "refused"),
    "echo": (True, {}),
    "frequency_penalty": (0.5, "carried"),
    "logit_bias": ({"5": -1}, "carried"),
    "logprobs": (3, {"logprobs": True, "top_logprobs": 3}),
    "max_tokens": (5, "carried"),
    "n": (2, "carried"),
    "presence_penalty": (0.5, "carried"),
    "seed": (4, "carried"),
    "stop": (["a"], "carried"),
    "stream": (True, {"stream": True, "stream_options": {"include_usage": True}}),
    "stream_options": ({"include_usage": True, "x": 1}, {"stream_options": {"include_usage": True}}),
    "suffix": ("end", "refused"),
    "temperature": (0.5, "carried"),
    "top_p": (0.5, "carried"),
    "user": ("u", "carried"),
}


def test_every_field_of_the_dialect_has_its_fate() -> None:
    published = completion_create_params.CompletionCreateParamsStreaming.__annotations__
    inherited = completion_create_params.CompletionCreateParamsBase.__annotations__
    assert set(FIELDS) == {*published, *inherited} == set(GRAMMARS["completions"].rules)
    assert {name for name, (_, fate) in FIELDS.items() if fate == "carried"} == (
        set(FIELDS) - TRANSLATED - {"model", "stream"}
    )


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_is_carried_translated_or_refused_by_name(name: str) -> None:
    value, fate = FIELDS[name]
    fields: dict[str, Any] = {name: value} | ({"stream": True} if name == "stream_options" else {})
    if fate == "refused":
        error = refused(fields)
        assert isinstance(error, UnsupportedParameter)
        assert (error.param, error.code) == (name, "unsupported_parameter")
        assert f"'{name}'" in error.message
        return
    expected: dict[str, Any] = {"model": "b", "messages": MESSAGES}
    expected |= {name: value} if isinstance(fate, str) else fate
    if "stream" in fields:
        expected["stream"] = True
    assert sent(fields) == expected


@pytest.mark.parametrize("name", [name for name in FIELDS if name not in ("model", "prompt", "user")])
def test_null_means_the_field_was_not_given(name: str) -> None:
    outgoing = {key: value for key, value in sent({name: None}).items() if value is not None}
    assert outgoing == {"model": "b", "messages": MESSAGES}


def test_fields_never_heard_of_are_carried() -> None:
    assert sent({"top_k": 4, "min_p": [0.1]}) == {
        "top_k": 4,
        "min_p": [0.1],
        "model": "b",
        "messages": MESSAGES,
    }


@pytest.mark.parametrize("name", FOREIGN)
def test_fields_that_would_change_the_answers_kind_are_refused(name: str) -> None:
    assert refused({name: []}).param == name


@pytest.mark.parametrize(
    ("fields", "param", "words"),
    [
        ({"prompt": [1, 2]}, "prompt", "of tokens"),
        ({"prompt": [[1], [2]]}, "prompt", "of tokens"),
        ({"prompt": ["a", 1]}, "prompt", "of tokens"),
        ({"prompt": None}, "prompt", "without text"),
        ({"best_of": 3, "n": 2}, "best_of", "greater than 'n'"),
        ({"max_tokens": 0}, "max_tokens", "of 0"),
        ({"echo": True, "logprobs": 0}, "echo", "together with 'logprobs'"),
        ({"prompt": ["a"] * (MOST_PROMPTS + 1)}, "prompt", "array too long"),
    ],
)
def test_what_chat_cannot_do_is_refused_by_name(fields: dict[str, Any], param: str, words: str) -> None:
    error = refused(fields)
    assert error.param == param
    assert words in error.message


@pytest.mark.parametrize("fields", [{"best_of": 1}, {"best_of": 2, "n": 2}, {"suffix": ""}, {"echo": False}])
def test_what_asks_for_nothing_special_is_not_refused(fields: dict[str, Any]) -> None:
    assert set(sent(fields)) - {"n"} == {"model", "messages"}


def test_a_prompts_bytes_are_not_rewritten() -> None:
    request = document.parse(b'{"model":"a/b","prompt":"\\u00e9\\/ \xc3\xa9"}')
    exchange = Exchange.begin("completions", request, SPOKEN, model="b", slug="a/b", request_id="r")
    assert b'[{"role":"user","content":"\\u00e9\\/ \xc3\xa9"}]' in exchange.legs[0].body


def test_each_prompt_is_a_leg() -> None:
    legs = begin({"prompt": ["a", "b", "c"]}).legs
    assert [msgspec.json.decode(leg.body)["messages"][0]["content"] for leg in legs] == ["a", "b", "c"]


def answer(*texts: str, **members: Any) -> bytes:
    choices = [
        {"index": at, "message": {"role": "assistant", "content": text}} for at, text in enumerate(texts)
    ]
    return msgspec.json.encode({"created": 7, "choices": choices, **members})


def test_more_choices_than_asked_for_are_no_answer() -> None:
    with pytest.raises(UpstreamBroken, match="2 choices"):
        begin({}).reply([answer("a", "b")])
    exchange = begin({"stream": True})
    with pytest.raises(UpstreamBroken, match="index 1"):
        exchange.feed(exchange.legs[0], [sse.event(b'{"choices":[{"index":1,"delta":{"content":"x"}}]}')])


def test_fewer_choices_leave_the_next_prompts_where_they_belong() -> None:
    made = msgspec.json.decode(begin({"prompt": ["a", "b"], "n": 2}).reply([answer("x"), answer("y", "z")]))
    assert [(choice["index"], choice["text"]) for choice in made["choices"]] == [(0, "x"), (2, "y"), (3, "z")]


def test_an_answer_that_nobody_counted_carries_no_usage() -> None:
    exchange = begin({"prompt": ["a", "b"]})
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    made = msgspec.json.decode(exchange.reply([answer("x", usage=usage), answer("y")]))
    assert "usage" not in made
    assert exchange.usage is None


def test_a_usage_frame_sums_every_leg() -> None:
    exchange = begin({"prompt": ["a", "b"], "stream": True, "stream_options": {"include_usage": True}})
    usage = {"prompt_tokens": 4, "completion_tokens": 1, "total_tokens": 5}
    ends = []
    for leg in exchange.legs:
        exchange.feed(leg, [sse.event(answer().replace(b"[]", b'[{"index":0,"delta":{"content":"x"}}]'))])
        exchange.feed(leg, [sse.event(msgspec.json.encode({"choices": [], "usage": usage})), sse.DONE])
        ends.append(exchange.end(leg))
    assert b'"usage":{' not in ends[0]
    assert ends[1].count(b'"usage":{"prompt_tokens":8,"completion_tokens":2,"total_tokens":10') == 1
    assert exchange.usage == Usage(8, 2)


def test_an_answer_without_a_time_gets_one() -> None:
    made = msgspec.json.decode(begin({}).reply([b'{"choices":[{"message":{"content":"x"}}]}']))
    assert made["created"] > 1_700_000_000
    assert made["id"] == "cmpl-r"
    assert made["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("logprobs", [None, {}, {"content": None}, {"content": [{}]}, {"content": []}, "x"])
def test_log_probabilities_that_did_not_come_are_null(logprobs: Any) -> None:
    choice = {"index": 0, "message": {"content": "x"}, "logprobs": logprobs}
    made = begin({"logprobs": 1}).reply([msgspec.json.encode({"choices": [choice]})])
    assert msgspec.json.decode(made)["choices"][0]["logprobs"] is None


def test_log_probabilities_of_no_shape_are_left_out() -> None:
    odd = [{"token": "y", "logprob": "error"}, {"token": 1, "logprob": -1}, {"token": "z", "logprob": -3}]
    listed: list[dict[str, Any]] = [
        {"token": "x", "logprob": -0.5, "top_logprobs": odd},
        {"token": "y", "logprob": None},
    ]
    for alternatives in (listed, [{**listed[0], "top_logprobs": {"a": 1}}]):
        choice = {"index": 0, "message": {"content": "x"}, "logprobs": {"content": alternatives}}
        made = msgspec.json.decode(begin({"logprobs": 1}).reply([msgspec.json.encode({"choices": [choice]})]))
        likeliest = {"z": -3, "x": -0.5} if alternatives is listed else {"x": -0.5}
        assert made["choices"][0]["logprobs"]["top_logprobs"] == [likeliest]


def test_a_frame_that_is_not_json_breaks_a_translated_stream() -> None:
    exchange = begin({"stream": True})
    with pytest.raises(UpstreamBroken, match="not a JSON object"):
        exchange.feed(exchange.legs[0], [b"data: {not json}\n\n"])
