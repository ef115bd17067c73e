"""OpenRouter on loopback: OpenAI's dialect, its own errors, and ``GET /key`` about the key that asks.

Its errors have a number as code, and metadata where a model's moderation refused a prompt.
"""

from __future__ import annotations

import json
from typing import Any

from tests.fakes.openai_choices import Json
from tests.fakes.openai_script import RecordedCall
from tests.fakes.openai_upstream import FakeOpenAI, Fault

ABOUT_A_KEY: Json = {
    "label": "sk-or-v1-au7...890",
    "limit": 100,
    "limit_remaining": 74.5,
    "limit_reset": "monthly",
    "usage": 25.5,
    "byok_usage": 0,
    "include_byok_in_limit": False,
    "is_free_tier": False,
    "is_management_key": False,
    "is_provisioning_key": False,
    "expires_at": "2027-12-31T23:59:59Z",
    "rate_limit": {"requests": 1000, "interval": "1h", "note": "This field is deprecated."},
}
MODERATION: Json = {
    "reasons": ["violence"],
    "flagged_input": "what was…",
    "provider_name": "OpenAI",
    "model_slug": "openai/gpt-5",
}


class FakeOpenRouter(FakeOpenAI):
    """The server; ``about`` is what it says of the key that asks."""

    def __init__(self, *, key: str, models: tuple[str, ...] = ("google/gemini-2.5-flash",)) -> None:
        super().__init__(key=key, models=models)
        self.about: Json = dict(ABOUT_A_KEY)

    def _refused(self, call: RecordedCall) -> tuple[int, Json] | None:
        if call.path == "/v1/models":
            return None  # its list is public
        refused = super()._refused(call)
        return (401, error(401, "User not found.")) if refused and refused[0] == 401 else refused

    def _looked_up(self, call: RecordedCall) -> tuple[int, Json]:
        if (call.method, call.path) == ("GET", "/v1/key"):
            return 200, {"data": self.about}
        return super()._looked_up(call)


def error(code: int, message: str, **metadata: Any) -> Json:
    """OpenRouter's envelope."""
    about = {"metadata": metadata} if metadata else {}
    return {"error": {"code": code, "message": message, **about}, "user_id": "user_2dHFtVWx2n56w6HkM"}


def refusing(code: int, message: str, **metadata: Any) -> Fault:
    """Answer with an error of OpenRouter's."""
    body = json.dumps(error(code, message, **metadata)).encode()
    return Fault(status=code, body=body, content_type="application/json")
