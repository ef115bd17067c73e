from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from writingmate.dialects import demand
from writingmate.dialects.exchange import GRAMMARS, Exchange
from writingmate.errors import BadGateway, InvalidRequest, UnsupportedParameter, UpstreamBroken
from writingmate.types import DialectName, Usage
from writingmate.wire import document, sse

CHAT = {"model": "slug", "messages": [{"role": "user", "content": "hi"}]}
TEXT = {"model": "slug", "prompt": "hi"}
DONE = sse.DONE
SPOKEN: tuple[tuple[DialectName, ...], ...] = (("chat",), ("chat", "completions"))


def begin(body: dict[str, Any], spoken: Sequence[DialectName] = ("chat",), **options: Any) -> Exchange:
    request = document.parse(msgspec.json.encode(body))
    dialect: DialectName = "chat" if "messages" in body else "completions"
    return Exchange.begin(dialect, request, spoken, model="m", slug="slug", request_id="r", **options)


def sent(exchange: Exchange) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.json.decode(exchange.legs[0].body)
    return body


def frame(choices: list[dict[str, Any]], **members: Any) -> bytes:
    return sse.event(msgspec.json.encode({"id": "c", "created": 5, "choices": choices, **members}))


def delta(text: str, index: int = 0, finish: str | None = None) -> dict[str, Any]:
    return {"index": index, "delta": {"content": text}, "finish_reason": finish}


USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


@pytest.mark.parametrize(
    ("options", "how", "expected"),
    [
        (..., "option", {"include_usage": True}),
        (None, "option", {"include_usage": True}),
        ({}, "option", {"include_usage": True}),
        ({"include_usage": False}, "option", {"include_usage": True}),
        ({"include_usage": None, "x": [1]}, "option", {"include_usage": True, "x": [1]}),
        (..., "always", ...),
        (None, "always", ...),
        ({"include_usage": True}, "always", ...),
        ({"include_usage": True, "x": 1}, "always", {"x": 1}),
    ],
)
def test_a_streams_usage_is_asked_for_as_the_provider_wants(options: Any, how: str, expected: Any) -> None:
    body = CHAT | {"stream": True} | ({} if options is ... else {"stream_options": options})
    assert sent(begin(body, stream_usage=how)).get("stream_options", ...) == expected


def test_usage_is_not_asked_for_without_a_stream() -> None:
    assert "stream_options" not in sent(begin(CHAT))
    assert begin(CHAT).streaming is False
    assert begin(CHAT | {"stream": None}).streaming is False


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (CHAT, {"max_completion_tokens": 100}),
        (CHAT | {"max_tokens": 500}, {"max_tokens": 100}),
        (CHAT | {"max_completion_tokens": 500}, {"max_completion_tokens": 100}),
        (CHAT | {"max_completion_tokens": 50}, {"max_completion_tokens": 50}),
        (
            CHAT | {"max_completion_tokens": None, "max_tokens": 5},
            {"max_completion_tokens": None, "max_tokens": 5},
        ),
        (TEXT | {"max_tokens": 500}, {"max_tokens": 100}),
        (TEXT | {"max_tokens": 0}, {"max_tokens": 0}),
        (TEXT, {"max_tokens": 16}),
    ],
)
def test_a_limit_is_lowered_in_the_clients_own_field(body: dict[str, Any], expected: dict[str, Any]) -> None:
    outgoing = sent(begin(body, ("chat", "completions"), max_tokens=100))
    assert {name: outgoing[name] for name in outgoing if name.startswith("max_")} == expected


def test_without_a_limit_nothing_is_added() -> None:
    assert sent(begin(CHAT)) == CHAT | {"model": "m"}
    assert "max_tokens" not in sent(begin(TEXT))


def test_a_dialect_that_nobody_speaks_is_refused_by_the_model() -> None:
    for spoken in ((), ("completions",)):
        with pytest.raises(UnsupportedParameter) as caught:
            begin(CHAT, spoken)
        assert caught.value.param == "model"
        assert "'slug'" in caught.value.message


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>bad gateway</html>",
        b'{"choices": [',
        b"[]",
        b"null",
        b"{}",
        b'{"choices": []}',
        b'{"choices": [ ]}',
        b'{"choices": null}',
        b'{"choices": {"0": 1}}',
        b'{"error": {"message": "no"}}',
        b'{"error": "no", "choices": [{"index": 0, "message": {"content": "x"}}]}',
        b'{"choices": [{"index": 0, "message": {"content": "x"}, "finish_reason": "error"}]}',
        b"[" * 10_000,
    ],
)
@pytest.mark.parametrize("request_body", [CHAT, TEXT])
def test_a_body_that_is_no_answer_is_broken(body: bytes, request_body: dict[str, Any]) -> None:
    exchange = begin(request_body)
    with pytest.raises(UpstreamBroken):
        exchange.reply([body])
    assert exchange.usage is None


@pytest.mark.parametrize("error", [b"null", b"false", b'""', b"{}"])
def test_an_error_that_says_nothing_is_none(error: bytes) -> None:
    body = b'{"error":' + error + b',"choices":[{"index":0,"message":{"content":"x"}}]}'
    assert begin(CHAT).reply([body]) is body


