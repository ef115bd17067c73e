"""Several choices from a provider that gives one a call."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from writingmate.dialects.exchange import Exchange
from writingmate.dialects.quirks import Quirks
from writingmate.errors import BadGateway, UpstreamBroken
from writingmate.types import DialectName, Usage
from writingmate.wire import document, sse

CHAT = {"model": "a/b", "messages": [{"role": "user", "content": "hi"}]}
ONE = Quirks(one_choice=True)
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
DONE = sse.DONE


def begin(fields: dict[str, Any], dialect: DialectName = "chat", **options: Any) -> Exchange:
    request = document.parse(msgspec.json.encode(fields))
    spoken: tuple[DialectName, ...] = ("chat", "completions")
    return Exchange.begin(
        dialect, request, spoken, model="m", slug="a/b", request_id="r", quirks=ONE, **options
    )


def bodies(exchange: Exchange) -> list[dict[str, Any]]:
    return [msgspec.json.decode(leg.body) for leg in exchange.legs]


def answer(text: str, **members: Any) -> bytes:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text, "refusal": None},
        "logprobs": None,
        "finish_reason": "stop",
    }
    said = {"id": text, "object": "chat.completion", "created": 5, "model": "m", "choices": [choice]}
    return msgspec.json.encode({**said, "usage": USAGE, **members})


def frame(identity: str, choices: list[dict[str, Any]], **members: Any) -> bytes:
    said = {"id": identity, "object": "chat.completion.chunk", "created": len(identity), "model": "m"}
    return sse.event(msgspec.json.encode({**said, "choices": choices, **members}))


def delta(text: str, finish: str | None = None, index: int = 0) -> dict[str, Any]:
    return {"index": index, "delta": {"content": text}, "logprobs": None, "finish_reason": finish}


def leg_of(text: str) -> list[bytes]:
    """A provider's stream that says one word."""
    return [frame(text, [delta(text)]), frame(text, [delta("", "stop")]), frame(text, [], usage=USAGE), DONE]


def run(exchange: Exchange, streams: list[list[bytes]]) -> list[dict[str, Any]]:
    out = b""
    for leg, frames in zip(exchange.legs, streams, strict=True):
        out += b"".join(exchange.feed(leg, [each]) for each in frames) + exchange.end(leg)
    assert b"[DONE]" not in out
    return [msgspec.json.decode(sse.data(part + b"\n\n")) for part in out.split(b"\n\n") if part]


def test_there_is_a_call_for_each_choice() -> None:
    assert bodies(begin(CHAT | {"n": 3, "top_p": 0.5})) == [CHAT | {"model": "m", "top_p": 0.5}] * 3


@pytest.mark.parametrize("n", [1, None])
def test_one_choice_passes_as_it_is(n: int | None) -> None:
    exchange = begin(CHAT | {"n": n})
    assert bodies(exchange) == [CHAT | {"model": "m"}]
    body = answer("a")
    assert exchange.reply([body]) is body


def test_each_choice_has_a_seed_of_its_own() -> None:
    assert [body["seed"] for body in bodies(begin(CHAT | {"n": 3, "seed": 7}))] == [7, 8, 9]
    assert [body["seed"] for body in bodies(begin(CHAT | {"n": 2, "seed": None}))] == [None, None]


def test_each_choice_is_held_down() -> None:
    limits = [body["max_completion_tokens"] for body in bodies(begin(CHAT | {"n": 2}, max_tokens=9))]
    assert limits == [9, 9]


def test_the_choices_stand_in_one_body_and_their_usage_is_summed() -> None:
    exchange = begin(CHAT | {"n": 3})
    body = exchange.reply([answer("a", vendor=1), answer("b"), answer("c")])
    said = ChatCompletion.model_validate_json(body)
    assert [(choice.index, choice.message.content) for choice in said.choices] == [
        (0, "a"),
        (1, "b"),
        (2, "c"),
    ]
    assert said.id == "a"
    assert said.usage is not None
    assert (said.usage.prompt_tokens, said.usage.completion_tokens, said.usage.total_tokens) == (9, 6, 15)
    assert msgspec.json.decode(body)["vendor"] == 1
    assert exchange.usage == Usage(9, 6)
    assert exchange.observed_text() == "abc"


def test_no_usage_is_said_if_one_call_had_none() -> None:
    exchange = begin(CHAT | {"n": 2})
    body = exchange.reply([answer("a"), answer("b", usage=None)])
    assert "usage" not in msgspec.json.decode(body)
    assert exchange.usage is None
    assert exchange.unreported() == (Usage(3, 2), "hi", "b")


