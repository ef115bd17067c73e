"""Google's Gemini for clients that chat: a spoke of the star (WIRE §10.2).

What changes an answer is translated or refused by name, what only helps a provider of OpenAI's (where
an answer is stored, how a prompt is cached, who asks) is left out. Every field of chat's grammar is in
one of the tables below, and so is what Gemini has beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from writingmate.dialects import faults, gemini_models, gemini_reply, gemini_tools
from writingmate.dialects.chat import GRAMMAR
from writingmate.dialects.chat_completion import ChatAnswer
from writingmate.dialects.gemini_candidate import Reading
from writingmate.dialects.gemini_conversation import Conversation
from writingmate.dialects.gemini_models import Family
from writingmate.dialects.gemini_stream import GeminiStream
from writingmate.dialects.grammar import given
from writingmate.dialects.unsupported import unsupported
from writingmate.types import DialectName
from writingmate.wire import document
from writingmate.wire.document import Document

#: Fields that mean the same in ``generationConfig``, by its names; the last is Gemini's own.
CARRIED: Mapping[str, str] = {
    "seed": "seed",
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
}

#: Those of them that some models refuse even where they say what is so anyway.
PENALTIES: Mapping[str, str] = {
    "frequency_penalty": "frequencyPenalty",
    "presence_penalty": "presencePenalty",
}

TRANSLATED = frozenset((
    "logprobs", "max_completion_tokens", "max_tokens", "messages", "model", "n", "parallel_tool_calls",
    "reasoning_effort", "response_format", "service_tier", "stop", "stream", "tool_choice", "tools",
    "top_logprobs",
))  # fmt: skip

#: Fields without which the answer is the same, or that have had their effect before it.
IGNORED = frozenset((
    "metadata", "prediction", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention",
    "safety_identifier", "store", "stream_options", "user",
))  # fmt: skip

#: Fields that may only say what is so anyway; everything else is refused.
NEUTRAL: Mapping[str, object] = {"logit_bias": {}, "modalities": ["text"], "verbosity": "medium"}

_TIERS = ("flex", "priority")
_MOST_CANDIDATES = 8
_SEEDS = 1 << 31
_KNOWN = CARRIED.keys() | PENALTIES.keys() | TRANSLATED


class GeminiSpoke:
    """One request and its answer.

    Args:
        slug: what the client calls the model.
        request_id: ids of ours are made from it.
        created: UNIX seconds that the answer says it was made at, which Gemini does not; None for now.
    """

    dialect: DialectName = "gemini"

    def __init__(self, *, slug: str, request_id: str, created: int | None = None) -> None:
        self._answer = ChatAnswer(reply_id=f"chatcmpl-{request_id}", model=slug, created=created)
        self._request_id = request_id
        self._parallel = True

    def request(self, chat: Document) -> Document:
        """The same request in Gemini's words. Raises UnsupportedParameter: refused by name.

        And InvalidRequest, if a field has no shape: one of another endpoint's may come unchecked.
        """
        GRAMMAR.check(chat)
        given_fields = [name for name in chat if name not in IGNORED and given(chat, name)]
        asked = {name: document.value(chat[name]) for name in given_fields}
        _refuse(asked)
        self._parallel = asked.get("parallel_tool_calls", True)
        said = _translated(asked, gemini_models.family(asked["model"]))
        return {name: document.raw(value) for name, value in said.items()}

    def place(self, model: str, *, streaming: bool) -> str:
        """What follows the dialect's path: the model and the method are in the URL."""
        method = "streamGenerateContent?alt=sse" if streaming else "generateContent"
        return f"/{quote(model.removeprefix('models/'), safe='')}:{method}"

    def reply(self, body: bytes) -> bytes:
        """A chat completion. Raises UpstreamBroken if the body is no answer of Gemini's."""
        return gemini_reply.reply(body, self._answer, self._reading())

    def stream(self, *, reports: bool = False) -> GeminiStream:
        """The state of one stream."""
        return GeminiStream(self._answer.reporting() if reports else self._answer, self._reading())

    def _reading(self) -> Reading:
        return Reading(self._request_id, parallel=self._parallel)