def test_a_broken_answers_detail_is_short() -> None:
    with pytest.raises(UpstreamBroken) as caught:
        begin(CHAT).reply([b"x" * 100_000])
    assert len(caught.value.detail) < 500


@pytest.mark.parametrize("body", [CHAT, TEXT])
def test_a_translated_answer_without_a_message_is_broken(body: dict[str, Any]) -> None:
    answer = b'{"choices":[{"index":0}]}'
    if body is TEXT:
        with pytest.raises(UpstreamBroken, match="no message"):
            begin(body).reply([answer])
    else:
        assert begin(body).reply([answer]) is answer


def end(exchange: Exchange, frames: list[bytes]) -> bytes:
    leg = exchange.legs[0]
    return b"".join(exchange.feed(leg, [each]) for each in frames) + exchange.end(leg)


STREAMS = pytest.mark.parametrize("body", [CHAT | {"stream": True}, TEXT | {"stream": True}])


@STREAMS
@pytest.mark.parametrize(
    "frames",
    [
        [],
        [DONE],
        [b": comment\n\n", DONE],
        [frame([delta("a")])],
        [frame([delta("a", finish="stop")]), frame([delta("b")]), frame([delta("c", 1)])],
        [frame([], usage=USAGE), DONE],
    ],
)
def test_a_stream_that_stops_before_its_answer_is_broken(body: dict[str, Any], frames: list[bytes]) -> None:
    with pytest.raises(UpstreamBroken):
        end(begin(body | {"n": 2}), frames)


@STREAMS
@pytest.mark.parametrize(
    "frames",
    [
        [frame([delta("a")]), DONE],
        [frame([delta("a", finish="length")])],
        [frame([delta("a", finish="stop"), delta("b", 1, finish="stop")])],
        [frame([delta("a")]), frame([delta("", finish="tool_calls")]), frame([], usage=USAGE)],
        [frame([delta("a")]), b"data:[DONE]\r\n\r\n"],
        [frame([delta("a")]), b"id: 7\ndata: [DONE]\n\n", frame([delta("late")]), b"data: nonsense\n\n"],
    ],
)
def test_a_stream_that_said_how_it_ended_is_whole(body: dict[str, Any], frames: list[bytes]) -> None:
    exchange = begin(body | {"n": 2})
    answer = end(exchange, frames)
    assert b"[DONE]" not in answer
    assert b"late" not in answer
    assert exchange.observed_text() in ("a", "ab")
    assert exchange.closing() == b"data: [DONE]\n\n"


def test_frames_with_names_ids_or_other_line_ends_pass_as_they_are() -> None:
    frames = [
        b'data:{"choices":[{"index":0,"delta":{"content":"a"}}]}\r\n\r\n',
        b'id: 4\nevent: message\ndata: {"choices":[{"index":0,"delta":{"content":"b"}}]}\n\n',
    ]
    exchange = begin(CHAT | {"stream": True})
    assert end(exchange, [*frames, DONE]) == b"".join(frames)
    assert exchange.observed_text() == "ab"


def test_a_single_frame_is_the_same_object() -> None:
    exchange = begin(CHAT | {"stream": True})
    one = frame([delta("a")])
    assert exchange.feed(exchange.legs[0], [one]) is one


@STREAMS
@pytest.mark.parametrize(
    "error",
    [
        b'data: {"error":{"message":"gone","code":502}}\n\n',
        b'data: {"error": "gone"}\n\n',
        b'event: error\ndata: {"message": "gone"}\n\n',
        b'data: {"choices":[],"x_groq":{"id":"r","error":"gone"}}\n\n',
        b'data: {"choices":[{"index":0,"delta":{"content":"gone"},"finish_reason":"error"}]}\n\n',
    ],
)
@pytest.mark.parametrize("together", [True, False])
def test_an_error_frame_breaks_the_stream_after_what_came_before(
    body: dict[str, Any],
    error: bytes,
    together: bool,  # noqa: FBT001  # parametrised
) -> None:
    exchange = begin(body)
    leg = exchange.legs[0]
    before = frame([delta("kept")])
    batches = [[before, error]] if together else [[before], [error]]
    answer = exchange.feed(leg, batches.pop(0))
    with pytest.raises(UpstreamBroken, match="gone"):
        exchange.feed(leg, batches.pop()) if batches else exchange.end(leg)
    assert b"kept" in answer
    assert b"gone" not in answer
    assert exchange.observed_text() == "kept"


@STREAMS
def test_an_error_is_told_by_whatever_is_asked_next(body: dict[str, Any]) -> None:
    exchange = begin(body)
    leg = exchange.legs[0]
    exchange.feed(leg, [frame([delta("a")]), b'data: {"error":"gone"}\n\n', DONE])
    with pytest.raises(UpstreamBroken, match="gone"):
        exchange.feed(leg, [frame([delta("b")])])
    with pytest.raises(UpstreamBroken, match="gone"):
        exchange.end(leg)