@pytest.mark.parametrize(
    "bad", [b"no", b'{"error":"x"}', answer("a", choices=[]), answer("a", choices=[{}, {}])]
)
def test_a_call_that_is_no_answer_breaks_all(bad: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        begin(CHAT | {"n": 2}).reply([answer("a"), bad])


@pytest.mark.parametrize("asked", [True, False])
def test_a_stream_has_the_choices_one_after_the_other(*, asked: bool) -> None:
    options = {"stream_options": {"include_usage": True}} if asked else {}
    exchange = begin(CHAT | {"n": 3, "stream": True, **options})
    said = run(exchange, [leg_of("a"), leg_of("bb"), leg_of("c")])
    chunks = [ChatCompletionChunk.model_validate(each) for each in said]
    assert {(chunk.id, chunk.created, chunk.model) for chunk in chunks} == {("a", 1, "m")}
    texts = [(c.choices[0].index, c.choices[0].delta.content, c.choices[0].finish_reason) for c in chunks[:6]]
    assert texts == [
        (0, "a", None),
        (0, "", "stop"),
        (1, "bb", None),
        (1, "", "stop"),
        (2, "c", None),
        (2, "", "stop"),
    ]
    assert [chunk.usage.prompt_tokens for chunk in chunks if chunk.usage] == ([9] if asked else [])
    assert len(chunks) == 6 + asked
    assert exchange.usage == Usage(9, 6)
    assert exchange.closing() == DONE


def test_usage_inside_a_chunk_is_told_once_at_the_end() -> None:
    exchange = begin(CHAT | {"n": 2, "stream": True, "stream_options": {"include_usage": True}})
    leg = [frame("a", [delta("a", "stop")], usage=USAGE), DONE]
    said = run(exchange, [leg, leg])
    assert [each.get("usage", {}).get("total_tokens") for each in said] == [None, None, 10]


def test_frames_that_are_about_the_request_come_once() -> None:
    exchange = begin(CHAT | {"n": 2, "stream": True})
    about = frame("f", [], prompt_filter_results=[])
    said = run(exchange, [[about, *leg_of("a")], [about, *leg_of("b")]])
    assert [bool(each["choices"]) for each in said] == [False, True, True, True, True]


@pytest.mark.parametrize("frames", [[], [frame("a", [delta("a")])], leg_of("a")[:1]])
def test_a_call_that_stops_early_breaks_the_stream(frames: list[bytes]) -> None:
    exchange = begin(CHAT | {"n": 2, "stream": True})
    first, second = exchange.legs
    exchange.feed(first, leg_of("x"))
    exchange.end(first)
    exchange.feed(second, frames)
    with pytest.raises(UpstreamBroken):
        exchange.end(second)
    heard = bool(frames)
    assert exchange.usage == (None if heard else Usage(3, 2))
    said = "a" if heard else ""
    assert exchange.unreported() == (Usage(3, 2), "hi", said)
    failure = exchange.failure(BadGateway("The provider failed."))
    assert msgspec.json.decode(sse.data(failure))["error"]["type"] == "upstream_error"


@pytest.mark.parametrize("choices", [[delta("a"), delta("b", index=1)], [delta("a", index=1)]])
def test_more_choices_than_asked_for_break_the_stream(choices: list[dict[str, Any]]) -> None:
    exchange = begin(CHAT | {"n": 2, "stream": True})
    with pytest.raises(UpstreamBroken, match="of 1 asked for"):
        exchange.feed(exchange.legs[0], [frame("a", choices)])


COMPLETION = {"model": "a/b", "prompt": ["p", "q"], "n": 2, "seed": 5}


def test_a_completion_has_a_call_for_each_choice_of_each_prompt() -> None:
    exchange = begin(COMPLETION, "completions")
    sent = [(body["messages"][0]["content"], body["seed"], body.get("n")) for body in bodies(exchange)]
    assert sent == [("p", 5, None), ("p", 6, None), ("q", 5, None), ("q", 6, None)]
    said = msgspec.json.decode(exchange.reply([answer(text) for text in "abcd"]))
    assert [(choice["index"], choice["text"]) for choice in said["choices"]] == list(enumerate("abcd"))
    assert said["usage"]["total_tokens"] == 20


def test_what_is_not_reported_is_what_the_others_read_and_wrote() -> None:
    exchange = begin(COMPLETION, "completions")
    assert exchange.unreported() == (Usage(), "p\nq", "")
    exchange.reply([answer("a"), answer("b", usage=None), answer("c", usage=None), answer("d", usage=None)])
    known, prompt, text = exchange.unreported()
    assert (known, prompt.count("p"), text) == (Usage(3, 2), 2, "bcd")
    chat = begin(CHAT | {"n": 3})
    chat.reply([answer(each, usage=None) for each in "abc"])
    assert chat.unreported() == (Usage(), "hi" * 3, "abc")


def test_a_streamed_completion_has_them_too() -> None:
    exchange = begin(COMPLETION | {"stream": True}, "completions")
    said = run(exchange, [leg_of(text) for text in "abcd"])
    texts = [
        (each["choices"][0]["index"], each["choices"][0]["text"])
        for each in said
        if each["choices"][0]["text"]
    ]
    assert texts == list(enumerate("abcd"))


def test_one_choice_of_a_completion_goes_to_completions() -> None:
    (leg,) = begin(COMPLETION | {"n": 1}, "completions").legs
    assert leg.dialect == "completions"
