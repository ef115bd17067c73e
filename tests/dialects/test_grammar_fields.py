"""The grammars against the official SDK's own list of fields, and which of them may be null."""

from __future__ import annotations

import typing
from typing import Any

import msgspec
import pytest
from openai.types import completion_create_params as completions_params
from openai.types.chat import completion_create_params as chat_params

from writingmate.dialects.exchange import GRAMMARS
from writingmate.errors import InvalidRequest
from writingmate.types import DialectName
from writingmate.wire import document

BASE: dict[DialectName, dict[str, Any]] = {
    "chat": {"model": "m", "messages": [{"role": "user", "content": "hi"}]},
    "completions": {"model": "m", "prompt": "hi"},
}
PUBLISHED: dict[DialectName, Any] = {
    "chat": chat_params.CompletionCreateParamsStreaming,
    "completions": completions_params.CompletionCreateParamsStreaming,
}


def fields(dialect: DialectName) -> dict[str, Any]:
    return typing.get_type_hints(PUBLISHED[dialect])


def nullable(hint: Any) -> bool:
    return type(None) in typing.get_args(hint) or any(map(nullable, typing.get_args(hint)[:1]))


CASES = [(dialect, name) for dialect in PUBLISHED for name in fields(dialect)]


@pytest.mark.parametrize("dialect", list(PUBLISHED))
def test_every_published_field_has_a_rule_and_no_rule_is_made_up(dialect: DialectName) -> None:
    assert set(GRAMMARS[dialect].rules) == set(fields(dialect))


@pytest.mark.parametrize(("dialect", "name"), CASES)
def test_null_is_accepted_where_the_sdk_may_send_it(dialect: DialectName, name: str) -> None:
    if name == "stream":
        return  # typed as a literal in each of the two variants; null means false
    request = document.parse(msgspec.json.encode(BASE[dialect] | {name: None}))
    if nullable(fields(dialect)[name]):
        GRAMMARS[dialect].check(request)
    else:
        with pytest.raises(InvalidRequest) as caught:
            GRAMMARS[dialect].check(request)
        assert caught.value.param == name
