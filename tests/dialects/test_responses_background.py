"""A background response's object in each state, and its events as they are numbered."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from writingmate.dialects import responses
from writingmate.dialects.responses_background import Numbering, Resource, ending
from writingmate.errors import InvalidRequest, LimitReached, ServerError, UpstreamBroken
from writingmate.wire import document, sse

ASKED = document.parse(b'{"model":"m","input":"x","background":true,"metadata":{"a":"b"}}')


@pytest.fixture
def resource() -> Resource:
    return Resource.queued(ASKED, slug="vendor/m", identity="req_0123")


def event(name: str, **members: Any) -> bytes:
    return sse.event(msgspec.json.encode({"type": name, **members}), name.encode())


def told(frame: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(sse.data(frame))
    assert found["type"] == sse.name(frame).decode()
    return found


def test_it_begins_queued_and_each_state_says_the_rest_alike(resource: Resource) -> None:
    queued = json.loads(resource.state("queued"))
    assert resource.response_id == queued["id"] == "resp_0123"
    assert (queued["model"], queued["metadata"], queued["output"]) == ("vendor/m", {"a": "b"}, [])
    assert (queued["background"], queued["store"], queued["status"]) == (True, True, "queued")
    assert json.loads(resource.state("cancelled")) == queued | {"status": "cancelled"}
    again = Resource(resource.state("in_progress"))
    assert (again.status, again.state("queued")) == ("in_progress", resource.state("queued"))


@pytest.mark.parametrize(
    ("error", "code"),
    [(ServerError("broken"), "server_error"), (LimitReached("used up"), "rate_limit_exceeded")],
)
def test_a_failed_one_says_why(resource: Resource, error: ServerError | LimitReached, code: str) -> None:
    failed = json.loads(resource.failed(error))
    assert (failed["status"], failed["error"]) == ("failed", {"code": code, "message": error.message})


def test_an_answer_keeps_the_id_and_the_time_of_the_queue(resource: Resource) -> None:
    answer = {"id": "resp_other", "created_at": 1, "status": "incomplete", "output": [1], "background": False}
    status, body = resource.ended(msgspec.json.encode(answer))
    assert status == "incomplete"
    lasting = {name: json.loads(resource.state("queued"))[name] for name in ("id", "created_at", "store")}
    assert json.loads(body) == answer | lasting | {"background": True}


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"status":"in_progress"}', b'{"status":[]}'])
def test_what_is_no_answer_is_not_taken_for_one(resource: Resource, body: bytes) -> None:
    with pytest.raises(UpstreamBroken):
        resource.ended(body)


def test_events_are_numbered_behind_the_queues_own(resource: Resource) -> None:
    numbering = Numbering(resource, 0)
    created, queued = (told(frame) for frame in numbering.opening())
    assert (created["type"], queued["type"]) == ("response.created", "response.queued")
    frames = b"".join(
        (
            event("response.created", sequence_number=0, response={"id": "resp_x", "status": "in_progress"}),
            event("response.in_progress", sequence_number=1, response={"id": "resp_x", "created_at": 7}),
            sse.comment(b"writingmate counted_messages=1"),
            event("response.output_text.delta", sequence_number=2, delta="a\u2028"),
            sse.DONE,
        )
    )
    began, delta = (told(frame) for frame in numbering.take(frames))
    assert [each["sequence_number"] for each in (created, queued, began, delta)] == [0, 1, 2, 3]
    assert began["response"]["id"] == "resp_0123"
    assert began["response"]["created_at"] == resource.created_at
    assert delta["delta"] == "a\u2028"
    assert numbering.number == 4


def test_a_further_attempt_numbers_on(resource: Resource) -> None:
    numbering = Numbering(resource, 9)
    (queued,) = (told(frame) for frame in numbering.opening())
    assert (queued["type"], queued["sequence_number"]) == ("response.queued", 9)
    error, failed = (
        told(frame) for frame in numbering.failure(LimitReached("used up", code="pool_exhausted"))
    )
    assert (error["sequence_number"], failed["sequence_number"]) == (10, 11)
    assert error["code"] == error["error"]["code"] == "pool_exhausted"
    assert failed["response"]["status"] == "failed"


def test_a_frame_that_is_no_event_is_broken(resource: Resource) -> None:
    with pytest.raises(UpstreamBroken):
        list(Numbering(resource, 0).take(sse.event(b"[]", b"response.x")))


def test_the_end_can_be_told_from_the_object(resource: Resource) -> None:
    last = told(ending("cancelled", 5, resource.state("cancelled")))
    assert (last["type"], last["sequence_number"]) == ("response.cancelled", 5)
    assert last["response"] == json.loads(resource.state("cancelled"))


@pytest.mark.parametrize("store", [b"false"])
def test_what_is_not_to_be_stored_cannot_wait(store: bytes) -> None:
    asked = {**ASKED, "store": msgspec.Raw(store)}
    with pytest.raises(InvalidRequest) as refused:
        responses.GRAMMAR.check(asked)
    assert (refused.value.param, refused.value.code) == ("background", "invalid_parameter_combination")


@pytest.mark.parametrize("store", [b"true", b"null"])
def test_what_is_stored_can(store: bytes) -> None:
    responses.GRAMMAR.check({**ASKED, "store": msgspec.Raw(store)})
    responses.GRAMMAR.check({**ASKED, "background": msgspec.Raw(b"false"), "store": msgspec.Raw(b"false")})