def test_a_translated_stream_without_any_choice_is_broken() -> None:
    with pytest.raises(UpstreamBroken, match="without a choice"):
        end(begin(TEXT | {"stream": True}), [frame([], prompt_filter_results=[]), DONE])


@STREAMS
def test_the_word_error_in_a_text_is_no_error(body: dict[str, Any]) -> None:
    exchange = begin(body)
    end(exchange, [frame([delta("error")]), frame([delta("usage", finish="stop")]), DONE])
    assert exchange.observed_text() == "errorusage"


def test_usage_in_a_frame_with_choices_is_read_and_passed() -> None:
    exchange = begin(CHAT | {"stream": True})
    last = frame([delta("", finish="stop")], usage=USAGE)
    assert end(exchange, [frame([delta("a")]), last, DONE]).endswith(last)
    assert exchange.usage == Usage(3, 2)


def test_a_frame_without_choices_or_usage_passes() -> None:
    exchange = begin(CHAT | {"stream": True})
    first = frame([], prompt_filter_results=[])
    assert exchange.feed(exchange.legs[0], [first]) is first


def test_the_last_usage_that_means_something_counts() -> None:
    exchange = begin(CHAT | {"stream": True})
    growing = [
        frame([delta("a")], usage=USAGE | {"completion_tokens": n, "total_tokens": 3 + n}) for n in (1, 2)
    ]
    nothing = frame([delta("", finish="stop")], usage={"prompt_tokens": 0, "completion_tokens": 0})
    end(exchange, [*growing, nothing, frame([], usage={}), DONE])
    assert exchange.usage == Usage(3, 2)


def test_usage_that_was_reported_before_anything_was_written_is_none() -> None:
    exchange = begin({"model": "x", "messages": [], "stream": True})
    early = {"prompt_tokens": 9, "completion_tokens": 0, "total_tokens": 9}
    exchange.feed(exchange.legs[0], [frame([delta("Once")], usage=early)])
    assert exchange.usage is None
    exchange.feed(
        exchange.legs[0], [frame([delta(" upon", 0, "stop")], usage={**early, "completion_tokens": 2})]
    )
    assert exchange.usage == Usage(9, 2)


def test_usage_beside_a_null_one_is_found() -> None:
    exchange = begin(CHAT | {"stream": True})
    end(exchange, [frame([delta("a", finish="stop")], x_groq={"usage": USAGE}, usage=None), DONE])
    assert exchange.usage == Usage(3, 2)


def test_usage_is_none_if_one_answered_leg_reported_none() -> None:
    exchange = begin(TEXT | {"prompt": ["a", "b"], "stream": True})
    one, two = exchange.legs
    assert exchange.usage is None
    exchange.feed(one, [frame([delta("x", finish="stop")]), frame([], usage=USAGE), DONE])
    assert exchange.usage == Usage(3, 2)
    exchange.feed(two, [frame([delta("y", finish="stop")])])
    assert exchange.usage is None
    exchange.feed(two, [frame([], usage=USAGE)])
    assert exchange.usage == Usage(6, 4)
    assert exchange.observed_text() == "xy"


def test_long_streams_are_not_kept_whole() -> None:
    exchange = begin(CHAT | {"stream": True})
    leg = exchange.legs[0]
    for _ in range(3000):
        exchange.feed(leg, [frame([delta("word ")])])
    assert sum(map(len, exchange._watches[0]._frames)) <= 64 * 1024
    assert exchange.observed_text() == "word " * 3000


def test_a_failure_is_an_envelope_in_a_frame() -> None:
    failure = begin(CHAT | {"stream": True}).failure(BadGateway("The provider failed."))
    assert msgspec.json.decode(sse.data(failure)) == {
        "error": {
            "message": "The provider failed.",
            "type": "upstream_error",
            "param": None,
            "code": "upstream_error",
        }
    }


def test_nothing_of_a_prompt_is_in_a_legs_representation() -> None:
    assert "secret" not in repr(begin(TEXT | {"prompt": "secret"}).legs)


@pytest.mark.parametrize(
    "body",
    [
        b'{"model":"m","messages":[{"role":"user"}],"stream":true,"stream_options":{"x":%s}}',
        b'{"model":"m","messages":[{"content":%s}]}',
        b'{"model":"m","messages":[{}],"tools":[{"type":"function","function":{"name":"f","p":%s}}]}',
        b'{"model":"m","prompt":["a",%s],"n":2,"stream":true}',
        b'{"model":"m","prompt":[%s]}',
    ],
)
def test_nesting_at_the_edge_of_the_stack_is_refused_or_served(body: bytes) -> None:
    dialect: DialectName = "chat" if b"messages" in body else "completions"
    for depth in range(1, 1000):
        nested = body % (b"[" * depth + b"]" * depth)
        try:
            request = document.parse(nested)
            GRAMMARS[dialect].check(request)
            demand.choices(request)
            for spoken in SPOKEN:
                Exchange.begin(dialect, request, spoken, model="m", slug="s", request_id="r").prompt_text()
        except InvalidRequest:
            continue
