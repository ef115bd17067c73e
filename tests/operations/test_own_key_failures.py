"""What callers are told when OpenRouter refuses a request made with a key of their own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.fakes.openrouter import MODERATION, error
from writingmate.errors import UpstreamBroken, UpstreamRefused, UpstreamTimeout, UpstreamUnreachable
from writingmate.operations.failures import as_answer, forget_key

# Of no shape that the redaction knows by itself.
KEY = "my.odd-key_of.an-old-shape"


def refused(status: int, body: dict[str, Any] | None = None, **headers: str) -> UpstreamRefused:
    return UpstreamRefused(status, headers, json.dumps(body or error(status, "No.")).encode())


def told(failure: Exception, *, own_key: str | None = KEY) -> dict[str, Any]:
    assert isinstance(failure, (UpstreamRefused, UpstreamUnreachable, UpstreamTimeout, UpstreamBroken))
    answer = as_answer(failure, own_key=own_key)
    assert KEY not in answer.envelope().decode()
    assert KEY not in str(answer.headers)
    return {"status": answer.status, **json.loads(answer.envelope())["error"]}


@pytest.mark.parametrize(
    ("status", "message", "advice"),
    [
        (401, "User not found.", "Set another (writingmate openrouter-key set)"),
        (402, "This request requires more credits, or fewer max_tokens.", "Add credits"),
        (403, "Key limit exceeded (total limit). Manage it using https://openrouter.ai/keys", "limit"),
    ],
)
def test_a_refusal_of_their_key_is_theirs_to_mend(status: int, message: str, advice: str) -> None:
    said = told(refused(status, error(status, message)))
    assert (said["status"], said["type"], said["code"], said["param"]) == (
        401,
        "invalid_request_error",
        "provider_key_rejected",
        None,
    )
    assert advice in said["message"]
    assert "writingmate openrouter-key remove" in said["message"]


@pytest.mark.parametrize("status", [401, 402, 403])
def test_the_same_refusal_of_the_operators_key_stays_the_operators(status: int) -> None:
    said = told(refused(status, error(status, KEY)), own_key=None)
    assert (said["status"], said["code"]) == (502, "upstream_error")


def test_a_flagged_prompt_is_not_a_refused_key() -> None:
    body = error(403, f"openai/gpt-5 requires moderation. Flagged for {KEY}.", **MODERATION)
    said = told(refused(403, body))
    assert (said["status"], said["type"], said["code"]) == (
        403,
        "permission_error",
        "content_policy_violation",
    )
    assert said["message"] == "openai/gpt-5 requires moderation. Flagged for [key]."


def test_the_rest_is_as_with_any_key() -> None:
    limited = told(refused(429, error(429, f"Rate limit exceeded for {KEY}"), **{"retry-after": "7"}))
    assert (limited["status"], limited["type"]) == (429, "rate_limit_error")
    assert limited["message"] == "Rate limit exceeded for [key]"
    assert told(refused(400, error(400, f"Bad {KEY}")))["message"] == "Bad [key]"
    assert told(refused(500))["status"] == 502
    assert told(UpstreamUnreachable("x"))["status"] == 502
    assert told(UpstreamTimeout("x"))["status"] == 504


def test_a_key_is_forgotten_wherever_a_provider_repeats_it() -> None:
    broken = UpstreamBroken(f"the stream carried an error: {KEY}")
    forget_key(broken, KEY)
    assert KEY not in f"{broken!r} {broken} {broken.detail}"
    assert "carried an error: [key]" in broken.detail
    answered = refused(400, error(400, KEY), echo=f"Bearer {KEY}")
    forget_key(answered, KEY)
    assert KEY not in f"{answered.body!r} {answered.headers} {answered!r}"
    assert answered.status == 400
