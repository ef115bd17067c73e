"""A refusal names the field that the client sent, not what a codec had made of it."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from writingmate.dialects.exchange import GRAMMARS, Exchange
from writingmate.dialects.quirks import Quirks
from writingmate.dialects.quirks_rules import Refused
from writingmate.errors import InvalidRequest, UnsupportedParameter
from writingmate.types import DialectName
from writingmate.wire import document

SOUND = {"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}}
CUSTOM = {"type": "custom", "custom": {"name": "c"}}


def refused(dialect: DialectName, model: str, fields: dict[str, Any]) -> InvalidRequest:
    request = document.parse(msgspec.json.encode({"model": "a/b", **fields}))
    GRAMMARS[dialect].check(request)
    with pytest.raises(InvalidRequest) as caught:
        Exchange.begin(dialect, request, ["messages"], model=model, slug="a/b", request_id="r")
    return caught.value


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"include": ["message.output_text.logprobs"]}, "include"),
        ({"text": {"verbosity": "low"}}, "text.verbosity"),
        ({"text": {"format": {"type": "json_object"}}}, "text.format"),
        ({"reasoning": {"effort": "low"}, "max_output_tokens": 9}, "reasoning.effort"),
        ({"input": [{"role": "user", "content": [SOUND]}]}, "input"),
        ({"frequency_penalty": 1}, "frequency_penalty"),
    ],
)
def test_of_a_response(fields: dict[str, Any], param: str) -> None:
    error = refused("responses", "claude-haiku-4-5", {"input": "Hi", **fields})
    assert isinstance(error, UnsupportedParameter)
    assert error.param == param
    assert f"'{param}'" in error.message
    assert error.code == "unsupported_parameter"


def test_by_a_quirk() -> None:
    quirks = Quirks({"verbosity": Refused(("medium",))})
    request = document.parse(b'{"model":"a/b","input":"Hi","text":{"verbosity":"low"}}')
    with pytest.raises(UnsupportedParameter) as caught:
        Exchange.begin("responses", request, ["chat"], model="m", slug="a/b", request_id="r", quirks=quirks)
    assert caught.value.param == "text.verbosity"


def test_of_a_message() -> None:
    request = document.parse(
        b'{"model":"a/b","max_tokens":9,"messages":[{"role":"user","content":"Hi"}],"stop_sequences":["x"]}'
    )
    quirks = Quirks({"stop": Refused()})
    with pytest.raises(UnsupportedParameter) as caught:
        Exchange.begin("messages", request, ["chat"], model="m", slug="a/b", request_id="r", quirks=quirks)
    assert caught.value.param == "stop_sequences"


def test_of_a_completion() -> None:
    error = refused("completions", "claude-haiku-4-5", {"prompt": "Once", "logprobs": 2})
    assert (error.param, "'logprobs'" in error.message) == ("logprobs", True)
    error = refused("completions", "claude-haiku-4-5", {"prompt": " "})
    assert (error.param, "'prompt'" in error.message) == ("prompt", True)


def test_of_a_chat_every_part_keeps_its_place() -> None:
    error = refused(
        "chat", "claude-haiku-4-5", {"messages": [{"role": "user", "content": "x"}], "tools": [CUSTOM]}
    )
    assert error.param == "tools[0].type"
    error = refused("chat", "claude-haiku-4-5", {"messages": [{"role": "user", "content": [SOUND]}]})
    assert error.param == "messages[0].content[0].type"