def _refuse(asked: dict[str, Any]) -> None:
    for name, value in asked.items():
        if name in NEUTRAL:
            if value != NEUTRAL[name]:
                raise unsupported(name, f"other than {bytes(document.raw(NEUTRAL[name])).decode()}")
        elif name not in _KNOWN:
            raise unsupported(name)


def _translated(asked: dict[str, Any], family: Family) -> dict[str, Any]:
    conversation = Conversation(asked["messages"], signs=family.signs)
    said: dict[str, Any] = {"contents": conversation.contents}
    if conversation.system:
        said["systemInstruction"] = {"parts": conversation.system}
    said |= _tools(asked)
    form = _form(asked)
    if form and "tools" in said and not family.signs:
        raise unsupported("response_format", "together with 'tools',", advice="Send one of them.")
    if asked.get("service_tier") in _TIERS:
        said["serviceTier"] = asked["service_tier"]
    config = _limits(asked) | _sampling(asked) | _logprobs(asked) | form | _thinking(asked, family)
    return said | {"generationConfig": config} if config else said


def _tools(asked: dict[str, Any]) -> dict[str, Any]:
    if "tools" not in asked:
        return {}
    tools, choice = asked["tools"], asked.get("tool_choice")
    calling = gemini_tools.calling(tools, choice)
    declared = gemini_tools.declared(tools, choice)
    said: dict[str, Any] = {"tools": [{"functionDeclarations": declared}]} if declared else {}
    return said if calling is None else said | {"toolConfig": {"functionCallingConfig": calling}}


def _limits(asked: dict[str, Any]) -> dict[str, Any]:
    said: dict[str, Any] = {}
    most = asked.get("max_completion_tokens", asked.get("max_tokens"))
    if most is not None:
        said["maxOutputTokens"] = most
    stops = asked.get("stop", [])
    if stops:
        said["stopSequences"] = [stops] if isinstance(stops, str) else stops
    choices = asked.get("n", 1)
    if choices > _MOST_CANDIDATES:
        raise unsupported("n", f"above {_MOST_CANDIDATES}", advice="Ask for fewer.")
    return said | {"candidateCount": choices} if choices > 1 else said


def _sampling(asked: dict[str, Any]) -> dict[str, Any]:
    if not -_SEEDS <= asked.get("seed", 0) < _SEEDS:
        raise unsupported("seed", "of more than 32 bits", advice="Send a smaller one.")
    said = {CARRIED[name]: asked[name] for name in CARRIED if name in asked}
    return said | {PENALTIES[name]: asked[name] for name in PENALTIES if asked.get(name)}


def _logprobs(asked: dict[str, Any]) -> dict[str, Any]:
    if not asked.get("logprobs"):
        return {}
    alternatives = asked.get("top_logprobs", 0)
    return {"responseLogprobs": True} | ({"logprobs": alternatives} if alternatives else {})


def _form(asked: dict[str, Any]) -> dict[str, Any]:
    form = asked.get("response_format", {"type": "text"})
    if form["type"] == "text":
        return {}
    said = {"responseMimeType": "application/json"}
    if form["type"] == "json_object":
        return said
    if form["type"] != "json_schema":
        advice = "Send a json_schema."
        raise unsupported("response_format", f"of '{faults.shown(form['type'])}'", advice=advice)
    described = form.get("json_schema")
    schema = described.get("schema") if isinstance(described, dict) else None
    if not isinstance(described, dict) or not isinstance(schema, dict):
        raise faults.missing("response_format.json_schema.schema")
    if described.get("description"):
        schema = {"description": described["description"], **schema}
    return {**said, "responseJsonSchema": schema}


def _thinking(asked: dict[str, Any], family: Family) -> dict[str, Any]:
    effort = asked.get("reasoning_effort", "default")
    if effort == "default":
        return {}
    thinks = family.budgets is not None or family.levels is not None
    if effort == "none":
        if thinks and not family.stops:
            raise unsupported("reasoning_effort", "of 'none'", advice="Send 'minimal'.")
        return {"thinkingConfig": {"thinkingBudget": 0}} if thinks else {}
    if not thinks:
        raise unsupported("reasoning_effort")
    return {"thinkingConfig": family.thinking(effort)}
