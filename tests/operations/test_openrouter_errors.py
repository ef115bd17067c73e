"""OpenRouter's errors: with their status, inside a 200, in a choice, in a stream; for whom, and what then."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.fakes.openai_choices import Json
from tests.fakes.openrouter import MODERATION, error
from tests.fakes.openrouter_answers import interrupted, last_chunk
from writingmate.dialects.exchange import Exchange
from writingmate.errors import UpstreamError, UpstreamRefused
from writingmate.operations import failures
from writingmate.operations.failures import as_answer
from writingmate.operations.verdicts import verdict
from writingmate.wire import document, sse

NOW = 1_790_000_000.0
WRITTEN = b'data: {"choices":[{"index":0,"delta":{"content":"A"}}]}\n\n'
BUSY = {"limit_source": "openrouter_in_flight_budget", "reason": "in_flight_budget_exhausted"}
LARGE = BUSY | {"reason": "weight_exceeds_budget"}
RESET = {"headers": {"X-RateLimit-Limit": "50", "X-RateLimit-Reset": f"{int(NOW) + 90}000"}}
RAW = {"raw": '{"error":{"message":"max_tokens is too large at https://api.x.ai","code":"x"}}'}
CALLER = "invalid_request_error"
UPSTREAM = "upstream_error"

TABLE = pytest.mark.parametrize(
    ("code", "message", "metadata", "status", "type_", "word", "again", "route"),
    [
        (400, "Bad", {}, 400, CALLER, "400", "nowhere", "answered"),
        (400, "Bad", {"error_type": "invalid_prompt"}, 400, CALLER, "invalid_prompt", "nowhere", "answered"),
        (
            400,
            "This endpoint's maximum context length is 9 tokens. However, you requested about 10.",
            {},
            400,
            CALLER,
            "context_length_exceeded",
            "nowhere",
            "answered",
        ),
        (401, "User not found.", {}, 502, UPSTREAM, UPSTREAM, "next", "rest"),
        (402, "Insufficient credits", {}, 502, UPSTREAM, UPSTREAM, "next", "rest"),
        (402, "In-flight requests", BUSY, 502, UPSTREAM, UPSTREAM, "same", "nothing"),
        (402, "Too much at once", LARGE, 502, UPSTREAM, UPSTREAM, "next", "rest"),
        (403, "Key limit exceeded", {}, 502, UPSTREAM, UPSTREAM, "next", "rest"),
        (
            403,
            "Flagged",
            MODERATION,
            403,
            "permission_error",
            "content_policy_violation",
            "nowhere",
            "answered",
        ),
        (
            403,
            "Request blocked",
            {"patterns": ["ignore all"]},
            403,
            "permission_error",
            "content_policy_violation",
            "nowhere",
            "answered",
        ),
        (404, "No endpoints found", {}, 404, CALLER, "404", "nowhere", "answered"),
        (408, "Timed out", {}, 504, UPSTREAM, UPSTREAM, "same", "failed"),
        (413, "Too large", {}, 413, CALLER, "413", "nowhere", "answered"),
        (429, "Slow down", {}, 429, "rate_limit_error", "rate_limit_exceeded", "same", "nothing"),
        (429, "Slow down", RESET, 429, "rate_limit_error", "rate_limit_exceeded", "next", "rest"),
        (500, "Internal", {}, 502, UPSTREAM, UPSTREAM, "same", "failed"),
        (502, "No answer", {"provider_name": "X"}, 502, UPSTREAM, UPSTREAM, "same", "failed"),
        (503, "No provider", {}, 502, UPSTREAM, UPSTREAM, "same", "failed"),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)


def exchange(*, streaming: bool) -> Exchange:
    asked: Json = {"model": "x/m", "messages": [{"role": "user", "content": "Hi"}], "stream": streaming}
    request = document.parse(json.dumps(asked).encode())
    return Exchange.begin("chat", request, {"chat"}, model="x/m", slug="x/m", request_id="r")


def with_its_status(said: Json) -> UpstreamError:
    return UpstreamRefused(said["error"]["code"], {}, json.dumps(said).encode())


def in_a_body(said: Json) -> UpstreamError:
    return of_whole(said)


def in_a_choice(said: Json) -> UpstreamError:
    return of_whole(interrupted("A B", said["error"]))


def first_in_a_stream(said: Json) -> UpstreamError:
    return of_stream(said)


def in_the_middle(said: Json) -> UpstreamError:
    return of_stream(last_chunk(said["error"]), WRITTEN)


def of_whole(body: Json) -> UpstreamError:
    with pytest.raises(UpstreamError) as caught:
        exchange(streaming=False).reply([json.dumps(body).encode()])
    return caught.value


def of_stream(event: Json, *before: bytes) -> UpstreamError:
    stream = exchange(streaming=True)
    for frame in before:
        stream.feed(stream.legs[0], [frame])
    with pytest.raises(UpstreamError) as caught:
        stream.feed(stream.legs[0], [sse.event(json.dumps(event).encode())])
    return caught.value


PLACES = pytest.mark.parametrize(
    "place", [with_its_status, in_a_body, in_a_choice, first_in_a_stream, in_the_middle]
)


@PLACES
@TABLE
def test_an_error_means_its_code_wherever_it_comes(
    monkeypatch: pytest.MonkeyPatch,
    place: Any,
    code: int,
    message: str,
    metadata: Json,
    status: int,
    type_: str,
    word: str,
    again: str,
    route: str,
) -> None:
    monkeypatch.setattr(failures, "time", lambda: NOW)
    failed = place(error(code, message, **metadata))
    judged = verdict(failed, NOW)
    assert (judged.again, judged.route) == (again, route)
    answer = as_answer(failed)
    told = json.loads(answer.envelope())["error"]
    assert (answer.status, told["type"], told["code"]) == (status, type_, word)
    assert told.keys() == {"message", "type", "param", "code"}
    assert "user_2dHF" not in answer.envelope().decode()
    if status not in {502, 504}:
        assert told["message"] == message
    if metadata is RESET:
        assert answer.headers["retry-after"] == "90"
        assert judged.rest == 90.0


@PLACES
def test_what_the_provider_behind_it_said_is_told_cleaned(place: Any) -> None:
    answer = as_answer(place(error(400, "Provider returned error", **RAW, provider_name="xAI")))
    assert answer.message == "Provider returned error: max_tokens is too large at [address]"


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("Overloaded", ": Overloaded"),
        ({"error": {"message": "Too many"}}, ": Too many"),
        ({"message": "Too many"}, ": Too many"),
        ("<html>", ""),
        ('{"error": 3}', ""),
        ("[1]", ""),
        ("", ""),
        (None, ""),
        (7, ""),
    ],
)
def test_what_it_said_is_read_in_any_shape(raw: object, shown: str) -> None:
    answer = as_answer(with_its_status(error(400, "Provider returned error", raw=raw)))
    assert answer.message == f"Provider returned error{shown}"


@PLACES
@pytest.mark.parametrize(
    ("code", "metadata", "status", "word"),
    [
        (401, {}, 401, "provider_key_rejected"),
        (402, {}, 401, "provider_key_rejected"),
        (402, BUSY, 429, "rate_limit_exceeded"),
        (403, {}, 401, "provider_key_rejected"),
        (403, MODERATION, 403, "content_policy_violation"),
    ],
)
def test_with_a_callers_own_key_it_is_theirs_wherever_it_comes(
    place: Any, code: int, metadata: Json, status: int, word: str
) -> None:
    key = "sk-or-v1-own-0123456789"
    failed = place(error(code, f"No: {key}", **metadata))
    answer = as_answer(failed, own_key=key)
    assert (answer.status, answer.code) == (status, word)
    assert key not in answer.envelope().decode()
    assert key not in f"{failed!r} {failed.detail}"


def test_who_has_a_key_of_their_own_waits_where_too_much_is_under_way() -> None:
    refused = UpstreamRefused(402, {"retry-after": "20"}, json.dumps(error(402, "No", **BUSY)).encode())
    answer = as_answer(refused, own_key="sk-or-v1-own")
    assert (answer.status, answer.code) == (429, "rate_limit_exceeded")
    assert answer.headers == {"retry-after": "20"}
    assert "under way" in answer.message
    operators = as_answer(refused)
    assert (operators.status, operators.headers) == (502, {"retry-after": "20"})
    judged = verdict(refused, NOW)
    assert (judged.again, judged.route, judged.rest) == ("next", "rest", 20.0)


@pytest.mark.parametrize("code", ["server_error", None, 200, 302, 600, 4.5, True, "99", "\u0664\u0662\u0669"])
def test_a_code_that_is_no_status_is_a_broken_answer(code: object) -> None:
    failed = in_the_middle({"error": {"code": code, "message": "Provider disconnected"}})
    assert not isinstance(failed, UpstreamRefused)
    assert "Provider disconnected" in failed.detail
    assert as_answer(failed).status == 502


def test_a_status_may_be_written_as_text() -> None:
    assert as_answer(in_a_body({"error": {"code": "429", "message": "Slow"}})).status == 429


def test_a_choice_that_ends_with_an_error_and_no_more_is_broken() -> None:
    failed = of_whole({"choices": [{"index": 0, "message": {"content": "A"}, "finish_reason": "error"}]})
    assert as_answer(failed).status == 502


def test_a_null_error_in_a_choice_is_none() -> None:
    body = b'{"choices":[{"index":0,"message":{"content":"x"},"finish_reason":"stop","error":null}]}'
    assert exchange(streaming=False).reply([body]) is body


def test_no_error_is_kept_beyond_its_bound() -> None:
    failed = in_a_body(error(400, "x" * 100_000))
    assert isinstance(failed, UpstreamRefused)
    assert len(failed.body) < 100
    assert len(failed.detail) < 500


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
TOLD = ["headers", "raw", "error_type", "reasons", "patterns", "limit_source", "reason"]
METADATA = VALUES | st.dictionaries(st.sampled_from(TOLD), VALUES, max_size=4)
MESSAGES = VALUES | st.just("Provider returned error")
STATUSES = st.sampled_from([400, 401, 402, 403, 404, 408, 429, 500, 503])


@hypothesis_settings(deadline=None)  # other work shares the machine
@given(STATUSES, VALUES, MESSAGES, METADATA, st.sampled_from([None, "sk-or-v1-own"]))
def test_whatever_stands_in_an_error_there_is_an_answer(
    status: int, code: Any, message: Any, metadata: Any, own_key: str | None
) -> None:
    body = json.dumps({"error": {"code": code, "message": message, "metadata": metadata}}).encode()
    for failed in (UpstreamRefused(status, {}, body), in_a_body(json.loads(body))):
        assert verdict(failed, NOW).again in {"same", "next", "nowhere"}
        answer = as_answer(failed, own_key=own_key)
        told = json.loads(answer.envelope())["error"]
        assert isinstance(told["message"], str)
        assert told["code"] is None or isinstance(told["code"], str)
        assert all(value.isascii() and value.isprintable() for value in answer.headers.values())
