"""The table of failures: where another call may help, and what they say of the route."""

from __future__ import annotations

import json
from email.utils import formatdate

import pytest

from tests.fakes.gemini_answers import exhausted, key_refused, refusal
from tests.fakes.openrouter import MODERATION, error
from writingmate.errors import (
    UpstreamBroken,
    UpstreamError,
    UpstreamNotReady,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from writingmate.operations.verdicts import KEY_REST, SHORT, verdict
from writingmate.operations.waits import asked_wait

NOW = 1_790_000_000.0


def refused(status: int, body: object = None, **headers: str) -> UpstreamRefused:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return UpstreamRefused(status, named, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("failure", "again", "route"),
    [
        (UpstreamUnreachable("x"), "same", "failed"),
        (UpstreamBroken("x"), "same", "failed"),
        (UpstreamTimeout("x"), "next", "failed"),
        (UpstreamNotReady("x"), "next", "nothing"),
        *((refused(status), "same", "failed") for status in (408, 500, 502, 503, 504, 529)),
        (refused(503, retry_after="1"), "same", "failed"),
        (refused(503, retry_after="30"), "next", "rest"),
        (refused(429), "same", "nothing"),
        (refused(429, retry_after="1"), "same", "nothing"),
        (refused(429, retry_after="7"), "next", "rest"),
        (refused(429, {"error": {"code": "insufficient_quota"}}), "next", "rest"),
        *((refused(status), "next", "rest") for status in (401, 402, 403)),
        (refused(403, error(403, "Flagged.", **MODERATION)), "nowhere", "answered"),
        *((refused(status), "nowhere", "answered") for status in (400, 404, 405, 409, 413, 415, 422)),
        (refused(400, key_refused()), "next", "rest"),
        (refused(400, refusal(400, "FAILED_PRECONDITION", "User location is not supported")), "next", "rest"),
        (refused(400, refusal(400, "INVALID_ARGUMENT", "API_KEY_INVALID")), "nowhere", "answered"),
        (refused(429, exhausted("34.4s")), "next", "rest"),
        (refused(302), "next", "failed"),
    ],
    ids=str,
)
def test_table(failure: UpstreamError, again: str, route: str) -> None:
    judged = verdict(failure, NOW)
    assert (judged.again, judged.route) == (again, route)


def test_a_route_rests_as_long_as_it_asks_for_and_long_for_a_refused_key() -> None:
    assert verdict(refused(503, retry_after="30"), NOW).rest == 30.0
    assert verdict(refused(401), NOW).rest == KEY_REST
    assert verdict(refused(429, retry_after=str(SHORT)), NOW).wait == SHORT


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({}, None, None),
        ({"retry_after": "7"}, None, 7.0),
        ({"retry_after": " 1.5 "}, None, 1.5),
        ({"retry_after_ms": "250", "retry_after": "7"}, None, 0.25),
        ({"retry_after": formatdate(NOW + 20, usegmt=True)}, None, 20.0),
        ({"retry_after": formatdate(NOW - 20, usegmt=True)}, None, 0.0),
        ({"retry_after": "-1"}, None, None),
        ({"retry_after": "soon"}, None, None),
        ({"retry_after": "9" * 400}, None, None),
        ({}, {"error": {"details": [{"@type": "x/RetryInfo", "retryDelay": "34.4s"}]}}, 34.4),
        ({"retry_after": "7"}, {"error": {"details": [{"retryDelay": "34s"}]}}, 7.0),
        ({}, {"error": {"details": [{"retryDelay": "soon"}]}}, None),
    ],
)
def test_what_a_provider_asks_to_wait(headers: dict[str, str], body: object, seconds: float | None) -> None:
    assert asked_wait(refused(429, body, **headers), NOW) == seconds
