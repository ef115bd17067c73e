"""Every exception has its place in the drawn tree, and the wire a face for each."""

from __future__ import annotations

import inspect
import re

import pytest

from writingmate import errors
from writingmate.operations.failures import as_answer

TYPES = {
    "invalid_request_error",
    "permission_error",
    "insufficient_quota",
    "rate_limit_error",
    "server_error",
    "upstream_error",
}
CLASSES = [
    each
    for _, each in inspect.getmembers(errors, inspect.isclass)
    if issubclass(each, errors.WritingmateError) and each.__module__ == errors.__name__
]
ANSWERS = [each for each in CLASSES if issubclass(each, errors.ApiError)]
FAILURES = [
    errors.UpstreamRefused(500, {}, b""),
    errors.UpstreamUnreachable("refused by 127.0.0.1:9"),
    errors.UpstreamTimeout("no first byte in 600 s"),
    errors.UpstreamBroken("cut after 7 bytes"),
]


@pytest.mark.parametrize("error", ANSWERS, ids=lambda each: each.__name__)
def test_each_answer_has_a_status_and_a_type(error: type[errors.ApiError]) -> None:
    assert 400 <= error.status < 600
    assert error.type in TYPES
    assert (error.status >= 500) == (error.type in {"server_error", "upstream_error"})


@pytest.mark.parametrize("error", CLASSES, ids=lambda each: each.__name__)
def test_each_exception_is_drawn(error: type[errors.WritingmateError]) -> None:
    drawing = errors.__doc__ or ""
    assert re.search(rf"\b{error.__name__}\b", drawing), "draw it in the tree of errors.py"


@pytest.mark.parametrize("error", ANSWERS, ids=lambda each: each.__name__)
def test_the_drawn_status_is_the_real_one(error: type[errors.ApiError]) -> None:
    drawn = re.search(rf"\b{error.__name__}\s+(\d{{3}})\b", errors.__doc__ or "")
    if drawn:
        assert int(drawn[1]) == error.status


@pytest.mark.parametrize("failure", FAILURES, ids=lambda each: type(each).__name__)
def test_each_upstream_failure_becomes_an_answer(failure: errors.UpstreamError) -> None:
    answer = as_answer(failure)
    assert answer.status in {502, 504}
    assert answer.type == "upstream_error"
    assert failure.detail not in answer.message


def test_a_model_that_is_being_set_up_says_when_to_come_back() -> None:
    answer = as_answer(errors.UpstreamNotReady("It is being downloaded.", detail="41 %", retry_after=7))
    assert (answer.status, answer.type, answer.message) == (503, "server_error", "It is being downloaded.")
    assert answer.headers["retry-after"] == "7"


def test_each_upstream_failure_is_covered_above() -> None:
    covered = {*map(type, FAILURES), errors.UpstreamNotReady}
    assert covered == set(errors.UpstreamError.__subclasses__())
