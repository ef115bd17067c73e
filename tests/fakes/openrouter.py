"""OpenRouter on loopback: OpenAI's dialect with its own additions, its own errors, its list of models.

Its errors have a number as code, and metadata where a model's moderation refused a prompt. Shapes are those
of its OpenAPI description; `tests.fakes.test_openrouter` has its own SDK read them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from openai.types.chat import completion_create_params as chat
from openrouter.components import ChatRequest
from pydantic import ValidationError

from tests.fakes import openrouter_answers
from tests.fakes.openai_answers import Answer
from tests.fakes.openai_choices import Json, Wish
from tests.fakes.openai_script import RecordedCall
from tests.fakes.openai_upstream import FakeOpenAI, Fault
from tests.fakes.openrouter_answers import error, listing

__all__ = [
    "ABOUT_A_KEY",
    "MODERATION",
    "FakeOpenRouter",
    "error",
    "inside",
    "listing",
    "refusing",
    "stopping",
]

PROCESSING = ": OPENROUTER PROCESSING\n\n"
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
#: Fields of a chat that OpenAI does not know.
_OWN = frozenset(ChatRequest.model_fields) - chat.CompletionCreateParamsNonStreaming.__annotations__.keys()
MODERATION: Json = {
    "reasons": ["violence"],
    "flagged_input": "what was…",
    "provider_name": "OpenAI",
    "model_slug": "openai/gpt-5",
}


class FakeOpenRouter(FakeOpenAI):
    """The server; ``about`` is what it says of the key that asks, ``listed`` its list of models."""

    def __init__(
        self,
        *,
        key: str,
        models: tuple[str, ...] = ("google/gemini-2.5-flash",),
        listed: Sequence[Json] | None = None,
    ) -> None:
        super().__init__(key=key, models=models)
        self.about: Json = dict(ABOUT_A_KEY)
        self.listed = [listing(name) for name in models] if listed is None else list(listed)

    def _generated(self, call: RecordedCall, wish: Wish) -> Answer:
        answer = super()._generated(call, wish)
        return openrouter_answers.routed(answer) if call.path == "/v1/chat/completions" else answer

    def _refused(self, call: RecordedCall) -> tuple[int, Json] | None:
        if call.path.partition("?")[0] == "/v1/models":
            return None  # its list is public
        refused = super()._refused(call)
        return (401, error(401, "User not found.")) if refused and refused[0] == 401 else refused

    def _judgement(self, path: str, document: Json) -> tuple[int, Json] | None:
        """By its own types, and what they share with OpenAI's by those."""
        if path == "/v1/chat/completions":
            try:
                ChatRequest.model_validate(document)
            except ValidationError as fault:
                return 400, error(400, str(fault))
            document = {name: value for name, value in document.items() if name not in _OWN}
        return super()._judgement(path, document)

    def _looked_up(self, call: RecordedCall) -> tuple[int, Json]:
        if (call.method, call.path) == ("GET", "/v1/key"):
            return 200, {"data": self.about}
        if (call.method, call.path.partition("?")[0]) == ("GET", "/v1/models"):
            return 200, {"data": self.listed, "total_count": len(self.listed), "links": {"next": None}}
        return super()._looked_up(call)


def refusing(code: int, message: str, *, headers: dict[str, str] | None = None, **metadata: Any) -> Fault:
    """Answer with an error of OpenRouter's, and its status."""
    body = json.dumps(error(code, message, **metadata)).encode()
    return Fault(status=code, body=body, content_type="application/json", headers=headers or {})


def inside(code: int, message: str, *, partial: str | None = None, **metadata: Any) -> Fault:
    """Answer a whole call with an error inside a 200, in a choice if ``partial`` had been written."""
    said = error(code, message, **metadata)
    if partial is not None:
        said = openrouter_answers.interrupted(partial, said["error"])
    return Fault(body=json.dumps(said).encode(), content_type="application/json")


def stopping(after: int, code: int, message: str, **metadata: Any) -> Fault:
    """End a stream with an error event after so many others."""
    said = openrouter_answers.last_chunk(error(code, message, **metadata)["error"])
    return Fault(error_after=after, error=said, comment=PROCESSING)
